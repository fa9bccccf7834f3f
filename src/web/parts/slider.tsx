import { useRef } from 'preact/hooks';
import { curve } from '../settings.ts';
import { positionOf, valueAt, valueByKey } from './slider-curve.ts';

/** So far beside the thumb is meant for it. */
const reachPx = 24;
const steps = 1000;

interface SliderProps {
  readonly label: string;
  readonly valueText: string;
  /** Units: percent. */
  readonly value: number;
  readonly isMuted: boolean;
  readonly onChange: (value: number) => void;
  readonly disabled?: boolean;
  /** Why it is disabled. */
  readonly title?: string;
}

/**
 * A volume that does not change by accident: only its thumb is moved, beside it a tap is one step, and
 * neither scrolling nor the wheel touches it.
 */
export function Slider(props: SliderProps) {
  const { label, valueText, value, isMuted, onChange, disabled = false, title } = props;
  const input = useRef<HTMLInputElement>(null);
  const position = positionOf(value, curve.value);
  const onPointerDown = (event: PointerEvent) => {
    const element = input.current;
    if (!element) return;
    const { left, width } = element.getBoundingClientRect();
    const isRightToLeft = getComputedStyle(element).direction === 'rtl';
    const part = isRightToLeft ? 1 - position : position;
    const thumbPx = left + reachPx / 2 + part * (width - reachPx);
    if (Math.abs(event.clientX - thumbPx) <= reachPx) return;
    event.preventDefault();
    element.focus();
    onChange(
      valueByKey(event.clientX > thumbPx !== isRightToLeft ? 'PageUp' : 'PageDown', value) ?? value,
    );
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = valueByKey(event.key, value);
    if (next === undefined) return;
    event.preventDefault();
    onChange(next);
  };
  return (
    <input
      ref={input}
      class={isMuted ? 'slider muted' : 'slider'}
      disabled={disabled}
      title={title}
      type="range"
      min={0}
      max={steps}
      value={Math.round(position * steps)}
      style={{ '--part': position }}
      aria-label={label}
      aria-valuetext={valueText}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onInput={({ currentTarget }) =>
        onChange(valueAt(Number(currentTarget.value) / steps, curve.value))
      }
    />
  );
}
