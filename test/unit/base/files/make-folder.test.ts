import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../../../../src/base/files/make-folder.ts';
import { scratchFolder } from '../../../support/fifo.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());

describe('a folder', () => {
  it('is made with those above it, of which the uppermost is returned', () => {
    const upper = join(scratch.path, 'a');
    expect(makeFolder(join(upper, 'b', 'c'), 0o700)).toBe(upper);
    expect(statSync(join(upper, 'b', 'c')).mode & 0o777).toBe(0o700);
  });

  it('stays as it is when it is there', () => {
    const there = join(scratch.path, 'there');
    mkdirSync(there);
    expect(makeFolder(there)).toBeUndefined();
  });

  it('is refused below a file', () => {
    const file = join(scratch.path, 'file');
    writeFileSync(file, '');
    expect(() => makeFolder(join(file, 'x'))).toThrow('ENOTDIR');
  });

  // The recursive call of Node never comes back here.
  it.runIf(process.platform === 'linux')('is refused where the system makes none', () => {
    expect(() => makeFolder('/proc/none/x')).toThrow('ENOENT');
  });
});
