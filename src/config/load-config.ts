import { buildConfig, type Config } from './config.ts';
import { openConfigFile, type ReadFile, readFromDisk } from './config-file.ts';
import { type Environment, readEnvironment } from './environment.ts';
import type { Assignment } from './ini-text.ts';
import { isKnownSection, nearestSetting } from './nearest.ts';
import { quoted, Report } from './report.ts';
import { deprecatedNames, findRow, type Row, rows } from './schema.ts';

export interface ConfigInputs {
  /** The file that was asked for; without it `searchPaths` are tried. */
  readonly file?: string | undefined;
  readonly searchPaths?: readonly string[];
  readonly environment?: Environment;
  /** From the command line. */
  readonly overrides?: readonly Assignment[];
  readonly readFile?: ReadFile;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Sentences to log once the log is open. */
  readonly warnings: readonly string[];
  /** The file that was read; `undefined` when there was none. */
  readonly file: string | undefined;
  readonly origins: SettingOrigins;
}

/** Where the values of each `section.key` stand, in their order: `/etc/zerocast.conf, line 12`. */
export type SettingOrigins = ReadonlyMap<string, readonly string[]>;

export const defaultSearchPaths: readonly string[] = ['/etc/zerocast.conf', '/etc/snapserver.conf'];

/**
 * Merges defaults, file, environment and command line into one frozen object; later ones win.
 * Repeatable keys of the environment replace those of the file, those of the command line are
 * added.
 *
 * Failure: throws one `ConfigError` that lists every fault of all of them.
 */
export function loadConfig(inputs: ConfigInputs): LoadedConfig {
  const report = new Report();
  const file = openConfigFile(
    {
      file: inputs.file,
      searchPaths: inputs.searchPaths ?? defaultSearchPaths,
      readFile: inputs.readFile ?? readFromDisk,
    },
    report,
  );
  const layers: readonly Layer[] = [
    groupByRow(file?.assignments ?? [], report),
    groupByRow(readEnvironment(inputs.environment ?? {}, report), report),
    groupByRow(inputs.overrides ?? [], report),
  ];
  const settled = rows.map((row) => settle(row, layers, report));
  const config = buildConfig(settled.map((one) => withoutUnaskedSource(one, settled)));
  const origins = new Map(
    settled.map(({ section, key, origins }) => [`${section}.${key}`, origins] as const),
  );
  complainAboutCombinations(config, origins, report);
  report.throwIfFaulty();
  return { config, warnings: report.warnings, file: file?.path, origins };
}

/** What one layer says per row, in the order in which it counts. */
type Layer = ReadonlyMap<Row, readonly Assignment[]>;

function groupByRow(assignments: readonly Assignment[], report: Report): Layer {
  const current = new Map<Row, Assignment[]>();
  const deprecated = new Map<Row, Assignment[]>();
  const unknownSections = new Set<string>();
  for (const assignment of assignments) {
    const name = `${assignment.section}.${assignment.key}`;
    const newName = deprecatedNames.get(name);
    const row = findRow(newName ?? name);
    if (!row) {
      complainAboutUnknown(assignment, unknownSections, report);
      continue;
    }
    if (newName !== undefined) {
      const { section, key, origin } = assignment;
      report.warn(
        origin,
        `[${section}] ${key} is deprecated; write [${row.section}] ${row.key} instead`,
      );
    }
    const group = newName === undefined ? current : deprecated;
    const listed = group.get(row);
    if (listed) listed.push(assignment);
    else group.set(row, [assignment]);
  }
  // Old names count first, so that of a scalar the new name wins wherever it stands.
  return new Map(
    rows.map((row) => [row, [...(deprecated.get(row) ?? []), ...(current.get(row) ?? [])]]),
  );
}

function complainAboutUnknown(
  { section, key, origin }: Assignment,
  unknownSections: Set<string>,
  report: Report,
): void {
  if (!isKnownSection(section) && unknownSections.has(section)) return;
  unknownSections.add(section);
  report.warn(origin, () => {
    const nearest = nearestSetting(section, key);
    const hint = `the nearest known one is [${nearest.section}] ${nearest.key}`;
    if (section === '') {
      return `keys before the first [section] are ignored, as is ${quoted(key)}; ${hint}`;
    }
    if (isKnownSection(section)) {
      return `${quoted(key)} is ignored: no such key in [${section}]; ${hint}`;
    }
    return `all keys of ${quoted(section)} are ignored: no such section; for ${quoted(key)} ${hint}`;
  });
}

interface Settled {
  readonly section: string;
  readonly key: string;
  readonly value: unknown;
  /** One per value; none of a default. */
  readonly origins: readonly string[];
}

function settle(row: Row, layers: readonly Layer[], report: Report): Settled {
  const { section, key, setting } = row;
  const [fromFile = [], fromEnvironment = [], fromOptions = []] = layers.map(
    (layer) => layer.get(row) ?? [],
  );
  // Values that lose are read too: a fault that shows up only when something else goes is worse.
  const read = (assignments: readonly Assignment[]) =>
    assignments.flatMap((assignment) => readValue(row, assignment, report));
  const [fileValues, environmentValues, optionValues] = [
    read(fromFile),
    read(fromEnvironment),
    read(fromOptions),
  ];
  if (setting.repeatable) {
    const hasEnvironment = environmentValues.length > 0;
    const given = [...(hasEnvironment ? environmentValues : fileValues), ...optionValues];
    const origins = originsOf([...(hasEnvironment ? fromEnvironment : fromFile), ...fromOptions]);
    return { section, key, origins, value: given.length > 0 ? given : defaultsOf(row, report) };
  }
  warnAboutRepetition(row, fromFile, report);
  const given = [...fileValues, ...environmentValues, ...optionValues];
  const value = given.length > 0 ? given.at(-1) : defaultsOf(row, report)[0];
  const origins = originsOf([...fromFile, ...fromEnvironment, ...fromOptions]).slice(-1);
  return { section, key, origins, value };
}

/** An edge has its streams from its origin: of its own it has only those that were asked for. */
function withoutUnaskedSource(one: Settled, all: readonly Settled[]): Settled {
  if (one.section !== 'stream' || one.key !== 'source' || one.origins.length > 0) return one;
  const isEdge = all.some(({ section, key, value }) => {
    return section === 'edge' && key === 'origin' && value !== '';
  });
  return isEdge ? { ...one, value: [] } : one;
}

function originsOf(assignments: readonly Assignment[]): readonly string[] {
  return assignments.map(({ origin }) => origin);
}

function defaultsOf(row: Row, report: Report): readonly unknown[] {
  const texts = [row.setting.default].flat();
  return texts.flatMap((value) =>
    readValue(row, { section: row.section, key: row.key, value, origin: 'defaults' }, report),
  );
}

/** The value in a list of one, or nothing after a fault. */
function readValue(row: Row, assignment: Assignment, report: Report): readonly unknown[] {
  const { section, key, value: text, origin } = assignment;
  const { parser, secret } = row.setting;
  const place = `[${section}] ${key}`;
  const value = parser.parse(text, (sentence) => report.warn(origin, `${place}: ${sentence}`));
  if (value !== undefined) return [value];
  const found = secret ? 'has a value that is not shown here' : `is ${quoted(text)}`;
  report.fault(origin, `${place} ${found}; allowed: ${parser.allowed}`);
  return [];
}

function warnAboutRepetition(row: Row, assignments: readonly Assignment[], report: Report): void {
  for (const [index, assignment] of assignments.slice(0, -1).entries()) {
    const winner = assignments[index + 1]!;
    report.warn(
      assignment.origin,
      `[${row.section}] ${row.key} is ignored: it is set again at ${winner.origin}`,
    );
  }
}

/** Values that are fine alone and make no sense together. */
function complainAboutCombinations(config: Config, origins: SettingOrigins, report: Report): void {
  const { buffer, chunkMs, sendInterval } = config.stream;
  const originOf = (key: string) => origins.get(`stream.${key}`)?.at(-1) ?? 'defaults';
  if (chunkMs >= buffer) {
    report.fault(
      originOf('chunk_ms'),
      `[stream] chunk_ms is ${chunkMs}; allowed: less than buffer, which is ${buffer} (ms)`,
    );
  }
  if (sendInterval !== 'auto' && sendInterval >= buffer) {
    report.fault(
      originOf('send_interval'),
      `[stream] send_interval is ${sendInterval}; allowed: less than buffer, which is ${buffer} (ms)`,
    );
  }
}
