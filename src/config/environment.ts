import { nearestWord } from '../base/nearest-word.ts';
import type { Assignment } from './ini-text.ts';
import type { Report } from './report.ts';
import { deprecatedNames, findRow, rows } from './schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const prefix = 'ZEROCAST_';

/** The environment variable that sets `section.key`. */
export function environmentName(section: string, key: string): string {
  return `${prefix}${section}_${key}`.replaceAll('-', '_').toUpperCase();
}

const nameByVariable: ReadonlyMap<string, string> = new Map(
  [...rows.map((row) => `${row.section}.${row.key}`), ...deprecatedNames.keys()].map((name) => {
    const [section = '', key = ''] = name.split('.');
    return [environmentName(section, key), name];
  }),
);

/** Further names, which other programs know too; the usual one of a setting wins. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['ZERO_COPY_ENABLED', 'clips.zero_copy'],
  ['ZERO_COPY_MIN_SIZE_MB', 'clips.zero_copy_min_size'],
  ['ZERO_COPY_VERIFY_COPY', 'clips.zero_copy_verify'],
  ['ZERO_COPY_CHUNK_SIZE_MB', 'clips.zero_copy_chunk_size'],
]);

/** Ours, but no settings: what other parts read, and what Kubernetes sets for a service. */
const otherVariable = /^ZEROCAST_(NATIVE$|SERVICE_|PORT$|PORT_\d)/;

/**
 * Takes the settings out of the environment of this process, as they may be secret and the programs
 * that it starts would inherit them; the result is the environment as it was.
 */
export function takeEnvironment(environment: NodeJS.ProcessEnv): Environment {
  const whole = { ...environment };
  for (const variable of Object.keys(whole)) if (isSetting(variable)) delete environment[variable];
  return whole;
}

/** Also one whose name is wrong. */
function isSetting(variable: string): boolean {
  return variable.startsWith(prefix) && !otherVariable.test(variable);
}

/**
 * Reads the settings among the environment variables; an empty variable counts as not set.
 * Several values of a repeatable key stand on lines of their own.
 */
export function readEnvironment(environment: Environment, report: Report): readonly Assignment[] {
  const assignments: Assignment[] = [];
  for (const [variable, name] of aliases) {
    const value = environment[variable]?.trim();
    const [section = '', key = ''] = name.split('.');
    if (value)
      assignments.push({ section, key, value, origin: `environment variable ${variable}` });
  }
  for (const [variable, text] of Object.entries(environment)) {
    if (!isSetting(variable) || !text?.trim()) continue;
    const origin = `environment variable ${variable}`;
    const name = nameByVariable.get(variable);
    if (name === undefined) {
      const nearest = nearestVariable(variable);
      report.warn(origin, `ignored: it sets nothing; the nearest known one is ${nearest}`);
      continue;
    }
    const [section = '', key = ''] = name.split('.');
    for (const value of valuesOf(text, name)) assignments.push({ section, key, value, origin });
  }
  return assignments;
}

/** The variable of the same key in another section, else the one with the fewest differences. */
function nearestVariable(variable: string): string {
  const namesakes = [...nameByVariable].filter(([, name]) =>
    variable.endsWith(`_${name.slice(name.indexOf('.') + 1).toUpperCase()}`),
  );
  const known = namesakes.length > 0 ? new Map(namesakes) : nameByVariable;
  return nearestWord(variable, [...known.keys()]);
}

function valuesOf(text: string, name: string): readonly string[] {
  const isList = findRow(deprecatedNames.get(name) ?? name)?.setting.repeatable;
  const values = isList ? text.split(/\r?\n/) : [text];
  return values.map((value) => value.trim()).filter((value) => value !== '');
}
