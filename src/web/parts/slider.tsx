import { useRef } from 'preact/hooks';
import { curve } from '../settings.ts';
import { positionOf, valueAt, valueByKey } from './slider-curve.ts';

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
 * A volume that does not change by accident: only its thumb is moved (the style sheet lets nothing
 * else of it be touched), beside it a tap is one step, and neither scrolling nor the wheel touches it.
 */
export function Slider(props: SliderProps) {
  const { label, valueText, value, isMuted, onChange, disabled = false, title } = props;
  const input = useRef<HTMLInputElement>(null);
  const isBeside = useRef(false);
  const position = positionOf(value, curve.value);
  const onClick = (event: MouseEvent) => {
    const element = input.current;
    // The end of a movement of the thumb is a click, too.
    if (!element || disabled || !isBeside.current) return;
    const { left, width } = element.getBoundingClientRect();
    const isRightToLeft = getComputedStyle(element).direction === 'rtl';
    const thumb = left + width * (isRightToLeft ? 1 - position : position);
    const isLouder = event.clientX > thumb !== isRightToLeft;
    element.focus({ preventScroll: true });
    onChange(valueByKey(isLouder ? 'PageUp' : 'PageDown', value) ?? value);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = valueByKey(event.key, value);
    if (next === undefined) return;
    event.preventDefault();
    onChange(next);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: all that a tap does here a key does, too.
    <div
      class={isMuted ? 'track muted' : 'track'}
      role="presentation"
      style={{ '--part': position }}
      onPointerDown={({ target }) => {
        isBeside.current = target !== input.current;
      }}
      onClick={onClick}
      onKeyDown={onKeyDown}
    >
      <input
        ref={input}
        class="slider"
        disabled={disabled}
        title={title}
        type="range"
        min={0}
        max={steps}
        value={Math.round(position * steps)}
        aria-label={label}
        aria-valuetext={valueText}
        onInput={({ currentTarget }) =>
          onChange(valueAt(Number(currentTarget.value) / steps, curve.value))
        }
      />
    </div>
  );
}
