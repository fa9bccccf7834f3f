import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { maxCachedBytes } from '../../../src/clips/clip-cache.ts';
import { ClipDecoder } from '../../../src/clips/clip-decoder.ts';
import { ClipError } from '../../../src/clips/clip-error.ts';
import { mutationsOf } from '../../support/hostile-values.ts';
import { asRifx, longWavFile, wavFile } from '../../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

const ffmpeg = '/usr/bin/ffmpeg';
const hasDecoder = existsSync(ffmpeg);
const options = { maxSeconds: 10 };

let folder: string;
let decoder: ClipDecoder;
beforeEach(() => {
  folder = makeScratchFolder();
  decoder = new ClipDecoder();
  // Where others leave nothing.
  vi.stubEnv('TMPDIR', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await decoder.close();
  removeScratchFolder(folder);
});

function refusal(bytes: Uint8Array, more: object = {}): Promise<unknown> {
  return decoder.decode(bytes, { ...options, ...more }).then(
    () => 'decoded',
    (error: unknown) => error,
  );
}

/** The values -1, 0 and about 0.5, in both channels, as each encoding stores them. */
const encodings: readonly (readonly [string, Buffer])[] = [
  ['8 bits', wavFile(Buffer.from([0, 0, 128, 128, 192, 192]), { bits: 8 })],
  ['16 bits', wavFile(ints(2, [-32_768, 0, 16_384]))],
  ['16 bits, big-endian', asRifx(wavFile(ints(2, [-32_768, 0, 16_384]).swap16()))],
  ['24 bits', wavFile(ints(3, [-8_388_608, 0, 4_194_304]), { bits: 24 })],
  ['24 bits, extensible', wavFile(ints(3, [-8_388_608, 0, 4_194_304]), { bits: 24, subFormat: 1 })],
  ['32 bits', wavFile(ints(4, [-2_147_483_648, 0, 1_073_741_824]), { bits: 32 })],
  ['floats', wavFile(floats([-1, 0, 0.5]), { bits: 32, tag: 3 })],
  ['floats, extensible', wavFile(floats([-1, 0, 0.5]), { bits: 32, subFormat: 3 })],
  ['RF64', longWavFile('RF64', ints(2, [-32_768, 0, 16_384]))],
];

function ints(sampleBytes: number, values: readonly number[]): Buffer {
  const both = values.flatMap((value) => [value, value]);
  const buffer = Buffer.alloc(both.length * sampleBytes);
  for (const [index, value] of both.entries()) {
    buffer.writeIntLE(value, index * sampleBytes, sampleBytes);
  }
  return buffer;
}

function floats(values: readonly number[]): Buffer {
  return Buffer.from(Float32Array.from(values.flatMap((value) => [value, value])).buffer);
}

/** One second of a tone of half of full scale, mono. */
function toneFile(): string {
  const samples = Int16Array.from({ length: 44_100 }, (_, at) => 16_384 * Math.sin(at / 20));
  const path = join(folder, 'tone.wav');
  writeFileSync(path, wavFile(Buffer.from(samples.buffer), { rateHz: 44_100, channels: 1 }));
  return path;
}

function encodedBy(...args: readonly string[]): Buffer {
  const path = join(folder, 'encoded');
  execFileSync(ffmpeg, ['-v', 'error', '-y', '-i', toneFile(), ...args, path]);
  return readFileSync(path);
}

describe('the decoder of clips', () => {
  it.each(encodings)('reads WAV with %s', async (_, file) => {
    const audio = await decoder.decode(file, options);
    expect(audio).toMatchObject({ rateHz: 48_000, channels: 2, durationMs: 3 / 48 });
    expect([...audio.samples]).toEqual([-1, -1, 0, 0, 0.5, 0.5]);
  });

  it('reads raw PCM when it is told the format', async () => {
    const rawFormat = SampleFormat.parse('8000:16:1');
    const audio = await decoder.decode(ints(2, [8192]), { ...options, rawFormat });
    expect([...audio.samples]).toEqual([0.25, 0.25]);
    expect(audio).toMatchObject({ rateHz: 8000, channels: 1, durationMs: 0.25 });
  });

  it('reads what there is when the header promises more', async () => {
    const audio = await decoder.decode(
      wavFile(ints(2, [1, 2]), { dataBytes: 0x7fff_0000 }),
      options,
    );
    expect(audio.samples).toHaveLength(4);
  });

  it.each([
    ['no channels', wavFile(ints(2, [1]), { channels: 0 }), /channels/],
    ['a rate of 0', wavFile(ints(2, [1]), { rateHz: 0 }), /rate/],
    ['a rate of 10 Hz', wavFile(ints(2, [1]), { rateHz: 10 }), /10 Hz; allowed: 1000 to 192000/],
    ['no audio', wavFile(Buffer.alloc(0)), /holds no sound/],
    ['floats that are no numbers', wavFile(floats([0, Number.NaN]), { bits: 32, tag: 3 }), /NaN/],
    ['floats beyond all measure', wavFile(floats([0, 1e9]), { bits: 32, tag: 3 }), /1000000000/],
    ['a web page', Buffer.from('<!DOCTYPE html><title>404</title>'), /a web page/],
    ['a playlist', Buffer.from('#EXTM3U\nfile:///etc/passwd\n'), /a playlist/],
  ])('refuses %s and says so', async (_, bytes, message) => {
    const error = await refusal(bytes);
    expect(error).toBeInstanceOf(ClipError);
    expect(error).toMatchObject({ code: 'bad-clip', message: expect.stringMatching(message) });
  });

  it('refuses what lasts too long, also when it was decoded for one who may have more', async () => {
    const second = wavFile(Buffer.alloc(48_000 * 4));
    await decoder.decode(second, options);
    expect(await refusal(second, { maxSeconds: 0.5 })).toMatchObject({ code: 'clip-too-long' });
  });

  it('decodes the same bytes once', async () => {
    const first = await decoder.decode(wavFile(ints(2, [1])), options);
    expect((await decoder.decode(wavFile(ints(2, [1])), options)).samples).toBe(first.samples);
  });

  it('forgets what was not asked for the longest', async () => {
    // Two of 8 bits become four times as many bytes of floats, three quarters of the cache each.
    const file = (fill: number) =>
      wavFile(Buffer.alloc((maxCachedBytes / 16) * 3, fill), { bits: 8 });
    const audioOf = (fill: number) => decoder.decode(file(fill), { maxSeconds: 1000 });
    const first = await audioOf(1);
    const second = await audioOf(2);
    expect((await audioOf(2)) === second).toBe(true);
    expect((await audioOf(1)) === first).toBe(false);
  });

  it('stops when it is told to', async () => {
    const abort = new AbortController();
    const decoding = refusal(wavFile(Buffer.alloc(16 * 1024 * 1024)), { signal: abort.signal });
    abort.abort(new Error('enough'));
    expect(await decoding).toMatchObject({ message: 'enough' });
  });

  it('reads or refuses WAV with any damage', async () => {
    const alone = new ClipDecoder({ program: join(folder, 'none', 'ffmpeg') });
    vi.stubEnv('PATH', '');
    const originals = encodings.map(([, file]) => file);
    await fc.assert(
      fc.asyncProperty(mutationsOf(originals), async (bytes) => {
        try {
          const { samples } = await alone.decode(bytes, options);
          expect(samples.every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ClipError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe.runIf(hasDecoder)('ffmpeg', () => {
  const leftovers = () => readdirSync(folder).filter((name) => name.startsWith('zerocast-clip-'));

  it.each([
    ['FLAC', ['-f', 'flac']],
    ['MP3', ['-f', 'mp3']],
    ['Vorbis', ['-c:a', 'libvorbis', '-f', 'ogg']],
    ['AAC with its index at the end', ['-c:a', 'aac', '-f', 'mp4']],
    ['WAV with µ-law', ['-c:a', 'pcm_mulaw', '-f', 'wav']],
  ])('decodes %s', async (_, args) => {
    const audio = await decoder.decode(encodedBy(...args), options);
    expect(audio).toMatchObject({ rateHz: 44_100, channels: 1 });
    expect(audio.durationMs / 1000).toBeCloseTo(1, 0);
    const energy = audio.samples.reduce((sum, sample) => sum + sample ** 2, 0);
    expect(Math.sqrt((2 * energy) / audio.samples.length)).toBeCloseTo(0.5, 1);
    expect(leftovers()).toEqual([]);
  });

  it('decodes no more than was asked for', async () => {
    const error = await refusal(encodedBy('-f', 'flac'), { maxSeconds: 0.25 });
    expect(error).toMatchObject({ code: 'clip-too-long' });
  });

  it('says why it cannot', async () => {
    const error = await refusal(encodedBy('-f', 'flac').subarray(0, 100));
    expect(error).toMatchObject({ code: 'bad-clip', message: expect.stringMatching(/^ffmpeg /) });
    expect(String(error)).not.toContain('/dev/stdin');
  });

  it.each([
    ['a list of files', 'ffconcat version 1.0\nfile /etc/hostname\n'],
    ['a session', 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 9 RTP/AVP 0\n'],
  ])('opens nothing that is named by %s', async (_, text) => {
    const error = await refusal(Buffer.concat([Buffer.from(text), Buffer.alloc(4)]));
    expect(error).toMatchObject({ code: 'bad-clip' });
  });
});

describe('a decoder program', () => {
  const mark = Buffer.from('fLaC and then something');

  /** With a program in the place of ffmpeg. */
  function decoderBy(script: string): ClipDecoder {
    const path = join(folder, 'ffmpeg');
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return new ClipDecoder({ program: path });
  }

  it('that is missing is named', async () => {
    vi.stubEnv('PATH', folder);
    const missing = new ClipDecoder({ program: join(folder, 'none', 'ffmpeg') });
    await expect(missing.decode(mark, options)).rejects.toMatchObject({
      code: 'decoder-missing',
      message: expect.stringContaining('install ffmpeg'),
    });
  });

  it('that writes without end is ended', async () => {
    const endless = decoderBy(`echo $$ > ${folder}/pid; exec cat /dev/zero`);
    await expect(endless.decode(mark, options)).rejects.toMatchObject({ code: 'clip-too-long' });
    expect(isAlive(readFileSync(join(folder, 'pid'), 'utf8'))).toBe(false);
  });

  it('that hangs is ended with the decoder, and what waits is refused', async () => {
    const hanging = decoderBy(`echo $$ > ${folder}/pid; exec sleep 1000`);
    const faults = [1, 2, 3].map((count) =>
      hanging.decode(Buffer.concat([mark, Buffer.from([count])]), options).catch(String),
    );
    await vi.waitFor(() => expect(readFileSync(join(folder, 'pid'), 'utf8')).toMatch(/\n/));
    await hanging.close();
    expect(await Promise.all(faults)).toEqual(faults.map(() => 'ClipError: the server ends'));
    expect(isAlive(readFileSync(join(folder, 'pid'), 'utf8'))).toBe(false);
  });

  it('that does not listen to signals is killed at once', async () => {
    const [pid, go, mark_] = ['pid', 'go', 'mark'].map((name) => join(folder, name));
    const deaf = decoderBy(
      `trap '' TERM HUP INT; echo $$ > ${pid}; ` +
        `while [ ! -e ${go} ]; do sleep 0.02; done; sleep 0.7; echo > ${mark_}; exec sleep 1000`,
    );
    const fault = deaf.decode(mark, options).catch(String);
    await vi.waitFor(() => expect(readFileSync(pid!, 'utf8')).toMatch(/\n/));
    writeFileSync(go!, '');
    await deaf.close();
    expect(await fault).toBe('ClipError: the server ends');
    expect(isAlive(readFileSync(pid!, 'utf8'))).toBe(false);
    expect(existsSync(mark_!)).toBe(false);
  });
});

function isAlive(pid: string): boolean {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}
