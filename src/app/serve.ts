import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { ConfigError, messageOf } from '../base/errors.ts';
import { nativeLocks } from '../base/files/process-lock.ts';
import { loadNativeAddon } from '../base/native/native-addon.ts';
import { compatibleVersion, packageVersion } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { readAgainFromDisk } from '../config/config-file.ts';
import { type Environment, takeEnvironment } from '../config/environment.ts';
import { type LoadedConfig, loadConfig } from '../config/load-config.ts';
import type { Diagnose } from '../figures/server-health.ts';
import { Log } from '../log/log.ts';
import { withAbsolutePaths } from './absolute-paths.ts';
import { Application } from './application.ts';
import type { Command } from './cli.ts';
import type { ReloadInputs } from './config-reload.ts';
import { Background } from './daemon/background.ts';
import { type DaemonParent, daemonParent, startDaemon } from './daemon/daemonize.ts';
import { HangUp } from './daemon/hang-up.ts';
import { LogRotation } from './daemon/log-rotation.ts';
import { ServiceManager } from './daemon/service-manager.ts';
import { type ClaimedFolder, claimDataFolder } from './data-folder.ts';
import { failureStatus, forcedStatus, internalError, stopSignal } from './process-ending.ts';

/** What a person who starts the server in the foreground sees; an empty one is the usual. */
const terminalSinks: ReadonlySet<string> = new Set(['', 'stdout', 'stderr']);

/** Looks at what a server that runs by this configuration needs. */
type DiagnoseServer = (loaded: {
  readonly config: Config;
  readonly configFile: string | undefined;
}) => ReturnType<Diagnose>;

type ServeCommand = Extract<Command, { kind: 'serve' }>;

/**
 * Keeps the space for young objects as small as it starts. A server makes little garbage per
 * client, so the space would only grow, to 48 MiB, while clients connect (test/bench/results.md,
 * "memory").
 */
function keepYoungSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** Failure: throws a `ConfigError` that lists every fault of the configuration. */
export function loadFor({ configFile, overrides }: Pick<ServeCommand, 'configFile' | 'overrides'>) {
  return loadConfig({ file: configFile, environment: process.env, overrides });
}

/**
 * Runs the server until a signal ends it, or starts it in the background; the result is the status
 * to exit with.
 *
 * Shape: `forceEnd` ends the process at once: on the second signal, or when stopping takes too long.
 * Failure: rejects with a `ConfigError` that lists every fault of the configuration.
 */
export async function serve(
  command: ServeCommand,
  { forceEnd, diagnose }: { readonly forceEnd: () => void; readonly diagnose: DiagnoseServer },
): Promise<number> {
  const rotation = new LogRotation();
  const hangUp = new HangUp();
  const { daemon } = command;
  const parent = daemon && daemonParent();
  if (daemon && !parent) return startDaemon({ ...daemon, stderr: process.stderr });
  const environment = takeEnvironment(process.env);
  keepYoungSpaceSmall();
  // Before the first line, as a program that waits for that may send a signal at once.
  const stopped = stopSignal(forceEnd);
  const native = loadNativeAddon();
  const manager = new ServiceManager({
    environment: process.env,
    sendDatagram: 'addon' in native ? native.addon.sendDatagram : undefined,
  });
  const load = configLoader(command, environment);
  const loaded = load();
  const background = parent && new Background({ ...placeOf(loaded.config), ...nativeLocks() });
  try {
    return await serveLogged(command, {
      ...loaded,
      load,
      rotation,
      hangUp,
      parent,
      background,
      manager,
      stopped,
      diagnose: (config) => diagnose({ config, configFile: loaded.file }),
    });
  } finally {
    background?.close();
    manager.close();
  }
}

/** What the process is made of beside the application. */
interface Surroundings extends LoadedConfig {
  readonly load: LoadConfig;
  readonly rotation: LogRotation;
  readonly hangUp: HangUp;
  /** Both absent in the foreground. */
  readonly parent: DaemonParent | undefined;
  readonly background: Background | undefined;
  readonly manager: ServiceManager;
  readonly stopped: Promise<NodeJS.Signals>;
  readonly diagnose: Diagnose;
}

/** The same with the folder of the state. */
interface ReadySurroundings extends Surroundings {
  readonly folder: ClaimedFolder;
}

/** Shape: `again` names the file that must be there, as it was before. */
type LoadConfig = (again?: { readonly file: string | undefined }) => LoadedConfig;

/** Reads the configuration, now and whenever it is to be read again. */
function configLoader(command: ServeCommand, environment: Environment): LoadConfig {
  const startFolder = process.cwd();
  const configFile = command.configFile && resolve(startFolder, command.configFile);
  const { overrides } = command;
  return (again) => {
    const loaded = loadConfig({
      file: again?.file ?? configFile,
      environment,
      overrides,
      ...(again && { readFile: readAgainFromDisk }),
    });
    const { config } = loaded;
    return command.daemon ? { ...loaded, config: withAbsolutePaths(config, startFolder) } : loaded;
  };
}

function placeOf({ server: { pidfile: pidFile, user, group } }: Config) {
  return { pidFile, user, group };
}

async function serveLogged(command: ServeCommand, around: Surroundings): Promise<number> {
  const { config, warnings, file, background, manager } = around;
  // Before the log, which empties its file: that of another server that has this folder.
  const folder = await claimDataFolder(config.server.datadir, background);
  let log: Log | undefined;
  try {
    log = new Log({
      ...config.logging,
      usualSink: background ? 'system' : 'stdout',
      fileOwner: background?.identity,
      keepsLines: 'refusal' in folder,
    });
    const { logger } = log;
    around.rotation.use(log);
    // The first line: programs that start the server wait for it.
    logger.tagged('Snapserver').info(`Version ${compatibleVersion}`);
    const own = logger.tagged('Zerocast');
    own.info(`zerocast ${packageVersion}`, { node: process.version, config: file ?? 'built-in' });
    const concerns = [...command.warnings, ...(background?.warnings ?? []), ...warnings];
    for (const warning of concerns) own.warn(warning);
    manager.useLogger(own);
    return await runUntilStopped({ ...around, folder }, log);
  } finally {
    await log?.close();
    if ('lock' in folder) folder.lock?.release();
  }
}

async function runUntilStopped(around: ReadySurroundings, rootLog: Log): Promise<number> {
  const { manager, stopped, hangUp } = around;
  const log = rootLog.logger.tagged('Zerocast');
  let isBroken = false;
  const broken = internalError(log);
  void broken.then(() => {
    isBroken = true;
  });
  let application: Application | undefined;
  try {
    application = await Promise.race([open(around, rootLog), broken]);
  } catch (error) {
    for (const reason of reasonsOf(error)) log.fatal('the server cannot start', { reason });
    complain(around, `the server cannot start: ${messageOf(error)}`);
  }
  if (!application) return failureStatus;
  const { streams, server } = application;
  manager.ready(() => `${streams.channels.size} streams, ${server.sessionCount} players`);
  around.parent?.ready();
  hangUp.use(() => application.reload());
  const signal = await Promise.race([stopped, broken]);
  if (signal === undefined) {
    await application.saveLast();
    return failureStatus;
  }
  log.info('stopping', { signal });
  manager.stopping();
  const late = await application.close();
  if ('lock' in around.folder) around.folder.lock?.release();
  log.info('stopped');
  if (late.length > 0) return forcedStatus;
  return isBroken ? failureStatus : 0;
}

/** Tells the person who started the server, where the log does not. */
function complain({ parent, config: { logging } }: Surroundings, sentence: string): void {
  if (parent) parent.complain(sentence);
  else if (!terminalSinks.has(logging.sink)) process.stderr.write(`zerocast: ${sentence}\n`);
}

/** Each on one line. */
function reasonsOf(error: unknown): readonly string[] {
  return error instanceof ConfigError ? error.faults : [messageOf(error)];
}

async function open(around: ReadySurroundings, rootLog: Log): Promise<Application> {
  const { config, origins, background, folder } = around;
  const { logger } = rootLog;
  const log = logger.tagged('Zerocast');
  for (const { phrase, fields } of folder.concerns) log.warn(phrase, fields);
  if (folder.takenOver) {
    const { path, takenOver } = folder;
    log.notice('names, volumes and groups of snapserver are copied', { from: takenOver, to: path });
  }
  if ('refusal' in folder) throw folder.refusal;
  if (background) process.chdir('/');
  return Application.start({
    config,
    origins,
    reload: reloadInputs(around, rootLog),
    logger,
    dataFolder: folder.path,
    recentWarnings: () => rootLog.recentWarnings,
    diagnose: around.diagnose,
    onBound: () => background?.dropPrivileges(log),
  });
}

function reloadInputs(around: Surroundings, log: Log): ReloadInputs {
  const { load, file, warnings, manager } = around;
  return {
    load: (present) => load({ file: present }),
    file,
    warnings,
    configureLog: (logging) => log.configure(logging),
    onBegin: () => manager.reloading(),
    onEnd: (outcome) => manager.reloaded(outcome),
  };
}
