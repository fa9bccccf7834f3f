import { ConfigError } from '../base/errors.ts';
import { type Environment, readEnvironment } from '../config/environment.ts';
import type { Assignment } from '../config/ini-text.ts';
import { defaultSearchPaths, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { Report } from '../config/report.ts';
import { type Finding, faultOf, note, ok, warning } from './finding.ts';

/** The configuration, or nothing when it has faults; and what is to be said about it. */
export function checkConfiguration({
  configFile: file,
  environment,
  overrides,
}: {
  readonly configFile?: string | undefined;
  readonly environment: Environment;
  readonly overrides: readonly Assignment[];
}): {
  readonly loaded: LoadedConfig | undefined;
  readonly findings: readonly Finding[];
} {
  const also = overridesInForce(environment, overrides);
  try {
    const loaded = loadConfig({ file, environment, overrides });
    const findings = [fileFinding(loaded.file), ...loaded.warnings.map(warningOf), ...also];
    return { loaded, findings };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The first line counts the faults, each of the others is one.
    const [, ...faults] = error.message.split('\n');
    const findings = faults.map((line) => faultOf(line, 'correct or remove this setting'));
    return { loaded: undefined, findings: [...findings, unchecked, ...also] };
  }
}

const unchecked = note(
  'what depends on the configuration was not checked',
  'correct the faults above and run the doctor again',
);

function fileFinding(file: string | undefined): Finding {
  if (file !== undefined) return ok(`the configuration file is ${file}`);
  return note(
    `there is no configuration file (${defaultSearchPaths.join(', ')}): the built-in settings hold`,
  );
}

/** The warnings of the configuration end with what to do, behind the last semicolon. */
function warningOf(line: string): Finding {
  const end = line.lastIndexOf('; ');
  if (end < 0) return warning(line, 'correct or remove this setting');
  return warning(line.slice(0, end), line.slice(end + 2));
}

/** Names only: the values may be secret. */
function overridesInForce(
  environment: Environment,
  overrides: readonly Assignment[],
): readonly Finding[] {
  const fromEnvironment = readEnvironment(environment, new Report());
  const origins = new Set([...fromEnvironment, ...overrides].map(({ origin }) => origin));
  if (origins.size === 0) return [];
  return [note(`settings of the file are overridden by ${[...origins].join(', ')}`)];
}
