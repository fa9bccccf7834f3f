import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { lockDataFolder } from '../../../../src/app/data-folder.ts';
import { ConfigError } from '../../../../src/base/errors.ts';
import { describeProcess } from '../../../../src/base/files/process-holder.ts';
import { nativeLocks, ProcessLock } from '../../../../src/base/files/process-lock.ts';
import {
  isRoot,
  makeScratchFolder,
  removeScratchFolder,
  withoutPrivileges,
} from '../../../support/scratch-folder.ts';
import { until } from '../../../support/waiting.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = makeScratchFolder();
  path = join(folder, 'pid');
});
afterEach(() => removeScratchFolder(folder));

const nobody = 65_534;

/** A process that lives until the end of the test. */
function otherProcess(program: string, ...args: readonly string[]): number {
  const child = spawn(program, args, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child.pid ?? 0;
}

const locks = [
  ['with locks of the system', nativeLocks()],
  ['without them', { lockFile: undefined }],
  // Error 95, EOPNOTSUPP: as on some network file systems.
  ['on a file system that has none', { lockFile: () => 95 }],
] as const;

describe.each(locks)('a file that shows which process is here, %s', (_, functions) => {
  const acquire = () => ProcessLock.acquire({ path, ...functions });
  function acquired(): ProcessLock {
    const outcome = acquire();
    if (!('lock' in outcome)) throw new Error(`process ${outcome.holder} holds it`);
    return outcome.lock;
  }

  it('holds its number and goes with it', () => {
    const lock = acquired();
    expect(readFileSync(path, 'latin1')).toBe(`${process.pid}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    lock.release();
    lock.release();
    expect(existsSync(path)).toBe(false);
  });

  it('is for one at a time, and names that one', () => {
    const lock = acquired();
    expect(acquire()).toEqual({ holder: process.pid });
    expect(readFileSync(path, 'latin1')).toBe(`${process.pid}\n`);
    lock.release();
    acquired().release();
  });

  it('is for one at a time by whichever way its folder is named', () => {
    symlinkSync('.', join(folder, 'link'));
    const lock = acquired();
    expect(ProcessLock.acquire({ path: join(folder, 'link', 'pid'), ...functions })).toEqual({
      holder: process.pid,
    });
    lock.release();
  });

  it('neither waits for a pipe in its place nor reads without end', () => {
    const { lockFile } = functions;
    execFileSync('mkfifo', [path]);
    if (lockFile) expect(acquire).toThrow('is no plain file');
    else acquired().release();
    rmSync(path, { force: true });
    symlinkSync('/dev/zero', path);
    if (lockFile) expect(acquire).toThrow('ELOOP');
    else acquired().release();
  });

  it('does not overwrite a file of another name', () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'theirs');
    linkSync(other, path);
    if (functions.lockFile) expect(acquire).toThrow('has a second name: remove it');
    else acquired().release();
    expect(readFileSync(other, 'latin1')).toBe('theirs');
  });

  it('is left to a process that it names and that has it open, whatever that locks it with', async () => {
    writeFileSync(path, '');
    const pid = otherProcess('sh', '-c', 'exec 3<>"$0"; echo $$ >&3; exec sleep 1000', path);
    await until(() => readFileSync(path, 'latin1') === `${pid}\n`);
    expect(acquire()).toEqual({ holder: pid });
    expect(readFileSync(path, 'latin1')).toBe(`${pid}\n`);
  });

  it('is no obstacle when its process is gone', () => {
    for (const text of ['2147483647\n', 'no number\n', '', '1\n2\n3\n'.repeat(100)]) {
      writeFileSync(path, text);
      const lock = acquired();
      expect(readFileSync(path, 'latin1')).toBe(`${process.pid}\n`);
      lock.release();
    }
  });

  it('is no obstacle when another program has the number now', () => {
    const args = [process.execPath, '-e', 'setInterval(() => {}, 1000)'] as const;
    for (const pid of [otherProcess('sleep', '1000'), otherProcess(...args)]) {
      writeFileSync(path, `${pid}\n`);
      acquired().release();
    }
  });

  it('leaves a file alone that somebody has put in its place', () => {
    const lock = acquired();
    renameSync(path, `${path}.old`);
    writeFileSync(path, 'of somebody else\n');
    lock.release();
    expect(readFileSync(path, 'latin1')).toBe('of somebody else\n');
  });

  it.runIf(isRoot || process.env.CI)('is emptied where it cannot be removed', async () => {
    const lock = acquired();
    await withoutPrivileges(async () => lock.release());
    expect(readFileSync(path, 'latin1')).toBe('');
    acquired().release();
  });

  it.runIf(isRoot || process.env.CI)('is no obstacle when another user left it', async () => {
    writeFileSync(path, '2147483647\n', { mode: 0o644 });
    chownSync(folder, nobody, nobody);
    await withoutPrivileges(async () => acquired().release());
    expect(existsSync(path)).toBe(false);
  });

  it('throws where it cannot be made, and never follows a link', async () => {
    symlinkSync('/etc/hostname', path);
    const before = readFileSync('/etc/hostname', 'latin1');
    if (functions.lockFile) expect(acquire).toThrow(/ELOOP/);
    else acquired().release();
    expect(readFileSync('/etc/hostname', 'latin1')).toBe(before);
    expect(() => ProcessLock.acquire({ path: '/nowhere/at/all', ...functions })).toThrow(/ENOENT/);
  });
});

it('a lock of another process is respected although it names nobody', async () => {
  writeFileSync(path, '');
  const isLocked = `${path}.taken`;
  otherProcess('flock', path, 'sh', '-c', 'touch "$0"; exec sleep 1000', isLocked);
  await until(() => existsSync(isLocked), 'the other process has the lock');
  expect(ProcessLock.acquire({ path, ...nativeLocks() })).toEqual({ holder: undefined });
});

describe('a data folder', () => {
  const lock = (at = folder) => lockDataFolder({ folder: at, ...nativeLocks() });

  it('is for one server, and the next is told who has it and what to do', () => {
    const first = lock();
    const again = () => lock();
    expect(again).toThrow(ConfigError);
    expect(again).toThrow(`the data folder ${folder} is in use by this very process; stop that`);
    const elsewhere = lock(join(folder, 'made', 'anew'));
    first?.release();
    elsewhere?.release();
    lock()?.release();
    expect(existsSync(join(folder, 'server.json.lock'))).toBe(false);
  });

  it('that cannot be written is nobody’s', async () => {
    chmodSync(folder, 0o555);
    await withoutPrivileges(async () => expect(lock()).toBeUndefined());
  });
});

describe('a process in a message', () => {
  it('comes with its program, but not with options, which may hold passwords', () => {
    const pid = otherProcess('sleep', '1000.5');
    expect(describeProcess(pid)).toBe(`process ${pid} (sleep)`);
    expect(describeProcess(process.ppid)).not.toContain(' -');
    expect(describeProcess(undefined)).toMatch(/did not leave its number/);
    expect(describeProcess(2_147_483_647)).toBe('process 2147483647');
  });
});
