#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { Application } from './application.ts';
import { codecHelp } from './audio/encoders/codecs.ts';
import { hashPasswordFrom } from './auth/hash-password-command.ts';
import { issueToken } from './auth/token-command.ts';
import { type Command, parseCommandLine } from './cli.ts';
import { loadConfig } from './config/load-config.ts';
import { usage, versionText } from './config/usage.ts';
import { messageOf, ZerocastError } from './errors.ts';
import { createLogger } from './log.ts';
import type { Logger } from './logger.ts';
import { runProbe, unreachableStatus } from './probe/probe.ts';
import { type ProbeOptions, parseProbeOptions, probeUsage } from './probe/probe-options.ts';
import { dataFolder } from './server/data-folder.ts';
import { compatibleVersion, packageVersion } from './version.ts';
import { tokenSettings } from './wiring/access.ts';

/** Wrong use, a bad configuration, a port that is taken, or our own fault. */
const failureStatus = 1;
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Exit status of a process that a signal ended. Source: POSIX shells, 128 + SIGKILL's number. */
const forcedStatus = 137;

type ServeCommand = Extract<Command, { kind: 'serve' }>;

/**
 * Keeps the space for young objects as small as it starts. A server makes little garbage per
 * client, so the space would only grow, to 48 MiB, while clients connect (test/bench/results.md,
 * "memory").
 */
function keepYoungSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

async function run(command: Command): Promise<number> {
  switch (command.kind) {
    case 'help':
      return print(usage(command.all));
    case 'version':
      return print(versionText());
    case 'codec-help':
      return print(codecHelp(command.codec));
    case 'probe':
      return probe(command.args);
    case 'hash-password':
      return print(await hashPasswordFrom({ input: process.stdin, prompts: process.stderr }));
    case 'token':
      return token(command);
    case 'serve':
      return serve(command);
  }
}

function print(text: string): number {
  process.stdout.write(`${text.trimEnd()}\n`);
  return 0;
}

async function probe(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) return print(probeUsage);
  let options: ProbeOptions;
  try {
    options = parseProbeOptions(args);
  } catch (error) {
    process.stderr.write(`zerocast probe: ${messageOf(error)}\n`);
    return unreachableStatus;
  }
  const { stdout } = process;
  const output = {
    write: (text: string) => void stdout.write(text),
    isTerminal: stdout.isTTY === true,
  };
  const abort = new AbortController();
  for (const signal of stopSignals) process.once(signal, () => abort.abort());
  // Whoever read the output, such as `head`, has seen enough.
  stdout.on('error', () => abort.abort());
  return runProbe(options, output, abort.signal);
}

async function token(command: Extract<Command, { kind: 'token' }>): Promise<number> {
  const { user, hours } = command;
  const { config } = load(command);
  const { role: roles, user: users } = config.authorization;
  return print(await issueToken({ user, hours, roles, users, settings: tokenSettings(config) }));
}

function load({ configFile, overrides }: Pick<ServeCommand, 'configFile' | 'overrides'>) {
  return loadConfig({ file: configFile, environment: process.env, overrides });
}

async function serve(command: ServeCommand): Promise<number> {
  keepYoungSpaceSmall();
  // Before the first line, as whoever waits for that may send a signal at once.
  const stopped = stopSignal();
  const { config, warnings, file } = load(command);
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
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of stopSignals) {
      process.once(signal, () => {
        for (const second of stopSignals) process.once(second, () => process.exit(forcedStatus));
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

async function main(): Promise<number> {
  try {
    return await run(parseCommandLine(process.argv.slice(2)));
  } catch (error) {
    const isExpected = error instanceof ZerocastError;
    const text = isExpected || !(error instanceof Error) ? messageOf(error) : error.stack;
    process.stderr.write(`zerocast: ${text}\n`);
    return failureStatus;
  }
}

process.exit(await main());
