import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPidFile } from '../../../../src/app/daemon/pid-file.ts';
import { nativeLocks } from '../../../../src/base/files/process-lock.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';

const nobody = { uid: 65_534, gid: 65_534 };
let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(() => removeScratchFolder(folder));

describe('the pid file', () => {
  it('is made with its folder, names this process and goes in the end', () => {
    const path = join(folder, 'run', 'deep', 'pid');
    const lock = openPidFile({ path, ...nativeLocks() });
    expect(readFileSync(path, 'latin1')).toBe(`${process.pid}\n`);
    lock.release();
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  it.skipIf(!isRoot)('belongs to the user of the server, with its folder if that is new', () => {
    const made = join(folder, 'made');
    const present = join(folder, 'present');
    mkdirSync(present);
    for (const place of [made, present]) {
      const path = join(place, 'pid');
      const lock = openPidFile({ path, owner: nobody, ...nativeLocks() });
      expect(statSync(path)).toMatchObject(nobody);
      lock.release();
    }
    expect(statSync(made)).toMatchObject(nobody);
    expect(statSync(present)).toMatchObject({ uid: 0, gid: 0 });
  });

  it('of a server that runs is told with who that is', () => {
    const path = join(folder, 'pid');
    const lock = openPidFile({ path, ...nativeLocks() });
    expect(() => openPidFile({ path, ...nativeLocks() })).toThrow(
      expect.objectContaining({
        code: 'already-running',
        message: `the server is already running: this very process holds ${path}`,
      }),
    );
    lock.release();
  });

  it('that cannot be made is a fault of the configuration', () => {
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file', 'pid');
    expect(() => openPidFile({ path, ...nativeLocks() })).toThrow(
      expect.objectContaining({
        code: 'bad-pid-file',
        message: expect.stringMatching(/ENOTDIR.*; fix \[server\] pidfile$/),
        cause: expect.objectContaining({ code: 'ENOTDIR' }),
      }),
    );
  });
});
