import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { ClipDecoder } from '../../../src/clips/clip-decoder.ts';
import { ClipLibrary } from '../../../src/clips/clip-library.ts';
import { clipName } from '../../../src/clips/clip-name.ts';
import { makeFifoAt } from '../../support/fifo.ts';
import { wavFile } from '../../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

const bell = wavFile(Buffer.alloc(4800 * 4));

let root: string;
let folder: string;
let library: ClipLibrary;
beforeEach(() => {
  root = makeScratchFolder();
  folder = join(root, 'clips');
  mkdirSync(folder);
  library = new ClipLibrary({
    folder,
    decoder: new ClipDecoder(),
    settings: () => ({
      maxClipBytes: 1_000_000,
      maxSeconds: 10,
      rawFormat: SampleFormat.parse('8000:8:1'),
    }),
  });
});
afterEach(() => removeScratchFolder(root));

const names = async () => (await library.list()).map(({ name }) => name);

describe('the library of clips', () => {
  it('is empty without a folder', async () => {
    removeScratchFolder(folder);
    expect(await library.list()).toEqual([]);
  });

  it('lists files by their names, and nothing that is hidden or no file', async () => {
    for (const name of ['b.wav', 'a.mp3', '.hidden.wav', 'new\nline.wav']) {
      writeFileSync(join(folder, name), bell);
    }
    mkdirSync(join(folder, 'folder'));
    symlinkSync('b.wav', join(folder, 'link.wav'));
    expect(await names()).toEqual(['a.mp3', 'b.wav']);
    expect((await library.list())[1]).toMatchObject({ bytes: bell.length });
  });

  it('opens a clip', async () => {
    writeFileSync(join(folder, 'bell.wav'), bell);
    expect(await library.open('bell.wav')).toMatchObject({ durationMs: 100, channels: 2 });
  });

  it('takes a file without a header for what the settings say', async () => {
    writeFileSync(join(folder, 'beep.raw'), Buffer.alloc(800));
    expect(await library.open('beep.raw')).toMatchObject({ durationMs: 100, channels: 1 });
  });

  it('knows a name however its letters are put together', async () => {
    writeFileSync(join(folder, 'Gru\u0308n.wav'), bell);
    expect(await names()).toEqual(['Gr\u00fcn.wav']);
    expect(await library.open('Gr\u00fcn.wav')).toMatchObject({ durationMs: 100 });
    expect(await library.open('Gru\u0308n.wav')).toMatchObject({ durationMs: 100 });
  });

  it.each([
    ['../secret.wav', /a path/],
    ['a\\b.wav', /a path/],
    ['..', /begins with a dot/],
    ['.bell.wav', /begins with a dot/],
    ['', /empty/],
    [' bell.wav', /blank/],
    ['bell\0.wav', /cannot be shown/],
    ['bell\u202evaw', /cannot be shown/],
    ['bell\ud800', /cannot be shown/],
    ['ö'.repeat(101), /longer than 200 bytes/],
  ])('refuses the name %j', async (name, message) => {
    await expect(library.open(name)).rejects.toMatchObject({
      code: 'bad-name',
      message: expect.stringMatching(message),
    });
  });

  it('takes a name of 200 bytes', () => {
    expect(clipName('ö'.repeat(100))).toBe('ö'.repeat(100));
  });

  it('follows no link and waits for no fifo', async () => {
    writeFileSync(join(root, 'outside.wav'), bell);
    symlinkSync('../outside.wav', join(folder, 'link.wav'));
    makeFifoAt(join(folder, 'fifo.wav'));
    for (const name of ['link.wav', 'fifo.wav', 'none.wav']) {
      await expect(library.open(name)).rejects.toMatchObject({ code: 'unknown-clip' });
    }
  });

  it('opens nothing that is too large', async () => {
    writeFileSync(join(folder, 'long.wav'), wavFile(Buffer.alloc(1_000_000)));
    await expect(library.open('long.wav')).rejects.toMatchObject({ code: 'clip-too-large' });
  });
});
