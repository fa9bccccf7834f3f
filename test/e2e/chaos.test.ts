import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { OutputLog } from '../support/output-log.ts';
import { ffmpegIsMissing } from '../support/radio-station.ts';
import { isRoot } from '../support/scratch-folder.ts';
import { assertBuilt, mainFile } from '../support/server-process.ts';
import { snapclientIsMissing } from '../support/snapclient.ts';

const script = join(fileURLToPath(new URL('../chaos', import.meta.url)), 'run.ts');
/** Beside the time in which harm is done: to begin, to look twice, to end. */
const limitMs = 170_000;

/** Under CI a machine without root, snapclient or ffmpeg is a failure. */
const cannotRun = !process.env.CI && (!isRoot || snapclientIsMissing || ffmpegIsMissing);

async function runChaos(args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', script, '--server', mainFile, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const log = new OutputLog('chaos', child);
  const timer = setTimeout(() => child.kill('SIGTERM'), limitMs);
  const [exitCode] = await once(child, 'close');
  clearTimeout(timer);
  return { exitCode, output: log.text };
}

async function planOf(seed: string): Promise<string> {
  const command = ['--import', 'tsx', script, '--seed', seed, '--plan', '200'];
  return (await promisify(execFile)(process.execPath, command)).stdout;
}

describe.skipIf(cannotRun)('a server among chaos', () => {
  it.each([
    { seed: '1', flags: [] },
    { seed: '2', flags: ['--zerocopy'] },
    { seed: '3', flags: ['--no-addon', '--buffer', '10000'] },
  ])('serves those that nothing is done to, seed $seed $flags', async ({ seed, flags }) => {
    assertBuilt();
    const brief = ['--seconds', '12', '--players', '100', '--quiet-seconds', '7', '--real', '2'];
    const { exitCode, output } = await runChaos(['--seed', seed, ...brief, ...flags]);
    expect(output).toMatch(/^ok: seed/m);
    expect(exitCode).toBe(0);
  });

  it('does the same again for the same seed, and other things for another', async () => {
    const first = await planOf('7');
    expect(first.split('\n').length).toBeGreaterThan(200);
    expect(await planOf('7')).toBe(first);
    expect(await planOf('8')).not.toBe(first);
  });
});
