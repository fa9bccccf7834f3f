import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { LogRotation } from '../../../../src/app/daemon/log-rotation.ts';
import { Log } from '../../../../src/log/log.ts';
import { makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';

let folder: string;
beforeEach(() => {
  folder = makeScratchFolder();
});
afterEach(() => {
  process.removeAllListeners('SIGUSR1');
  removeScratchFolder(folder);
});

/** Sends SIGUSR1 to this process, which listens already. */
async function rotate(): Promise<void> {
  const arrived = once(process, 'SIGUSR1');
  process.kill(process.pid, 'SIGUSR1');
  await arrived;
}

it('SIGUSR1 opens the log file anew, as soon as there is one and as often as it comes', async () => {
  const rotation = new LogRotation();
  await rotate();
  const path = join(folder, 'log');
  const log = new Log({ format: 'text', sink: `file:${path}`, filter: ['*:info'] });
  onTestFinished(() => log.close());
  rotation.use(log);
  log.logger.info('before');
  renameSync(path, `${path}.1`);
  await rotate();
  log.logger.info('after');
  await log.close();
  expect(readFileSync(`${path}.1`, 'utf8')).toMatch(/before\n$/);
  expect(readFileSync(path, 'utf8')).toMatch(
    /^\S+ \S+ \[Info\] \(Log\) log file opened anew\n.*after\n$/,
  );
});

it('SIGUSR1 leaves the log in use when no file can be opened in its place', async () => {
  const rotation = new LogRotation();
  const path = join(folder, 'log');
  const log = new Log({ format: 'text', sink: `file:${path}`, filter: ['*:info'] });
  rotation.use(log);
  renameSync(path, `${path}.1`);
  mkdirSync(path);
  await rotate();
  log.logger.info('after');
  await log.close();
  expect(readFileSync(`${path}.1`, 'utf8')).toMatch(
    /\[Error\] \(Log\) the log file cannot be opened anew, .* reason="EISDIR.* remedy="make .*\n.*after\n$/,
  );
});
