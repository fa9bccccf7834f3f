import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadNativeAddon } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { secretsOf } from '../config/secret-values.ts';
import { addonCheck } from './addon-check.ts';
import type { DoctorContext } from './context.ts';
import { flacCheck } from './flac-check.ts';
import { limitsCheck } from './limits-check.ts';
import { shown } from './masked-findings.ts';
import { memoryCheck } from './memory-check.ts';
import { ProcessTable } from './process-table.ts';
import { type CheckResult, runChecks } from './run-checks.ts';
import { ownUser } from './server-user.ts';
import { systemCheck } from './system-check.ts';
import { SystemFiles } from './system-files.ts';
import { webCheck } from './web-check.ts';

/**
 * What the doctor finds from within a server that runs, as far as it costs little: no port, fifo or
 * other process is touched. One check per turn of the event loop; nothing secret is in it.
 */
export async function diagnoseServer(loaded: {
  readonly config: Config;
  readonly configFile: string | undefined;
}): Promise<readonly CheckResult[]> {
  const files = new SystemFiles();
  const context: DoctorContext = {
    ...loaded,
    environment: process.env,
    files,
    processes: new ProcessTable(files),
    native: loadNativeAddon(),
    overrides: [],
    isDaemon: false,
    isServer: true,
    serverUser: ownUser(),
  };
  const checks = [systemCheck, addonCheck, flacCheck, limitsCheck, memoryCheck, webCheck];
  const { certificateKey } = loaded.config.ssl;
  const secrets = [...secretsOf(loaded.config), ...(certificateKey ? [certificateKey] : [])];
  const results: CheckResult[] = [];
  for await (const { name, findings } of runChecks(checks.map((check) => check(context)))) {
    results.push({ name, findings: findings.map((finding) => shown(finding, secrets)) });
    await nextTurn();
  }
  return results;
}
