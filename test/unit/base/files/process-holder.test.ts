import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeProcess, programOf } from '../../../../src/base/files/process-holder.ts';
import { ProcessTable } from '../../../../src/doctor/process-table.ts';
import { systemWith } from '../../../support/doctor-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const server = { name: 'zerocast', server: 'zerocast' };

describe('a process', () => {
  it.each([
    [['node', 'dist/main.js', '-c', 'x.conf'], root],
    [['/usr/bin/node', '--max-semi-space-size=1', 'main.js'], join(root, 'dist')],
    [['nodejs', '../dist/main.js'], join(root, 'config')],
    [['node', join(root, 'dist', 'main.js')], '/'],
    [['node', join(root, 'dist', 'main.js')], undefined],
    [['node', '/usr/bin/zerocast', '-d'], '/'],
    [['node', 'dist/main.js'], '/opt/zerocast'],
  ])('with the arguments %j in %s is our server', (argv, folder) => {
    expect(programOf({ argv, folder })).toEqual(server);
  });

  it.each([
    [['node', 'dist/main.js'], '/opt/other'],
    [['node', 'dist/main.js'], undefined],
    [['node'], root],
    [['vi', 'dist/main.js'], root],
    [['node', 'dist/main.js', 'doctor'], root],
  ])('with the arguments %j in %s is none', (argv, folder) => {
    expect(programOf({ argv, folder }).server).toBeUndefined();
  });
});

describe('the system', () => {
  let folder: string;
  beforeEach(() => {
    folder = makeScratchFolder();
  });
  afterEach(() => removeScratchFolder(folder));

  it('shows the doctor a server that was started by a relative path', () => {
    const files = systemWith(folder, {
      '/proc/77/cmdline': 'node\0dist/main.js\0-c\0config/zerocast.conf\0',
      '/proc/77/comm': 'node',
      '/proc/77/status': 'PPid:\t7\nUid:\t5\t5\t5\t5\n',
    });
    symlinkSync(root, join(folder, 'proc/77/cwd'));
    expect(new ProcessTable(files).servers).toEqual([{ pid: 77, parentPid: 7, uid: 5, ...server }]);
  });

  it('names one that holds a lock', async () => {
    const place = join(folder, 'zerocast');
    mkdirSync(place);
    writeFileSync(join(place, 'main.js'), 'process.stdout.write("x"); setInterval(() => {}, 1e6);');
    const child = spawn(process.execPath, ['main.js'], {
      cwd: place,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(child.stdout, 'data');
      expect(describeProcess(child.pid)).toBe(`process ${child.pid} (zerocast)`);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });
});
