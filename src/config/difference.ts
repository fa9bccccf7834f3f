import { cutText } from '../base/foreign-text.ts';
import { buildConfig, type Config, camelCase } from './config.ts';
import { type Row, rows } from './schema.ts';

/** A setting of which two configurations have different values. */
export interface SettingDifference {
  readonly row: Row;
  /** For people; what is secret is not shown. */
  readonly before: string;
  readonly after: string;
}

const hidden = '(not shown)';
/** Values as they would stand in the file are seldom longer. */
const maxShownCharacters = 200;

/** All differences, in the order of the table. */
export function differencesBetween(from: Config, to: Config): readonly SettingDifference[] {
  return rows
    .filter((row) => keyOf(settingOf(from, row)) !== keyOf(settingOf(to, row)))
    .map((row) => ({
      row,
      before: shown(settingOf(from, row), row),
      after: shown(settingOf(to, row), row),
    }));
}

/** `present` with the values that `wanted` has of all settings that a reload puts into force. */
export function withLiveSettingsOf(wanted: Config, present: Config): Config {
  return buildConfig(
    rows.map((row) => ({
      section: row.section,
      key: row.key,
      value: settingOf(row.setting.isLive ? wanted : present, row),
    })),
  );
}

function settingOf(config: Config, { section, key }: Row): unknown {
  const sections: Readonly<Record<string, object | undefined>> = config;
  return Reflect.get(sections[camelCase(section)] ?? {}, camelCase(key));
}

/** The same text for the same value. */
function keyOf(value: unknown): string {
  return JSON.stringify([value].flat().map(String));
}

function shown(value: unknown, { section, key, setting }: Row): string {
  // The addresses of sources may hold passwords; their streams are told of by name.
  if (setting.secret || `${section}.${key}` === 'stream.source') return hidden;
  const text = [value].flat().map(String).join(', ');
  return text.length > maxShownCharacters ? `${cutText(text, maxShownCharacters)}...` : text;
}
