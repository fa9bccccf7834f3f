import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { HangUp } from '../../../../src/app/daemon/hang-up.ts';
import { OutputLog } from '../../../support/output-log.ts';
import { buildPlainModule } from '../../../support/plain-module.ts';
import { until } from '../../../support/waiting.ts';

afterEach(() => void process.removeAllListeners('SIGHUP'));

/** Sends SIGHUP to this process, which listens already. */
async function hangUp(): Promise<void> {
  const arrived = once(process, 'SIGHUP');
  process.kill(process.pid, 'SIGHUP');
  await arrived;
}

describe('SIGHUP', () => {
  it('has the configuration read again', async () => {
    const calls: string[] = [];
    new HangUp().use(async () => void calls.push('read'));
    expect(calls).toEqual([]);
    await hangUp();
    expect(calls).toEqual(['read']);
    await hangUp();
    expect(calls).toEqual(['read', 'read']);
  });

  it('that comes too early waits for the start, and is then done with', async () => {
    const early = new HangUp();
    await hangUp();
    await hangUp();
    const calls: string[] = [];
    early.use(async () => void calls.push('first'));
    expect(calls).toEqual(['first']);
    early.use(async () => void calls.push('second'));
    expect(calls).toEqual(['first']);
  });

  it('does not end a server whose configuration is bad, but one that is at fault itself', async () => {
    const module = buildPlainModule('src/app/daemon/hang-up.ts');
    onTestFinished(() => module.remove());
    const program = join(module.folder, 'program.mjs');
    writeFileSync(
      program,
      `import { HangUp } from ${JSON.stringify(module.path)};
      import { ConfigError } from './src/base/errors.js';
      const faults = [new ConfigError('bad-config', 'bad'), new Error('a fault of our own')];
      new HangUp().use(async () => {
        console.log('read');
        throw faults.shift();
      });
      setInterval(() => {}, 1000);
      console.log('up');`,
    );
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'close');
    const log = new OutputLog('the program', child);
    await log.waitFor(/up\n/);
    child.kill('SIGHUP');
    await log.waitFor(/read\n/);
    child.kill('SIGHUP');
    expect(await ended).toEqual([1, null]);
    await until(() => log.text.includes('a fault of our own'));
    expect(log.text.match(/^read$/gm)).toHaveLength(2);
  });
});
