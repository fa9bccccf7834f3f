import type { Signal } from '@preact/signals';
import { house, serverVersion } from '../control/server.ts';
import { choices, curve, language, theme } from '../settings.ts';
import { texts } from '../text/texts.ts';

const languageNames = { en: 'English', de: 'Deutsch' };

export function MorePage() {
  const { more: words } = texts.value;
  return (
    <>
      <section class="card">
        <h2>{words.looks}</h2>
        <Choice label={words.theme} setting={theme} options={choices.themes} names={words.themes} />
        <Choice
          label={words.language}
          setting={language}
          options={choices.languages}
          names={languageNames}
        />
        <Choice label={words.curve} setting={curve} options={choices.curves} names={words.curves} />
      </section>
      <section class="card">
        <h2>{words.join}</h2>
        <p>{words.joinHint}</p>
        <pre>snapclient -h {location.hostname}</pre>
        <p>{words.joinApps}</p>
        <pre>{location.hostname}</pre>
      </section>
      <section class="card">
        <h2>{words.server}</h2>
        <dl>
          <dt>{words.host}</dt>
          <dd>{house.serverName.value}</dd>
          <dt>{words.version}</dt>
          <dd>{serverVersion.value}</dd>
        </dl>
      </section>
    </>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly setting: Signal<T>;
  readonly options: readonly T[];
  readonly names: Readonly<Record<T, string>>;
}

function Choice<T extends string>({ label, setting, options, names }: ChoiceProps<T>) {
  return (
    <label class="field">
      <span>{label}</span>
      <select
        value={setting.value}
        onChange={({ currentTarget }) => {
          setting.value = currentTarget.value as T;
        }}
      >
        {options.map((option) => (
          <option key={option} value={option}>
            {names[option]}
          </option>
        ))}
      </select>
    </label>
  );
}
