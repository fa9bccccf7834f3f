import { setFlagsFromString } from 'node:v8';
import { Application } from './application.ts';
import type { Command } from './cli.ts';
import { loadConfig } from './config/load-config.ts';
import { messageOf } from './errors.ts';
import { createLogger } from './log.ts';
import type { Logger } from './logger.ts';
import { dataFolder } from './server/data-folder.ts';
import { compatibleVersion, packageVersion } from './version.ts';

/** Wrong use, a bad configuration, a port that is taken, or our own fault. */
export const failureStatus = 1;
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Exit status of a process that a signal ended. Source: POSIX shells, 128 + SIGKILL's number. */
export const forcedStatus = 137;

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
 * Runs the server until a signal ends it; the result is the status to exit with.
 *
 * Shape: `forceEnd` ends the process at once, on the second signal.
 * Failure: rejects with a `ConfigError` that lists every fault of the configuration.
 */
export async function serve(command: ServeCommand, forceEnd: () => void): Promise<number> {
  keepYoungSpaceSmall();
  // Before the first line, as whoever waits for that may send a signal at once.
  const stopped = stopSignal(forceEnd);
  const { config, warnings, file } = loadFor(command);
  const { logger, close } = createLogger(config.logging);
  try {
    // The first line: programs that start the server wait for it.
    logger.tagged('Snapserver').info(`Version ${compatibleVersion}`);
    const log = logger.tagged('Zerocast');
    log.info(`zerocast ${packageVersion}`, { node: process.version, config: file ?? 'built-in' });
    for (const warning of [...command.warnings, ...warnings]) log.warn(warning);
    const folder = dataFolder({
      datadir: config.server.datadir,
      home: process.env.HOME,
      isDaemon: false,
    });
    return await runUntil(stopped, log, () =>
      Application.start({ config, logger, dataFolder: folder }),
    );
  } finally {
    await close();
  }
}

/** Resolves with the first signal to stop; the second one forces the end. */
function stopSignal(forceEnd: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of stopSignals) {
      process.once(signal, () => {
        for (const second of stopSignals) process.once(second, forceEnd);
        resolve(signal);
      });
    }
  });
}

async function runUntil(
  stopped: Promise<NodeJS.Signals>,
  log: Logger,
  start: () => Promise<Application>,
): Promise<number> {
  const broken = failure(log);
  let application: Application | undefined;
  try {
    application = await Promise.race([start(), broken]);
  } catch (error) {
    log.fatal('the server cannot start', { reason: messageOf(error) });
    return failureStatus;
  }
  if (!application) return failureStatus;
  const signal = await Promise.race([stopped, broken]);
  if (signal === undefined) return failureStatus;
  log.info('stopping', { signal });
  await application.close();
  log.info('stopped');
  return 0;
}

/** Resolves when our own code broke a promise: nobody knows what holds any more. */
function failure(log: Logger): Promise<undefined> {
  return new Promise((resolve) => {
    const report = (error: unknown) => {
      const stack = error instanceof Error ? error.stack : undefined;
      log.fatal('internal error', { reason: messageOf(error), stack });
      resolve(undefined);
    };
    process.once('uncaughtException', report);
    process.once('unhandledRejection', report);
  });
}
