import { loadNativeAddon } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import type { Assignment } from '../config/ini-text.ts';
import { secretsOf } from '../config/secret-values.ts';
import { accessCheck } from './access-check.ts';
import { addonCheck } from './addon-check.ts';
import { clipsCheck } from './clips-check.ts';
import { clockCheck } from './clock-check.ts';
import { checkConfiguration } from './configuration-check.ts';
import type { DoctorContext, SystemContext } from './context.ts';
import { dataFolderCheck } from './data-folder-check.ts';
import { checkText, reportJson, totalsOf, totalsText } from './doctor-report.ts';
import { edgeCheck } from './edge-check.ts';
import { type Check, type Finding, faultOf, note, ok } from './finding.ts';
import { flacCheck } from './flac-check.ts';
import { hooksCheck } from './hooks-check.ts';
import { limitsCheck } from './limits-check.ts';
import { shown } from './masked-findings.ts';
import { mdnsCheck } from './mdns-check.ts';
import { memoryCheck } from './memory-check.ts';
import { portsCheck } from './port-check.ts';
import { ProcessTable } from './process-table.ts';
import { type CheckResult, runChecks } from './run-checks.ts';
import { serverCheck } from './server-check.ts';
import { ownUser, type ServerUser, serverUserOf } from './server-user.ts';
import { sourcesCheck } from './source-check.ts';
import { systemCheck } from './system-check.ts';
import { SystemFiles } from './system-files.ts';
import { webCheck } from './web-check.ts';
import { zeroCopyCheck } from './zero-copy-check.ts';

/**
 * Looks at everything that the server needs, changes nothing, and says how to fix what is wrong.
 *
 * Shape: resolves with the exit status: 1 when there is a fault, else 0.
 */
export async function runDoctor(
  command: {
    readonly configFile?: string;
    readonly overrides: readonly Assignment[];
    readonly json: boolean;
    /** The server is to run as a daemon. */
    readonly isDaemon: boolean;
  },
  output: {
    readonly write: (text: string) => void;
    readonly isColoured: boolean;
  },
): Promise<number> {
  const context = systemContext();
  const { configFile, overrides, json } = command;
  const { environment } = context;
  const { loaded, findings } = checkConfiguration({ configFile, environment, overrides });
  const secrets = loaded ? secretsOf(loaded.config) : [];
  const results: CheckResult[] = [];
  const add = ({ name, findings: found }: CheckResult) => {
    const result = { name, findings: found.map((finding) => shown(finding, secrets)) };
    results.push(result);
    if (!json) output.write(checkText(result, output.isColoured));
  };
  add({ name: 'configuration', findings });
  const checks = loaded
    ? checksOf(command.isDaemon, {
        ...context,
        config: loaded.config,
        configFile: loaded.file,
        overrides,
      })
    : checksOfSystem(context);
  for await (const result of runChecks(checks)) add(result);
  output.write(json ? reportJson(results) : totalsText(results));
  return totalsOf(results).faults > 0 ? 1 : 0;
}

function systemContext(): SystemContext {
  const files = new SystemFiles();
  const environment = process.env;
  return { environment, files, processes: new ProcessTable(files), native: loadNativeAddon() };
}

function checksOfSystem(context: SystemContext): readonly Check[] {
  return [
    systemCheck(context),
    addonCheck(context),
    zeroCopyCheck(context, false),
    flacCheck(context),
    clockCheck(context),
  ];
}

function checksOf(
  isDaemon: boolean,
  loaded: Omit<DoctorContext, 'serverUser' | 'isDaemon'>,
): readonly Check[] {
  const { serverUser, findings } = whoRuns(isDaemon, loaded.config);
  const context: DoctorContext = { ...loaded, isDaemon, serverUser };
  return [
    systemCheck(context),
    { name: 'user', run: () => findings },
    accessCheck(context),
    sourcesCheck(context),
    ...(loaded.config.edge.origin ? [edgeCheck(context)] : []),
    portsCheck(context),
    webCheck(context),
    dataFolderCheck(context),
    clipsCheck(context),
    hooksCheck(context),
    addonCheck(context),
    zeroCopyCheck(context, loaded.config.stream.zerocopy),
    flacCheck(context),
    limitsCheck(context),
    memoryCheck(context),
    mdnsCheck(context),
    clockCheck(context),
    serverCheck(context),
  ];
}

function whoRuns(
  isDaemon: boolean,
  { server: { user, group } }: Config,
): { readonly serverUser: ServerUser; readonly findings: readonly Finding[] } {
  const own = ownUser();
  if (!isDaemon) return { serverUser: own, findings: [ownFinding(own, user)] };
  try {
    const serverUser = serverUserOf(user, group);
    return { serverUser, findings: [ok(`rights are those of ${user}, the user of daemon mode`)] };
  } catch (error) {
    const mend = `make the user: useradd --system ${user}, or set user in [server]`;
    return { serverUser: own, findings: [faultOf(error, mend)] };
  }
}

function ownFinding({ name, uid }: ServerUser, daemonUser: string): Finding {
  if (uid !== 0) return ok(`rights are those of ${name}`);
  return note(
    'rights are those of root, who may do everything',
    `add -d to look with the rights of ${daemonUser}, the user of daemon mode`,
  );
}
