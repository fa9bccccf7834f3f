import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setPriority } from 'node:os';
import { messageOf } from '../../base/errors.ts';

/** Tells a process that it is the one in the background, together with a channel to its parent. */
const childMark = 'ZEROCAST_SERVICE_CHILD';
const readyMessage = 'ready';
const failureStatus = 1;
const forwardedSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface DaemonOptions {
  /** Nice value, -20 to 19; 0: as it is. */
  readonly priority: number;
  /** Where a person reads what goes wrong until the server runs. */
  readonly stderr: { write(text: string): unknown };
}

/**
 * Starts this program once more in the background and waits until the server there is ready, or
 * says why it is not; the result is the status to exit with.
 *
 * Node cannot fork, so the child is a program of its own: it reads command line and configuration
 * again.
 */
export async function startDaemon({ priority, stderr }: DaemonOptions): Promise<number> {
  // Before the child exists: a thread inherits its nice value, and a process begins with one.
  if (priority !== 0) changePriority(priority, stderr);
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    // A session of its own, without a terminal.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, [childMark]: '1' },
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => void stderr.write(text));
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of forwardedSignals) process.on(signal, forward);
  try {
    return await outcomeOf(child, stderr);
  } finally {
    for (const signal of forwardedSignals) process.off(signal, forward);
  }
}

function changePriority(priority: number, stderr: DaemonOptions['stderr']): void {
  try {
    setPriority(priority);
  } catch (error) {
    stderr.write(
      `zerocast: the nice value ${priority} is not set, the server goes on without it: ` +
        `${messageOf(error)}; values below 0 are for root\n`,
    );
  }
}

function outcomeOf(child: ChildProcess, stderr: DaemonOptions['stderr']): Promise<number> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if (message === readyMessage) resolve(0);
    });
    child.on('error', (error) => {
      stderr.write(`zerocast: the server cannot be started: ${error.message}\n`);
      resolve(failureStatus);
    });
    // Not "exit": what it said is to be read to the end.
    child.on('close', (status, signal) => {
      if (signal) stderr.write(`zerocast: the server was ended by ${signal} before it was ready\n`);
      resolve(status || failureStatus);
    });
  });
}

/** The side of the child: where the parent waits. */
export interface DaemonParent {
  /** Says that the server runs, and releases the terminal. */
  ready(): void;
  /** Shows a sentence to the person who started the server. */
  complain(sentence: string): void;
}

/** `undefined` unless this process is one that `startDaemon` has started. */
export function daemonParent(): DaemonParent | undefined {
  const isChild = process.env[childMark] === '1' && process.connected === true;
  delete process.env[childMark];
  return isChild ? { ready, complain } : undefined;
}

function ready(): void {
  closeStderr();
  if (!process.connected || !process.send) return;
  // With the callback a parent that is gone is no error.
  process.send(readyMessage, undefined, {}, () => {
    if (process.connected) process.disconnect();
  });
}

function complain(sentence: string): void {
  process.stderr.write(`zerocast: ${sentence}\n`);
}

/** No process reads it any more; its number must not come to mean something else. */
function closeStderr(): void {
  const stderr = 2;
  try {
    closeSync(stderr);
    const descriptor = openSync('/dev/null', 'r+');
    if (descriptor !== stderr) closeSync(descriptor);
  } catch {
    // What is written there is lost either way.
  }
}
