import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from './scratch-folder.ts';
import { accepts, assertBuilt, freePort, mainFile } from './server-process.ts';

const startTimeoutMs = 20_000;

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BriefRun {
  readonly options?: readonly string[];
  /** Added to the environment of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How many the process may have. */
  readonly descriptors?: number;
  /** No file that it writes can be larger, as on a disk that is full. */
  readonly maxFileBytes?: number;
}

/** With a home, and so a data folder, that no other server has. */
function environmentOf({ environment }: BriefRun): NodeJS.ProcessEnv {
  const home = makeScratchFolder();
  onTestFinished(() => removeScratchFolder(home));
  return { ...process.env, HOME: home, ...environment };
}

function commandOf(run: BriefRun): readonly [string, string[]] {
  const { options = [], descriptors, maxFileBytes } = run;
  const words = [mainFile, ...options];
  const limits = Object.entries({ nofile: descriptors, fsize: maxFileBytes })
    .filter(([, limit]) => limit !== undefined)
    .map(([kind, limit]) => `--${kind}=${limit}:${limit}`);
  if (limits.length === 0) return [process.execPath, words];
  return ['prlimit', [...limits, process.execPath, ...words]];
}

/** Runs the program until it ends by itself. */
export function runToEnd(run: BriefRun): Outcome {
  assertBuilt();
  const { status, stdout, stderr } = spawnSync(...commandOf(run), {
    encoding: 'utf8',
    env: environmentOf(run),
    timeout: startTimeoutMs,
    // A server that hangs may take any other signal for a wish.
    killSignal: 'SIGKILL',
  });
  return { status, stdout, stderr };
}

/**
 * Runs the server until it accepts clients and then stops it: wherever its log goes, it has said
 * by then how it understood its settings.
 */
export async function serveBriefly(run: BriefRun): Promise<Outcome> {
  assertBuilt();
  const { options = [] } = run;
  const port = await freePort();
  const listen = [
    '--tcp-streaming.bind_to_address=127.0.0.1',
    `--tcp-streaming.port=${port}`,
    '--http.bind_to_address=127.0.0.1',
    '--http.port=0',
  ];
  const child = spawn(...commandOf({ ...run, options: [...listen, ...options] }), {
    env: environmentOf(run),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = once(child, 'close') as Promise<[number | null]>;
  const deadlineMs = performance.now() + startTimeoutMs;
  while (child.exitCode === null && performance.now() < deadlineMs) {
    if (await accepts(port)) break;
    await setTimeout(20);
  }
  child.kill('SIGTERM');
  const [status] = await ended;
  return { status, ...output };
}
