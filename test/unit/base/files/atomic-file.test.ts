import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fileModes,
  removeTemporaries,
  writeFileAtomically,
} from '../../../../src/base/files/atomic-file.ts';
import {
  makeScratchFolder,
  removeScratchFolder,
  withoutPrivileges,
} from '../../../support/scratch-folder.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = makeScratchFolder();
  path = join(folder, 'file');
});
afterEach(() => removeScratchFolder(folder));

describe('an atomic write', () => {
  it('makes a file that everybody may read, and nothing beside it', async () => {
    await writeFileAtomically(path, 'Küche');
    expect(readFileSync(path, 'utf8')).toBe('Küche');
    expect(statSync(path).mode & 0o777).toBe(0o644 & ~process.umask());
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('makes a file that nobody else may read, when that is wanted', async () => {
    await writeFileAtomically(path, 'secret', fileModes.private);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('replaces the file instead of changing it', async () => {
    writeFileSync(path, 'the old text is longer');
    const { ino } = statSync(path);
    await writeFileAtomically(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(ino);
  });

  it('writes piece by piece, with the old text in place until the end', async () => {
    writeFileSync(path, 'old');
    let turns = 0;
    const seen: number[] = [];
    const count = setInterval(() => {
      turns += 1;
    }, 0);
    function* pieces() {
      for (let piece = 0; piece < 100; piece += 1) {
        seen.push(turns);
        expect(readFileSync(path, 'utf8')).toBe('old');
        yield `${piece} `.repeat(5000);
      }
    }
    await writeFileAtomically(path, pieces());
    clearInterval(count);
    expect(readFileSync(path, 'utf8')).toHaveLength((10 * 2 + 90 * 3) * 5000);
    expect(new Set(seen).size).toBeGreaterThan(2);
  });

  it.each([
    ['that is not there', () => join(folder, 'missing', 'file'), 'ENOENT'],
    ['whose name is a folder', () => folder, 'EISDIR'],
  ])('is refused to a path %s', async (_, target, code) => {
    writeFileSync(path, 'old');
    await expect(writeFileAtomically(target(), 'new')).rejects.toThrow(code);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('leaves the old file whole when it fails in the middle, and no temporary', async () => {
    writeFileSync(path, 'old');
    function* pieces() {
      yield 'new';
      throw new Error('no more');
    }
    await expect(writeFileAtomically(path, pieces())).rejects.toThrow('no more');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('fails when the folder does not allow it, and goes on when it does', async () => {
    writeFileSync(path, 'old');
    chmodSync(folder, 0o555);
    await withoutPrivileges(async () => {
      await expect(writeFileAtomically(path, 'new')).rejects.toThrow('EACCES');
    });
    expect(readFileSync(path, 'utf8')).toBe('old');
    chmodSync(folder, 0o777);
    await withoutPrivileges(() => writeFileAtomically(path, 'new'));
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('is not held up by what lies where a temporary could be guessed to be', async () => {
    const guessed = `.file.${process.pid}.tmp`;
    execFileSync('mkfifo', [join(folder, guessed)]);
    await writeFileAtomically(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(folder).sort()).toEqual([guessed, 'file']);
  });

  it('takes another name each time', async () => {
    const names = new Set<string>();
    function* pieces() {
      for (const name of readdirSync(folder)) names.add(name);
      yield 'new';
    }
    for (let write = 0; write < 3; write += 1) await writeFileAtomically(path, pieces());
    names.delete('file');
    expect(names.size).toBe(3);
  });
});

it('removes temporaries of killed processes, and nothing else', async () => {
  const others = [
    'file',
    'file.1.tmp',
    '.file.tmp',
    '.file.x.tmp',
    '.file.1.tmp.bak',
    '.filex.1.tmp',
  ];
  const left = ['.file.1.tmp', '.file.4194304.tmp', '.file.0123456789abcdef.tmp'];
  for (const name of [...others, ...left]) writeFileSync(join(folder, name), 'x');
  execFileSync('mkfifo', [join(folder, '.file.3.tmp')]);
  mkdirSync(join(folder, '.file.2.tmp'));
  await removeTemporaries(path);
  expect(readdirSync(folder).sort()).toEqual([...others, '.file.2.tmp'].sort());
  await removeTemporaries(join(folder, 'missing', 'file'));
});
