import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const event = 'raw_syscalls:sys_enter';

export interface SystemCallCounter {
  readonly name: string;
  count(pid: number, options: CountOptions): Promise<number>;
}

interface CountOptions {
  readonly durationMs: number;
  readonly workDir: string;
}

/** Counts in the kernel: costs a fraction of a microsecond per call. */
async function countByPerf(pid: number, { durationMs }: CountOptions): Promise<number> {
  const args = ['stat', '-x', ',', '-e', event, '-p', String(pid)];
  const { stderr } = await run('perf', [...args, '--', 'sleep', String(durationMs / 1000)]);
  const count = Number(
    stderr
      .split('\n')
      .find((line) => line.includes(event))
      ?.split(',')[0],
  );
  if (!Number.isFinite(count)) throw new Error(`perf did not count: ${stderr.trim()}`);
  return count;
}

/** Stops the process twice per call, so that it can fall behind. */
async function countByStrace(pid: number, { durationMs, workDir }: CountOptions): Promise<number> {
  const file = join(workDir, `strace-${pid}`);
  const strace = spawn('strace', ['-q', '-c', '-f', '-o', file, '-p', String(pid)], {
    stdio: 'ignore',
  });
  await sleep(durationMs);
  const ended = once(strace, 'close');
  strace.kill('SIGINT');
  await ended;
  const total = readFileSync(file, 'utf8')
    .split('\n')
    .find((line) => line.trim().endsWith(' total'));
  rmSync(file);
  const count = Number(total?.trim().split(/\s+/)[3]);
  if (!Number.isFinite(count)) throw new Error('strace did not count');
  return count;
}

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * The cheapest way to count system calls that works here and for this user.
 *
 * Failure: throws when there is none.
 */
export function findSystemCallCounter(): SystemCallCounter {
  if (works('perf', ['stat', '-e', event, '--', 'true'])) {
    return { name: 'perf', count: countByPerf };
  }
  if (works('strace', ['-c', '-o', '/dev/null', 'true'])) {
    return { name: 'strace', count: countByStrace };
  }
  throw new Error('--syscalls needs perf (as root) or strace; neither works here');
}
