import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { loadNativeAddon, type NativeAddon } from '../../../src/base/native/native-addon.ts';
import { ClipDecoder } from '../../../src/clips/clip-decoder.ts';
import { ClipLibrary, maxDecodedFileBytes } from '../../../src/clips/clip-library.ts';
import { clipName } from '../../../src/clips/clip-name.ts';
import { FileCopier } from '../../../src/clips/file-copier.ts';
import { openDsp } from '../../../src/dsp/dsp.ts';
import { makeFifoAt } from '../../support/fifo.ts';
import { mountMemory, unmount } from '../../support/mounts.ts';
import { wavFile } from '../../support/pcm-fixtures.ts';
import {
  makeScratchFolder,
  removeScratchFolder,
  withoutPrivileges,
} from '../../support/scratch-folder.ts';

const bell = wavFile(Buffer.alloc(4800 * 4));
const loaded = loadNativeAddon();
const native: Partial<NativeAddon> = 'addon' in loaded ? loaded.addon : {};

let root: string;
let folder: string;
let library: ClipLibrary;
let changes: number;
beforeEach(() => {
  root = makeScratchFolder();
  folder = join(root, 'clips');
  mkdirSync(folder);
  changes = 0;
  library = libraryOf(folder);
});
afterEach(async () => {
  await library.close();
  removeScratchFolder(root);
});

function libraryOf(folder: string, limits: object = {}, program = '/usr/bin/ffmpeg'): ClipLibrary {
  return new ClipLibrary({
    folder,
    decoder: new ClipDecoder({ program }),
    copier: new FileCopier(native, () => ({
      zeroCopy: true,
      minBytes: 1,
      verify: true,
      chunkBytes: 1_000_000,
    })),
    dsp: () => openDsp(loaded),
    lockFile: native.lockFile,
    settings: () => ({
      maxClipBytes: 1_000_000,
      maxClips: 5,
      maxTotalBytes: 2_000_000,
      maxSeconds: 10,
      rawFormat: SampleFormat.parse('8000:8:1'),
      ...limits,
    }),
    onChange: () => (changes += 1),
  });
}

/** Sends `bytes` in two pieces. */
async function send(name: string, bytes: Uint8Array, options: object = {}): Promise<unknown> {
  const incoming = await library.begin(name, options);
  try {
    await incoming.append(bytes.subarray(0, 1000));
    await incoming.append(bytes.subarray(1000));
    return await incoming.finish();
  } finally {
    await incoming.discard();
  }
}

/** What lies in the folder, hidden or not. */
const files = () => readdirSync(folder).sort();
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
    writeFileSync(join(folder, 'long.wav'), '');
    truncateSync(join(folder, 'long.wav'), maxDecodedFileBytes + 1);
    await expect(library.open('long.wav')).rejects.toMatchObject({ code: 'clip-too-large' });
  });

  it('is not read before others are decoded, so that few are in memory', async () => {
    const program = join(root, 'ffmpeg');
    writeFileSync(program, `#!/bin/sh\necho $$ >> ${root}/running; exec sleep 1000\n`, {
      mode: 0o755,
    });
    const busy = libraryOf(folder, {}, program);
    writeFileSync(join(folder, 'bell.wav'), bell);
    const abort = new AbortController();
    const stopped = ['a.flac', 'b.flac', 'c.flac', 'd.flac'].map((name) => {
      writeFileSync(join(folder, name), `fLaC ${name}`);
      return busy.open(name, { signal: abort.signal }).catch(() => undefined);
    });
    await vi.waitFor(() => {
      expect(readFileSync(join(root, 'running'), 'utf8').split('\n')).toHaveLength(3);
    });
    let isOpen = false;
    const waiting = busy.open('bell.wav').then(() => {
      isOpen = true;
    });
    await library.open('bell.wav');
    expect(isOpen).toBe(false);
    abort.abort();
    await Promise.all([...stopped, waiting]);
    await busy.close();
  });
});

describe('what comes into the library', () => {
  it('is there when it is complete, with what is known of it', async () => {
    const incoming = await library.begin('bell.wav');
    await incoming.append(bell);
    expect(await library.list()).toEqual([]);
    expect(await incoming.finish()).toMatchObject({
      name: 'bell.wav',
      bytes: bell.length,
      facts: { durationMs: 100, rateHz: 48_000, channels: 2 },
    });
    await incoming.discard();
    expect(files()).toEqual(['.bell.wav.clip', 'bell.wav']);
    expect(changes).toBe(1);
  });

  it('makes the folder', async () => {
    removeScratchFolder(folder);
    await send('bell.wav', bell);
    expect(await names()).toEqual(['bell.wav']);
  });

  it('leaves nothing when it is given up', async () => {
    const incoming = await library.begin('bell.wav');
    await incoming.append(bell);
    expect(files()).toHaveLength(1);
    await incoming.discard();
    expect(files()).toEqual([]);
  });

  it('leaves nothing when the library is closed', async () => {
    const incoming = await library.begin('bell.wav');
    await incoming.append(bell);
    await library.close();
    expect(files()).toEqual([]);
    await expect(library.begin('bell.wav')).rejects.toMatchObject({ code: 'closing' });
  });

  it('takes the place of another only when it shall', async () => {
    await send('bell.wav', bell);
    await expect(send('bell.wav', bell)).rejects.toMatchObject({ code: 'exists' });
    const longer = wavFile(Buffer.alloc(9600 * 4));
    await send('bell.wav', longer, { replace: true });
    expect(await library.get('bell.wav')).toMatchObject({ facts: { durationMs: 200 } });
  });

  it('is one of two that are sent under one name at one time', async () => {
    const [first, second] = await Promise.allSettled([
      send('bell.wav', bell),
      send('bell.wav', bell),
    ]);
    expect([first?.status, second?.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(await names()).toEqual(['bell.wav']);
  });

  it('is refused when it is no sound, and leaves nothing', async () => {
    const page = Buffer.from('<!DOCTYPE html><title>No</title>'.padEnd(2000));
    await expect(send('bell.wav', page)).rejects.toMatchObject({ code: 'bad-clip' });
    expect(files()).toEqual([]);
  });

  it('is refused when it is too large, at once or when it becomes so', async () => {
    const early = library.begin('long.wav', { bytes: 1_000_001 });
    await expect(early).rejects.toMatchObject({ code: 'clip-too-large' });
    const long = wavFile(Buffer.alloc(1_000_000));
    await expect(send('long.wav', long)).rejects.toMatchObject({ code: 'clip-too-large' });
    expect(files()).toEqual([]);
  });

  it('is refused when the library is full of clips, or of bytes', async () => {
    for (const name of ['1', '2', '3', '4', '5']) await send(`${name}.wav`, bell);
    await expect(send('6.wav', bell)).rejects.toMatchObject({ code: 'library-full' });
    await send('5.wav', bell, { replace: true });
    library = libraryOf(folder, { maxTotalBytes: 5.5 * bell.length, maxClips: 10 });
    await expect(send('6.wav', bell)).rejects.toMatchObject({ code: 'library-full' });
    expect(files()).toHaveLength(10);
  });

  it('is refused when too much comes in at one time', async () => {
    const incoming = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => library.begin(`${n}.wav`)),
    );
    await expect(library.begin('9.wav')).rejects.toMatchObject({ code: 'busy' });
    for (const one of incoming) await one.discard();
    await send('9.wav', bell);
  });

  it('is refused when too much begins to come in at one time', async () => {
    const beginnings = Array.from({ length: 20 }, (_, n) => library.begin(`${n}.wav`));
    const begun = await Promise.allSettled(beginnings);
    const incoming = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(incoming).toHaveLength(8);
    for (const one of incoming) await one.discard();
    await send('9.wav', bell);
  });

  it('is copied from a file', async () => {
    const path = join(root, 'source.wav');
    writeFileSync(path, bell);
    const file = await open(path);
    const progress: number[] = [];
    await library.copyIn(file, 'bell.wav', { onProgress: (bytes) => progress.push(bytes) });
    await file.close();
    expect((await readFile(join(folder, 'bell.wav'))).equals(bell)).toBe(true);
    expect(progress.at(-1)).toBe(bell.length);
  });

  it('leaves nothing on a full disk, and says so', async ({ skip }) => {
    const small = join(root, 'small');
    if (!mountMemory(small, 100_000)) return skip('no file system can be mounted');
    try {
      library = libraryOf(small);
      const noise = wavFile(randomBytes(200_000));
      await expect(send('noise.wav', noise)).rejects.toMatchObject({ code: 'disk-full' });
      expect(readdirSync(small)).toEqual([]);
    } finally {
      await library.close();
      unmount(small);
    }
  });

  it('is refused by a folder that cannot be written, which is read all the same', async () => {
    writeFileSync(join(folder, 'bell.wav'), bell);
    await withoutPrivileges(async () => {
      await expect(send('other.wav', bell)).rejects.toMatchObject({
        code: 'folder-fault',
        message: 'the folder of clips cannot be used: EACCES',
      });
      expect(await library.get('bell.wav')).toMatchObject({ facts: { durationMs: 100 } });
    });
  });

  it('leaves nothing for long when its process is killed', async () => {
    const program = `
      import { IncomingFile } from ${JSON.stringify(join(import.meta.dirname, '../../../src/clips/incoming-file.ts'))};
      import { loadNativeAddon } from ${JSON.stringify(join(import.meta.dirname, '../../../src/base/native/native-addon.ts'))};
      const file = await IncomingFile.create(${JSON.stringify(folder)}, loadNativeAddon().addon?.lockFile);
      await file.append(Buffer.alloc(1000));
      console.log('there');
      setInterval(() => {}, 1000);`;
    const script = join(root, 'holder.mts');
    writeFileSync(script, program);
    const tsx = join(import.meta.dirname, '../../../node_modules/tsx/dist/esm/index.mjs');
    const child = spawn(process.execPath, ['--import', tsx, script]);
    await once(child.stdout, 'data');
    expect(files()).toHaveLength(1);
    if (native.lockFile) {
      // While it lives, nobody takes its file away.
      await libraryOf(folder).list();
      expect(files()).toHaveLength(1);
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    const left = files()[0] ?? '';
    if (!native.lockFile) utimesSync(join(folder, left), 0, 0);
    writeFileSync(join(folder, '.gone.wav.clip'), '{}');
    await library.list();
    expect(files()).toEqual([]);
  });
});

describe('a clip', () => {
  it('is renamed, and keeps what is known of it', async () => {
    await send('bell.wav', bell);
    expect(await library.rename('bell.wav', 'door.wav')).toMatchObject({
      name: 'door.wav',
      facts: { durationMs: 100 },
    });
    expect(files()).toEqual(['.door.wav.clip', 'door.wav']);
  });

  it('is not renamed over another', async () => {
    await send('bell.wav', bell);
    await send('door.wav', bell);
    const renaming = library.rename('bell.wav', 'door.wav');
    await expect(renaming).rejects.toMatchObject({ code: 'exists' });
    await expect(library.rename('bell.wav', '../x')).rejects.toMatchObject({ code: 'bad-name' });
    await expect(library.rename('no.wav', 'x')).rejects.toMatchObject({ code: 'unknown-clip' });
  });

  it('is never renamed over what another process has put there at the same moment', async () => {
    await send('bell.wav', bell);
    const other = wavFile(Buffer.alloc(9600 * 4));
    const results = new Set<string>();
    for (let turn = 0; turn < 200; turn += 1) {
      const renaming = library.rename('bell.wav', 'door.wav').then(
        () => 'renamed',
        (error: { readonly code: string }) => error.code,
      );
      // Between any two steps of the library, and behind them all.
      for (let step = turn % 20; step > 0; step -= 1) await new Promise(setImmediate);
      if (turn % 20 === 19) await renaming;
      let isOther = true;
      try {
        writeFileSync(join(folder, 'door.wav'), other, { flag: 'wx' });
      } catch {
        isOther = false;
      }
      const result = await renaming;
      results.add(result);
      expect(result).toBe(isOther ? 'exists' : 'renamed');
      expect(readFileSync(join(folder, 'door.wav')).equals(isOther ? other : bell)).toBe(true);
      expect(files().includes('bell.wav')).toBe(isOther);
      rmSync(join(folder, 'door.wav'));
      writeFileSync(join(folder, 'bell.wav'), bell);
    }
    expect([...results].sort()).toEqual(['exists', 'renamed']);
  });

  it('is removed with what is known of it', async () => {
    await send('bell.wav', bell);
    await library.remove('bell.wav');
    expect(files()).toEqual([]);
    await expect(library.remove('bell.wav')).rejects.toMatchObject({ code: 'unknown-clip' });
  });

  it('has a loudness, integrated or that of its loudest moment, and none when it is silent', async () => {
    // A sine of 997 Hz with 0 dBFS on one channel of two has -3.01 LUFS (BS.1770-4, 3.1).
    const tone = (ms: number) => {
      const samples = new Int16Array(96 * ms);
      for (let at = 0; at < samples.length; at += 2) {
        samples[at] = 32_767 * Math.sin((Math.PI * 997 * at) / 48_000);
      }
      return wavFile(Buffer.from(samples.buffer));
    };
    await send('long.wav', tone(1000));
    await send('short.wav', tone(200));
    await send('silent.wav', bell);
    expect((await library.get('silent.wav')).facts).not.toHaveProperty('loudnessLufs');
    const loudness = async (name: string) => {
      const { facts } = await library.get(name);
      return facts && 'loudnessLufs' in facts ? facts.loudnessLufs : undefined;
    };
    expect(await loudness('long.wav')).toBeCloseTo(-3, 0);
    expect(await loudness('short.wav')).toBeCloseTo(-3, 0);
  });

  it('shows the waveform in 200 columns', async () => {
    const samples = Int16Array.from({ length: 2 * 4000 }, (_, at) => (at < 4000 ? 0 : 32_767));
    samples[0] = -32_768;
    await send('step.wav', wavFile(Buffer.from(samples.buffer)));
    const { facts } = await library.get('step.wav');
    const waveform = facts && 'waveform' in facts ? facts.waveform : [];
    expect(waveform).toHaveLength(400);
    expect(waveform.slice(0, 4)).toEqual([-127, 0, 0, 0]);
    expect(waveform.slice(-2)).toEqual([127, 127]);
  });

  it('that another program has put there is looked at', async () => {
    writeFileSync(join(folder, 'bell.wav'), bell);
    writeFileSync(join(folder, 'page.wav'), '<!DOCTYPE html><title>No</title>');
    const [clip] = await library.list();
    expect(clip?.facts).toBeUndefined();
    await library.settled();
    expect(await library.list()).toMatchObject([
      { facts: { durationMs: 100 } },
      { facts: { code: 'bad-clip', fault: expect.stringContaining('a web page') } },
    ]);
  });

  it('that comes after all others were looked at is looked at, too', async () => {
    for (const name of ['bell.wav', 'late.wav']) {
      writeFileSync(join(folder, name), bell);
      await library.settled();
      const clips = await library.list();
      expect(clips.map(({ facts }) => facts)).toEqual(
        clips.map(() => expect.objectContaining({ durationMs: 100 })),
      );
    }
  });

  it('is looked at again when it was changed', async () => {
    await send('bell.wav', bell);
    writeFileSync(join(folder, 'bell.wav'), wavFile(Buffer.alloc(9600 * 4)));
    expect(await library.get('bell.wav')).toMatchObject({ facts: { durationMs: 200 } });
  });

  it.each([
    ['no JSON', (_: string) => '{"version":'],
    ['about another version', (text: string) => text.replace('"version":1', '"version":0')],
    ['about other bytes', (text: string) => text.replace(/"bytes":\d+/, '"bytes":1')],
    ['without a duration', (text: string) => text.replace(/"durationMs":\d+/, '"durationMs":-1')],
    ['with half a waveform', (text: string) => text.replace(/"waveform":\[0,0,/, '"waveform":[')],
    ['with a loud waveform', (text: string) => text.replace('[0,', '[128,')],
    ['endless', (text: string) => text.padEnd(1_000_000)],
  ])('does not believe what lies beside it if that is %s', async (_, forge) => {
    await send('bell.wav', bell);
    const path = join(folder, '.bell.wav.clip');
    const text = readFileSync(path, 'utf8');
    const forged = forge(text);
    expect(forged).not.toBe(text);
    writeFileSync(path, forged);
    const other = libraryOf(folder);
    expect((await other.list())[0]?.facts).toBeUndefined();
    await other.settled();
    expect((await other.list())[0]?.facts).toMatchObject({ durationMs: 100 });
    expect(readFileSync(path, 'utf8')).toBe(text);
  });
});
