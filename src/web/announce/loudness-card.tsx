import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Slider } from '../parts/slider.tsx';
import { texts } from '../text/texts.ts';
import type { FormFault, FormField } from './announce-fault.ts';
import { repertoire } from './announcing.ts';
import { change, draft, loudnessModes, priorities } from './draft.ts';
import { FieldFault } from './field-fault.tsx';

const lowestDuckDb = -40;
const usualVolume = 60;

interface LoudnessCardProps {
  readonly fault: FormFault | undefined;
  readonly usualDuckDb: number;
}

/** How loud it is over the music, and all that is needed less often. */
export function LoudnessCard({ fault, usualDuckDb }: LoudnessCardProps) {
  const { announce: words } = texts.value;
  const { duckDb = usualDuckDb, volume, isUrgent, overridesMute } = draft.value;
  return (
    <fieldset class="card">
      <legend>{words.how}</legend>
      <label class="field">
        <span>{words.duck}</span>
        <span class="line">
          <span class="track" style={{ '--part': (duckDb - lowestDuckDb) / -lowestDuckDb }}>
            <input
              type="range"
              class="slider direct"
              min={lowestDuckDb}
              max={0}
              value={duckDb}
              aria-valuetext={words.decibels(duckDb)}
              onInput={({ currentTarget }) => change({ duckDb: Number(currentTarget.value) })}
            />
          </span>
          <output class="number wide">{words.decibels(duckDb)}</output>
        </span>
        <FieldFault of="duck_db" fault={fault} />
      </label>
      <Tick
        label={words.ownVolume}
        isOn={volume !== undefined}
        onChange={(isOn) => change({ volume: isOn ? usualVolume : undefined })}
      />
      {volume !== undefined && (
        <div class="line">
          <Slider
            label={words.volume}
            valueText={texts.value.client.volumeValue(volume, false)}
            value={volume}
            isMuted={false}
            onChange={(value) => change({ volume: value })}
          />
          <output class="number wide">{volume}</output>
        </div>
      )}
      <FieldFault of="volume" fault={fault} />
      <Tick
        label={words.urgent}
        hint={words.urgentHint}
        isOn={isUrgent}
        onChange={(isOn) => change({ isUrgent: isOn })}
      />
      <Tick
        label={words.overrideMute}
        isOn={overridesMute}
        onChange={(isOn) => change({ overridesMute: isOn })}
      />
      <details>
        <summary>{words.more}</summary>
        <More fault={fault} />
      </details>
    </fieldset>
  );
}

interface TickProps {
  readonly label: string;
  readonly hint?: string;
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
}

function Tick({ label, hint, isOn, onChange }: TickProps) {
  return (
    <label class="choice">
      <input
        type="checkbox"
        checked={isOn}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
      <span>
        {label}
        {hint && <span class="hint block">{hint}</span>}
      </span>
    </label>
  );
}

function More({ fault }: { readonly fault: FormFault | undefined }) {
  const { announce: words } = texts.value;
  const { pre, repeat, gainDb, loudness, priority } = draft.value;
  const clips = repertoire.value?.clips ?? [];
  const chimes = (repertoire.value?.chimes ?? []).map((chime) => ({
    value: chime,
    text: words.chimes[chime] ?? chime,
  }));
  return (
    <div class="seldom">
      <Field of="pre" label={words.pre} fault={fault}>
        {(id) => (
          <Select
            id={id}
            value={pre}
            options={[
              { value: '', text: words.nothing },
              ...chimes,
              ...clips.map(({ name }) => ({ value: name, text: name })),
            ]}
            onChange={(value) => change({ pre: value })}
          />
        )}
      </Field>
      <Field of="repeat" label={words.repeat} fault={fault}>
        {(id) => (
          <NumberInput
            id={id}
            value={repeat}
            min={1}
            max={10}
            onChange={(value) => change({ repeat: value })}
          />
        )}
      </Field>
      <Field of="gain_db" label={words.gain} fault={fault}>
        {(id) => (
          <NumberInput
            id={id}
            value={gainDb}
            min={-60}
            max={20}
            onChange={(value) => change({ gainDb: value })}
          />
        )}
      </Field>
      <Field of="loudness" label={words.loudness} fault={fault}>
        {(id) => (
          <Select
            id={id}
            value={loudness}
            options={loudnessModes.map((value) => ({ value, text: words.loudnessModes[value] }))}
            onChange={(value) => change({ loudness: value })}
          />
        )}
      </Field>
      <Field of="priority" label={words.priority} fault={fault}>
        {(id) => (
          <Select
            id={id}
            value={priority}
            options={(['', ...priorities] as const).map((value) => ({
              value,
              text: words.priorities[value === '' ? 'usual' : value],
            }))}
            onChange={(value) => change({ priority: value })}
          />
        )}
      </Field>
    </div>
  );
}

interface FieldProps {
  readonly of: FormField;
  readonly label: string;
  readonly fault: FormFault | undefined;
  readonly children: (id: string) => ComponentChildren;
}

function Field({ of, label, fault, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
      <FieldFault of={of} fault={fault} />
    </div>
  );
}

interface SelectProps<T extends string> {
  readonly id: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly text: string }[];
  readonly onChange: (value: T) => void;
}

function Select<T extends string>({ id, value, options, onChange }: SelectProps<T>) {
  return (
    <select
      id={id}
      value={value}
      onChange={({ currentTarget }) => onChange(currentTarget.value as T)}
    >
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.text}
        </option>
      ))}
    </select>
  );
}

interface NumberInputProps {
  readonly id: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly onChange: (value: number) => void;
}

function NumberInput({ id, value, min, max, onChange }: NumberInputProps) {
  return (
    <input
      id={id}
      type="number"
      inputMode="numeric"
      min={min}
      max={max}
      value={value}
      onInput={({ currentTarget }) => onChange(Number(currentTarget.value))}
    />
  );
}
