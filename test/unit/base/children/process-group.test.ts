import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ProcessGroup } from '../../../../src/base/children/process-group.ts';
import { looksUntil } from '../../../support/looks.ts';
import { until } from '../../../support/waiting.ts';

/** A group whose program has said that it is ready for signals. */
async function start(script: string) {
  const child = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const group = new ProcessGroup(child);
  const [said] = await once(child.stdout, 'data');
  return { group, said: String(said).trim() };
}

const stubborn = 'trap "" TERM; echo ready; while :; do sleep 0.05; done';

describe('a program that does not end', () => {
  it('has two seconds to end by itself, and then gets the signal', async () => {
    const { group } = await start('echo ready; exec sleep 60');
    let looks = 0;
    const exit = await group.finish(() => {
      looks += 1;
      return false;
    });
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
    expect(looks).toBe(100);
  });

  it('has two seconds after the signal, and is killed then', async () => {
    const { group } = await start(stubborn);
    const ended = group.end('SIGTERM');
    const looks = await looksUntil(ended);
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(looks).toBeGreaterThan(80);
    expect(looks).toBeLessThan(150);
  });

  it('is waited for as long as asked, and no longer', async () => {
    const { group } = await start('echo ready; exec sleep 60');
    const waited = group.exitsWithin(400);
    const looks = await looksUntil(waited);
    expect(await waited).toBe(false);
    expect(looks).toBeGreaterThan(15);
    expect(looks).toBeLessThan(30);
    await group.end('SIGKILL');
  });

  it('is ended at once when there is a hurry', async () => {
    const { group } = await start('echo ready; exec sleep 60');
    let looks = 0;
    await group.finish(() => {
      looks += 1;
      return looks === 3;
    });
    expect(looks).toBe(3);
  });
});

describe('what a program has started', () => {
  it('has a fifth of a second after its end, and is killed then', async () => {
    const straggler = 'trap "" TERM; echo $$; while :; do sleep 0.05; done';
    const { group, said } = await start(`sh -c '${straggler}' & exec sleep 60`);
    const ended = group.end('SIGTERM');
    const looks = await looksUntil(ended);
    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect(looks).toBeGreaterThan(8);
    expect(looks).toBeLessThan(25);
    await until(() => !isRunning(Number(said)), 'it is gone');
  });
});

/** Zombies count as ended: in containers the dead may have nobody who buries them. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
