import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadNativeAddon, type NativeAddon } from '../../../src/base/native/native-addon.ts';
import { type CopySettings, FileCopier } from '../../../src/clips/file-copier.ts';
import { mountMemory, mountSharing, unmount } from '../../support/mounts.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

const mebibyte = 1024 * 1024;
const content = randomBytes(5 * mebibyte + 7);
const loaded = loadNativeAddon();
const native: Partial<NativeAddon> = 'addon' in loaded ? loaded.addon : {};
const hasNative = 'copyRange' in native;

let folder: string;
const opened: FileHandle[] = [];
beforeAll(() => {
  folder = makeScratchFolder();
});
afterAll(() => removeScratchFolder(folder));
afterEach(async () => {
  for (const file of opened.splice(0)) await file.close();
});

let settings: CopySettings;
beforeEach(() => {
  settings = { zeroCopy: true, minBytes: mebibyte, verify: false, chunkBytes: mebibyte };
});

async function source(bytes: Uint8Array = content): Promise<FileHandle> {
  const path = join(folder, 'source');
  writeFileSync(path, bytes);
  const file = await open(path, 'r+');
  opened.push(file);
  return file;
}

let targets = 0;
async function target(at = folder): Promise<FileHandle> {
  targets += 1;
  const file = await open(join(at, `target-${targets}`), 'wx+');
  opened.push(file);
  return file;
}

/** What lies in the file that was made last. */
const copied = (at = folder) => readFile(join(at, `target-${targets}`));
const copier = (functions: object = native) => new FileCopier(functions, () => settings);

describe('the copier of files', () => {
  it.each([0, 1, mebibyte, 3 * mebibyte + 1])(
    'reads and writes a file of %i bytes',
    async (bytes) => {
      const part = content.subarray(0, bytes);
      const report = await copier({}).copy(await source(part), await target());
      expect(report).toMatchObject({ way: 'read_write', bytes, fallbacks: [] });
      expect((await copied()).equals(part)).toBe(true);
    },
  );

  it.runIf(hasNative)('copies within the kernel, and tells how far it is', async () => {
    const progress: number[] = [];
    const copying = copier();
    const report = await copying.copy(await source(), await target(), {
      onProgress: (bytes, totalBytes) => progress.push(bytes / totalBytes),
      verify: true,
    });
    expect(['reflink', 'copy_file_range', 'sendfile']).toContain(report.way);
    expect((await copied()).equals(content)).toBe(true);
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(copying.statistics.figures).toMatchObject({ bytes: content.length, zeroCopyShare: 1 });
  });

  it.each([
    ['it is switched off', { zeroCopy: false }],
    ['the file is small', { minBytes: content.length + 1 }],
  ])('reads and writes when %s', async (_, change) => {
    settings = { ...settings, ...change };
    const report = await copier().copy(await source(), await target());
    expect(report).toMatchObject({ way: 'read_write', fallbacks: [] });
    expect((await copied()).equals(content)).toBe(true);
  });

  it('takes the next way when one is refused, also in the middle, and asks only once', async () => {
    let calls = 0;
    const refusing = {
      cloneFile: async () => -95, // EOPNOTSUPP
      copyRange: async () => {
        calls += 1;
        return calls === 1 ? mebibyte : -18; // EXDEV
      },
    };
    const copying = copier(refusing);
    const report = await copying.copy(await source(), await target());
    expect(report.way).toBe('read_write');
    expect(report.fallbacks).toEqual([
      { way: 'reflink', reason: expect.stringMatching(/^E(OPNOT|NOT)SUP/) },
      { way: 'copy_file_range', reason: 'EXDEV' },
    ]);
    expect((await copied()).equals(content)).toBe(true);
    expect((await copying.copy(await source(), await target())).fallbacks).toEqual([]);
    expect(calls).toBe(2);
    expect(copying.statistics.figures).toMatchObject({ zeroCopyShare: 0, failures: 0 });
  });

  it('fails when the system says more than that', async () => {
    const failing = copier({ copyRange: async () => -5 });
    await expect(failing.copy(await source(), await target())).rejects.toMatchObject({
      code: 'EIO',
    });
    expect(failing.statistics.figures.failures).toBe(1);
  });

  it.each([
    ['within the kernel', () => native],
    ['by reading and writing', () => ({})],
  ])('notices that the file is changed while it is copied %s', async (_, functions) => {
    const from = await source();
    const copying = copier(functions()).copy(from, await target(), {
      onProgress: () => void from.write('x', 0),
    });
    await expect(copying).rejects.toMatchObject({ code: 'source-changed' });
  });

  it('notices that the file is cut short while it is copied', async () => {
    const from = await source();
    const copying = copier({}).copy(from, await target(), {
      onProgress: () => void from.truncate(mebibyte),
    });
    await expect(copying).rejects.toMatchObject({ code: 'source-changed' });
  });

  it('finds a copy that differs, if it is asked to look', async () => {
    // What a broken disk might do.
    const faulty = async (_from: number, _to: number, _at: number, bytes: number) => bytes;
    const blank = await target();
    await blank.truncate(content.length);
    const copying = copier({ copyRange: faulty });
    const verified = copying.copy(await source(), blank, { verify: true });
    await expect(verified).rejects.toMatchObject({ code: 'copy-differs' });
    const short = copying.copy(await source(), await target());
    await expect(short).rejects.toMatchObject({ code: 'copy-differs' });
    expect(copying.statistics.figures).toMatchObject({ failures: 2, verificationFailures: 2 });
  });

  it.each([
    ['within the kernel', () => native],
    ['by reading and writing', () => ({})],
  ])('stops when it is told to, %s', async (_, functions) => {
    const abort = new AbortController();
    const copying = copier(functions()).copy(await source(), await target(), {
      signal: abort.signal,
      onProgress: () => abort.abort(new Error('enough')),
    });
    await expect(copying).rejects.toThrow('enough');
  });
});

describe('on file systems of their own', () => {
  const sharing = join(mkdtempSync('/tmp/zerocast-mounts-'), 'sharing');
  const memory = join(sharing, '..', 'memory');
  let canShare = false;
  let canFill = false;
  beforeAll(() => {
    canShare = hasNative && mountSharing(sharing);
    canFill = mountMemory(memory, 2 * mebibyte);
  });
  afterAll(() => {
    if (canShare) unmount(sharing);
    if (canFill) unmount(memory);
    rmSync(join(sharing, '..'), { recursive: true, force: true });
  });

  it('shares blocks where that is possible', async ({ skip }) => {
    if (!canShare) return skip('there is no btrfs here');
    writeFileSync(join(sharing, 'source'), content);
    const from = await open(join(sharing, 'source'));
    opened.push(from);
    const report = await copier().copy(from, await target(sharing), { verify: true });
    expect(report).toMatchObject({ way: 'reflink', fallbacks: [] });
    expect((await copied(sharing)).equals(content)).toBe(true);
  });

  it('gets over the border of two file systems', async ({ skip }) => {
    if (!canShare) return skip('there is no btrfs here');
    const report = await copier().copy(await source(), await target(sharing), { verify: true });
    expect(report).toMatchObject({
      way: 'sendfile',
      fallbacks: [
        { way: 'reflink', reason: 'EXDEV' },
        { way: 'copy_file_range', reason: 'EXDEV' },
      ],
    });
  });

  it.each([
    ['within the kernel', () => native],
    ['by reading and writing', () => ({})],
  ])('says that the disk is full, %s', async (_, functions) => {
    if (!canFill) return;
    const copying = copier(functions()).copy(await source(), await target(memory));
    await expect(copying).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
