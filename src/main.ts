#!/usr/bin/env node
import { codecHelp } from './audio/encoders/codecs.ts';
import { hashPasswordFrom } from './auth/hash-password-command.ts';
import { issueToken } from './auth/token-command.ts';
import { type Command, parseCommandLine } from './cli.ts';
import { usage, versionText } from './config/usage.ts';
import { messageOf, ZerocastError } from './errors.ts';
import { runProbe, unreachableStatus } from './probe/probe.ts';
import { type ProbeOptions, parseProbeOptions, probeUsage } from './probe/probe-options.ts';
import { failureStatus, forcedStatus, loadFor, serve, stopSignals } from './serve.ts';
import { tokenSettings } from './wiring/access.ts';

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
    case 'doctor':
      return doctor(command);
    case 'serve':
      return serve(command, endAtOnce);
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
  for (const signal of [...stopSignals, 'SIGHUP']) process.once(signal, () => abort.abort());
  // Whoever read the output, such as `head`, has seen enough.
  stdout.on('error', () => abort.abort());
  return runProbe(options, output, abort.signal);
}

async function token(command: Extract<Command, { kind: 'token' }>): Promise<number> {
  const { user, hours } = command;
  const { config } = loadFor(command);
  const { role: roles, user: users } = config.authorization;
  return print(await issueToken({ user, hours, roles, users, settings: tokenSettings(config) }));
}

async function doctor(command: Extract<Command, { kind: 'doctor' }>): Promise<number> {
  // Loaded only where it is used: it needs almost every part of the server.
  const { runDoctor } = await import('./doctor/doctor.ts');
  const { stdout } = process;
  const isColoured = stdout.isTTY === true && !process.env.NO_COLOR;
  // Whoever read the output, such as `head`, has seen enough.
  stdout.on('error', () => undefined);
  return runDoctor(command, { write: (text) => void stdout.write(text), isColoured });
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

/**
 * Ends the process with its children, also when a thread waits for the file system: `process.exit`
 * alone would wait for that thread, perhaps for ever.
 */
function endAtOnce(): never {
  process.on('exit', () => process.kill(process.pid, 'SIGKILL'));
  process.exit(forcedStatus);
}

const status = await main();
if (status === forcedStatus) endAtOnce();
process.exit(status);
