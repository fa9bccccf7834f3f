import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { SourceError } from '../../../../src/base/errors.ts';
import { makeFifoAt, scratchFolder } from '../../../support/fifo.ts';
import {
  asRifx,
  longWavFile,
  numberedBytes,
  riffChunk,
  wavFile,
} from '../../../support/pcm-fixtures.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { until } from '../../../support/waiting.ts';

const folder = scratchFolder();
let count = 0;
afterAll(() => folder.remove());

function fileWith(content: Uint8Array): string {
  count += 1;
  const path = join(folder.path, `${count}.pcm`);
  writeFileSync(path, content);
  return path;
}

/** The first `bytes` of `audio` repeated for ever. */
function looped(audio: Buffer, bytes: number): Buffer {
  return Buffer.concat(
    Array.from({ length: Math.ceil(bytes / audio.length) }, () => audio),
  ).subarray(0, bytes);
}

describe('a file source', () => {
  it('loops seamlessly when the end lies within a chunk', async () => {
    const audio = numberedBytes(10_000);
    const harness = new SourceHarness(`file://${fileWith(audio)}`).start();
    const pieces: Buffer[] = [];
    for (let chunk = 0; chunk < 10; chunk += 1) pieces.push(await harness.read(3840));
    expect(Buffer.concat(pieces).equals(looped(audio, 38_400))).toBe(true);
    expect(harness.interruptions).toEqual([]);
    await harness.source.stop();
  });

  it('loops several times within a chunk that is longer than the file', async () => {
    const audio = numberedBytes(2000);
    const harness = new SourceHarness(`file://${fileWith(audio)}`).start();
    expect((await harness.read(19_200)).equals(looped(audio, 19_200))).toBe(true);
    await harness.source.stop();
  });

  it('leaves out a frame that the file cuts off, so that samples stay aligned', async () => {
    const audio = numberedBytes(4003);
    const harness = new SourceHarness(`file://${fileWith(audio)}`).start();
    const expected = looped(audio.subarray(0, 4000), 7680);
    const read = Buffer.concat([await harness.read(3840), await harness.read(3840)]);
    expect(read.equals(expected)).toBe(true);
    await harness.source.stop();
  });

  it.each([
    ['16 bits', { bits: 16 }, '48000:16:2', false],
    ['24 bits', { bits: 24, rateHz: 96_000 }, '96000:24:2', true],
    ['32 bits', { bits: 32, channels: 1 }, '48000:32:1', false],
    ['an extensible header', { bits: 24, channels: 6, subFormat: 1 }, '48000:24:6', true],
    ['20 bits in 3 bytes', { bits: 20, blockAlign: 6 }, '48000:24:2', true],
  ])(
    'takes the format of a WAV file with %s from its header',
    async (_, options, format, packed) => {
      const audio = numberedBytes(36_000);
      const between = riffChunk('LIST', Buffer.alloc(70_001, 'i'));
      const trailer = riffChunk('LIST', Buffer.from('not audio'));
      const path = fileWith(wavFile(audio, { ...options, between, trailer }));
      const harness = new SourceHarness(`file://${path}`, '44100:16:2').start();
      expect(String(harness.source.format)).toBe(format);
      expect(harness.source.packed24).toBe(packed);
      expect((await harness.read(50_400)).equals(looped(audio, 50_400))).toBe(true);
      await harness.source.stop();
    },
  );

  it.each([0, 0xffff_ffff])(
    'plays a WAV file that claims %d bytes to its end',
    async (dataBytes) => {
      const audio = numberedBytes(6000);
      const harness = new SourceHarness(
        `file://${fileWith(wavFile(audio, { dataBytes }))}`,
      ).start();
      expect((await harness.read(9000)).equals(looped(audio, 9000))).toBe(true);
      await harness.source.stop();
    },
  );

  it('plays a WAV file that claims more than it has', async () => {
    const audio = numberedBytes(6000);
    const path = fileWith(wavFile(audio, { dataBytes: 1_000_000 }));
    const harness = new SourceHarness(`file://${path}`).start();
    expect((await harness.read(9000)).equals(looped(audio, 9000))).toBe(true);
    await harness.source.stop();
  });

  it('gives 8-bit WAV samples the sign that they lack', async () => {
    const audio = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 256));
    const path = fileWith(wavFile(audio, { bits: 8, channels: 1 }));
    const harness = new SourceHarness(`file://${path}`).start();
    const read = await harness.read(1500);
    const signed = looped(Buffer.from(audio.map((sample) => sample ^ 0x80)), 1500);
    expect(read.equals(signed)).toBe(true);
    expect(read.readInt8(128)).toBe(0);
    await harness.source.stop();
  });

  it.each(['RF64', 'BW64'] as const)(
    'plays of an %s file what ds64 says, and nothing behind it',
    async (magic) => {
      const audio = numberedBytes(6000);
      const trailer = riffChunk('LIST', Buffer.from('not audio'));
      const path = fileWith(longWavFile(magic, audio, { trailer }));
      const harness = new SourceHarness(`file://${path}`).start();
      expect((await harness.read(15_000)).equals(looped(audio, 15_000))).toBe(true);
      await harness.source.stop();
    },
  );

  it.each([0, Number.MAX_SAFE_INTEGER])(
    'plays an RF64 file whose ds64 claims %d bytes to its end',
    async (dataBytes) => {
      const audio = numberedBytes(6000);
      const path = fileWith(longWavFile('RF64', audio, { dataBytes }));
      const harness = new SourceHarness(`file://${path}`).start();
      expect((await harness.read(9000)).equals(looped(audio, 9000))).toBe(true);
      await harness.source.stop();
    },
  );

  it.each([16, 24, 32])('turns the %d-bit samples of a RIFX file around', async (bits) => {
    const audio = numberedBytes(24_000);
    const turned = Buffer.from(audio);
    const bytes = bits / 8;
    for (let at = 0; at < turned.length; at += bytes) turned.subarray(at, at + bytes).reverse();
    const path = fileWith(asRifx(wavFile(turned, { bits })));
    const harness = new SourceHarness(`file://${path}`, '44100:16:2').start();
    expect(String(harness.source.format)).toBe(`48000:${bits}:2`);
    // More than a block, and several times the file.
    expect((await harness.read(120_000)).equals(looped(audio, 120_000))).toBe(true);
    await harness.source.stop();
  });

  it('finds the audio behind an odd chunk without its padding', async () => {
    const audio = numberedBytes(6000);
    const between = riffChunk('LIST', Buffer.from('odd')).subarray(0, -1);
    const harness = new SourceHarness(`file://${fileWith(wavFile(audio, { between }))}`).start();
    expect((await harness.read(9000)).equals(looped(audio, 9000))).toBe(true);
    await harness.source.stop();
  });

  it('believes a WAV file without audio that it ends there', () => {
    const trailer = riffChunk('LIST', Buffer.alloc(4000, 'i'));
    const path = fileWith(wavFile(Buffer.alloc(0), { trailer }));
    expect(() => new SourceHarness(`file://${path}`)).toThrow('holds less than 10 ms of audio');
  });

  it('plays what a program wrote that was killed before it could say how much', async () => {
    const audio = numberedBytes(6000);
    const whole = wavFile(audio, { dataBytes: 0 });
    whole.writeUInt32LE(36, 4);
    const harness = new SourceHarness(`file://${fileWith(whole)}`).start();
    expect((await harness.read(9000)).equals(looped(audio, 9000))).toBe(true);
    await harness.source.stop();
  });

  it('accepts a sample format that equals that of the header and refuses another', () => {
    const path = fileWith(wavFile(numberedBytes(6000)));
    expect(() => new SourceHarness(`file://${path}?sampleformat=48000:16:2`)).not.toThrow();
    expect(() => new SourceHarness(`file://${path}?sampleformat=44100:16:2`)).toThrow(
      'its header says 48000:16:2, its address says sampleformat=44100:16:2',
    );
  });

  it.each([
    [
      'floating point',
      { tag: 3, bits: 32 },
      'floating point, not integer PCM: have it decoded by process:///usr/bin/ffmpeg?',
    ],
    ['extensible floating point', { subFormat: 3, bits: 32 }, 'floating point'],
    ['an unknown encoding', { tag: 0x1234 }, 'of encoding 4660'],
    ['no channels', { channels: 0, blockAlign: 4 }, '16 bits do not fit'],
    ['nine channels', { channels: 9 }, 'is no sample format'],
    ['64 bits', { bits: 64 }, 'is no sample format'],
    ['a frame size that lies', { blockAlign: 5 }, 'do not fit its 5-byte frames'],
  ])('refuses a WAV file with %s', (_, options, message) => {
    const path = fileWith(wavFile(numberedBytes(6000), options));
    expect(() => new SourceHarness(`file://${path}`)).toThrow(SourceError);
    expect(() => new SourceHarness(`file://${path}`)).toThrow(message);
  });

  it.each([
    ['RIFF', wavFile(numberedBytes(6000), { subFormat: 1 })],
    ['RIFX', asRifx(wavFile(numberedBytes(6000)))],
    ['RF64', longWavFile('RF64', numberedBytes(6000))],
  ])('refuses any cut or damaged header of %s only with a SourceError', (_, whole) => {
    const path = fileWith(whole);
    let refused = 0;
    const attempt = (content: Uint8Array) => {
      writeFileSync(path, content);
      try {
        new SourceHarness(`file://${path}`);
      } catch (error) {
        expect(error).toBeInstanceOf(SourceError);
        refused += 1;
      }
    };
    for (let bytes = 0; bytes < 100; bytes += 1) attempt(whole.subarray(0, bytes));
    // Beyond its header a file may end anywhere.
    expect(refused).toBeGreaterThanOrEqual(40);
    const damage = fc.array(fc.tuple(fc.nat({ max: 75 }), fc.nat({ max: 255 })), { minLength: 1 });
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = Buffer.from(whole);
        for (const [at, value] of changes) damaged[at] = value;
        attempt(damaged);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['is missing', () => join(folder.path, 'missing'), 'no such file'],
    ['is empty', () => fileWith(Buffer.alloc(0)), 'holds less than 10 ms of audio'],
    ['is too short', () => fileWith(Buffer.alloc(1900)), 'holds less than 10 ms of audio'],
    ['is a folder', () => folder.path, 'no regular file'],
    [
      'is a fifo',
      () => {
        const path = join(folder.path, 'fifo');
        makeFifoAt(path);
        return path;
      },
      'no regular file',
    ],
    ['has no audio', () => fileWith(wavFile(Buffer.alloc(0), { dataBytes: 0 })), 'less than 10 ms'],
  ])('refuses a file that %s', (_, make, message) => {
    const path = make();
    expect(() => new SourceHarness(`file://${path}`)).toThrow(SourceError);
    expect(() => new SourceHarness(`file://${path}`)).toThrow(message);
  });

  it('fails cleanly when the file is gone at the start', () => {
    const path = fileWith(numberedBytes(6000));
    const harness = new SourceHarness(`file://${path}`);
    rmSync(path);
    harness.start();
    expect(harness.failures.map((failure) => failure.code)).toEqual(['file-unreadable']);
    expect(harness.failures[0]?.message).toContain('no such file');
  });

  it('plays what is added to the file, and goes on when the file is removed', async () => {
    const audio = numberedBytes(6000);
    const path = fileWith(audio.subarray(0, 4000));
    const harness = new SourceHarness(`file://${path}`).start();
    expect((await harness.read(2000)).equals(audio.subarray(0, 2000))).toBe(true);
    appendFileSync(path, audio.subarray(4000));
    rmSync(path);
    // Half a second was read ahead.
    const played = await harness.read(200_000);
    const added = played.indexOf(audio.subarray(4000));
    expect(added).toBeGreaterThan(0);
    expect(played.subarray(added + 2000).equals(looped(audio, 198_000 - added))).toBe(true);
    await harness.source.stop();
  });

  it('survives that the file is emptied and written anew', async () => {
    const audio = numberedBytes(8000);
    const path = fileWith(audio);
    const harness = new SourceHarness(`file://${path}`).start();
    await harness.read(4000);
    truncateSync(path, 0);
    // Half a second was read ahead.
    const rest = await harness.read(200_000);
    await until(() => harness.interruptions.length > 0, 'the run is broken');
    expect(harness.interruptions[0]).toContain('no audio is left');
    const playedBytes = rest.findLastIndex((byte) => byte !== 0) + 1;
    const expected = looped(audio, 4000 + playedBytes).subarray(4000);
    expect(playedBytes).toBeGreaterThan(40_000);
    expect(rest.subarray(0, playedBytes).equals(expected)).toBe(true);
    writeFileSync(path, audio);
    expect((await harness.read(200_000)).equals(looped(audio, 200_000))).toBe(true);
    expect(harness.interruptions.length).toBe(1);
    await harness.source.stop();
  });
});
