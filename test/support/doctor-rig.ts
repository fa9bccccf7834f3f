import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import type { Assignment } from '../../src/config/ini-text.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { DoctorContext } from '../../src/doctor/context.ts';
import type { Check, Finding } from '../../src/doctor/finding.ts';
import { ProcessTable } from '../../src/doctor/process-table.ts';
import { runChecks } from '../../src/doctor/run-checks.ts';
import { ownUser } from '../../src/doctor/server-user.ts';
import { SystemFiles } from '../../src/doctor/system-files.ts';

/** `section.key` and value, as on the command line. */
export type Settings = readonly (readonly [name: string, value: string])[];

/** This machine, with these settings and otherwise the built-in ones. */
export function doctorContext(
  settings: Settings = [],
  changes: Partial<DoctorContext> = {},
): DoctorContext {
  const overrides = settings.map(([name, value]): Assignment => {
    const [section = '', key = ''] = name.split('.');
    return { section, key, value, origin: `option --${name}` };
  });
  const { config } = loadConfig({ searchPaths: [], overrides });
  const files = changes.files ?? new SystemFiles();
  return {
    config,
    configFile: undefined,
    overrides,
    environment: {},
    files,
    processes: new ProcessTable(files),
    native: loadNativeAddon(),
    isDaemon: false,
    serverUser: ownUser(),
    ...changes,
  };
}

/** What a check finds, as the doctor would run it. */
export async function findingsOf(check: Check): Promise<readonly Finding[]> {
  for await (const { findings } of runChecks([check])) return findings;
  return [];
}

/** The findings of one level, each with its remedy behind an arrow. */
export async function textsOf(check: Check, level: Finding['level']): Promise<readonly string[]> {
  const findings = await findingsOf(check);
  return findings
    .filter((finding) => finding.level === level)
    .map(({ text, mend }) => (mend === undefined ? text : `${text} -> ${mend}`));
}

/** Files that stand for those of a system that is not at hand, by their paths. */
export function systemWith(folder: string, texts: Readonly<Record<string, string>>): SystemFiles {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return new SystemFiles(folder);
}
