import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import { loadLibflacjs } from '../../../../src/audio/encoders/libflacjs.ts';
import type { SampleFormat } from '../../../../src/audio/sample-format.ts';
import {
  benchFor,
  type Emitted,
  encodeAll,
  feed,
  music,
  pcmOf,
} from '../../../support/encoding.ts';
import { flacLibraries, openLibflacjsHere } from '../../../support/flac-libraries.ts';

const roundTrips = [
  ['44100:16:2', 'flac'],
  ['48000:16:2', 'flac:5'],
  ['48000:16:2', 'flac:8'],
  ['96000:24:2', 'flac'],
  ['48000:24:6', 'flac:3'],
  ['22050:8:1', 'flac:1'],
  ['37800:16:2', 'flac'],
  ['47999:24:2', 'flac:0'],
  ['192000:24:8', 'flac:2'],
] as const;

describe('the libraries', () => {
  it.each(['flac:0', 'flac', 'flac:5', 'flac:8'])(
    "compress %s alike, or the system's better",
    async (spec) => {
      const sizes: number[] = [];
      for (const [, open] of flacLibraries) {
        const bench = await benchFor(spec, '48000:16:2', { flac: open });
        const emitted = await encodeAll(bench, wild(bench.format, 96_000), [960]);
        bench.encoder.close();
        sizes.push(emitted.reduce((bytes, { payload }) => bytes + payload.length, 0));
      }
      const [system = Number.NaN, own = Number.NaN] = sizes;
      expect(system / own).toBeLessThan(1.01);
      expect(system / own).toBeGreaterThan(0.9);
    },
  );
});

const roundTripsByEach = flacLibraries.flatMap(([library, open]) =>
  roundTrips.map(([format, spec]) => [format, spec, library, open] as const),
);

describe.each(roundTripsByEach)('audio of %s through %s by %s', (formatText, spec, _, open) => {
  it('comes back bit by bit from our decoder, noise and full scale included', async () => {
    const bench = await benchFor(spec, formatText, { flac: open });
    const pcm = wild(bench.format, 20_000);
    const emitted = await encodeAll(bench, pcm, [960]);
    const decoder = await createDecoder('flac', bench.encoder.header);
    const decoded = Buffer.concat(emitted.map(({ payload }) => decoder.decode(payload)));
    expect(decoded.equals(pcm)).toBe(true);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('comes back bit by bit from the flac command-line tool', async () => {
    const bench = await benchFor(spec, formatText, { flac: open });
    const pcm = wild(bench.format, 20_000);
    const emitted = await encodeAll(bench, pcm, [960]);
    expect(flacTool(bench.encoder.header, emitted).equals(packed(pcm, bench.format))).toBe(true);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });
});

describe.each(flacLibraries)('audio of 32 bits by %s', (_, open) => {
  it('is sent as its upper 24, and others find it as it was', async () => {
    const bench = await benchFor('flac', '48000:32:2', { flac: open });
    const pcm = wild(bench.format, 20_000);
    const before = Buffer.from(pcm);
    const emitted = await encodeAll(bench, pcm, [960, 7000]);
    expect(`${bench.encoder.format}`).toBe('48000:24:2');
    const decoder = await createDecoder('flac', bench.encoder.header);
    const decoded = Buffer.concat(emitted.map(({ payload }) => decoder.decode(payload)));
    const upper = Buffer.alloc(pcm.length);
    for (let at = 0; at < pcm.length; at += 4) upper.writeInt32LE(pcm.readInt32LE(at) >> 8, at);
    expect(decoded.equals(upper)).toBe(true);
    expect(pcm.equals(before)).toBe(true);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });
});

describe.each(flacLibraries)('the flac header beside %s', (_, open) => {
  it('is STREAMINFO alone, flagged as last, as captured from upstream', async () => {
    const { encoder, pool } = await benchFor('flac', '48000:16:2', { flac: open });
    // Protocol reference, appendix A.
    expect(Buffer.from(encoder.header).toString('hex')).toBe(
      `664c614380000022048004800000000000000bb802f000000000${'00'.repeat(16)}`,
    );
    expect(encoder.delayFrames).toBe(0);
    encoder.close();
    expect(pool.isFull).toBe(true);
  });

  it.each([
    ['655350:8:8', 655_350, 8, 8],
    ['1:24:1', 1, 24, 1],
  ])('packs %s', async (formatText, rateHz, bits, channels) => {
    const { encoder } = await benchFor('flac', formatText, { flac: open });
    const packedFormat = Buffer.from(encoder.header).readUInt32BE(18);
    expect(packedFormat >>> 12).toBe(rateHz);
    expect(((packedFormat >>> 9) & 7) + 1).toBe(channels);
    expect(((packedFormat >>> 4) & 31) + 1).toBe(bits);
    encoder.close();
  });
});

describe.each(flacLibraries)('flac frames by %s', (_, open) => {
  it('of 48000:16:2 start as upstream sends them', async () => {
    const bench = await benchFor('flac', '48000:16:2', { flac: open });
    const emitted = await encodeAll(bench, pcmOf(bench.format, 1153, music), [960]);
    expect(emitted[0]?.payload.toString('hex', 0, 3)).toBe('fff83a'); // then the stereo mode
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it.each([0, 1, 2, 3, 8])('of level %i have the block size of upstream', async (level) => {
    const bench = await benchFor(`flac:${level}`, '48000:16:2', { flac: open });
    const emitted = await encodeAll(bench, pcmOf(bench.format, 10_000, music), [960]);
    const block = level < 3 ? 1152 : 4096;
    const whole = Math.floor(10_000 / block);
    expect(emitted.map(({ frames }) => frames)).toEqual([
      ...Array.from({ length: whole }, () => block),
      10_000 - whole * block,
    ]);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it.each([
    '8000:16:1',
    '11025:8:1',
    '37800:24:2',
    '44100:16:2',
    '47999:24:2',
    '65535:16:2',
    '88200:24:2',
    '255000:16:2',
    '655350:16:2',
  ])('of %s name rate and depth themselves', async (formatText) => {
    const bench = await benchFor('flac', formatText, { flac: open });
    const [first] = await encodeAll(bench, pcmOf(bench.format, 1200, music), [1200]);
    expect(first!.payload[2]! & 0x0f).not.toBe(0);
    expect((first!.payload[3]! >> 1) & 7).not.toBe(0);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('are numbered from 0 again after a flush, whose last frame may be one sample', async () => {
    const bench = await benchFor('flac', '48000:16:2', { flac: open });
    const pcm = pcmOf(bench.format, 2 * 1152 + 1, music);
    for (const run of [await encodeAll(bench, pcm, [960]), await encodeAll(bench, pcm, [960])]) {
      expect(run.map(({ payload }) => payload[4])).toEqual([0, 1, 2]);
      expect(run.at(-1)?.frames).toBe(1);
    }
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });
});

describe('the memory of libflacjs', () => {
  it('does not grow over thousands of runs', async () => {
    const { _module: module } = await loadLibflacjs();
    const bench = await benchFor('flac', '48000:16:2', { flac: openLibflacjsHere });
    const pcm = pcmOf(bench.format, 1500, music);
    await encodeAll(bench, pcm, [1500]);
    const top = firstFreeAddress(module);
    for (let run = 0; run < 3000; run += 1) await encodeAll(bench, pcm, [1500]);
    expect(firstFreeAddress(module)).toBe(top);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('is given back by closing, with input left or not', async () => {
    const { _module: module } = await loadLibflacjs();
    const cycle = async (frames: number) => {
      const bench = await benchFor('flac:8', '48000:24:8', { flac: openLibflacjsHere });
      await feed(bench, pcmOf(bench.format, frames, music), [frames]);
      bench.encoder.close();
      expect(bench.pool.isFull).toBe(true);
    };
    await cycle(10);
    const top = firstFreeAddress(module);
    for (let run = 0; run < 100; run += 1) await cycle(run % 3);
    expect(firstFreeAddress(module)).toBe(top);
    expect(module.HEAP32.byteLength).toBe(16 * 1024 * 1024);
  });

  it('grows for many streams at once, which stay independent', async () => {
    const { _module: module } = await loadLibflacjs();
    const benches = [];
    for (let index = 0; index < 60; index += 1)
      benches.push(await benchFor('flac:8', '48000:24:8', { flac: openLibflacjsHere }));
    expect(module.HEAP32.byteLength).toBeGreaterThan(16 * 1024 * 1024);
    const [first, second] = await Promise.all(
      benches.slice(-2).map((bench) => encodeAll(bench, wild(bench.format, 5000), [960])),
    );
    expect(first).toEqual(second);
    for (const { encoder } of benches) encoder.close();
    expect(benches.every(({ pool }) => pool.isFull)).toBe(true);
  });
});

/** An address that rises when the library's heap leaks. */
function firstFreeAddress(module: { _malloc(bytes: number): number; _free(at: number): void }) {
  const address = module._malloc(100_000);
  module._free(address);
  return address;
}

/** Silence, tones, white noise, full-scale jumps: what makes an encoder use all of its tools. */
function wild(format: SampleFormat, frames: number): Buffer {
  let state = 1;
  const noise = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 2 ** 30 - 1;
  };
  const seconds = (index: number) => index / format.rateHz;
  return pcmOf(format, frames, (time, channel) => {
    if (time < seconds(2000)) return 0;
    if (time < seconds(12_000)) return music(time, channel);
    if (time < seconds(16_000)) return noise();
    return noise() < 0 ? -1 : 1;
  });
}

/** What `flac -d` makes of a stream: raw PCM, 24-bit samples in 3 bytes. */
function flacTool(header: Uint8Array, emitted: readonly Emitted[]): Buffer {
  const args = '-d -s -c --force-raw-format --endian=little --sign=signed -'.split(' ');
  const run = spawnSync('flac', args, {
    input: Buffer.concat([header, ...emitted.map(({ payload }) => payload)]),
    maxBuffer: 64 * 1024 * 1024,
  });
  if (run.error) {
    throw new Error('these tests need the flac tool: apt-get install flac', { cause: run.error });
  }
  expect(run.stderr.toString()).toMatch(/^(-: WARNING, cannot check MD5 signature.*\n)?$/);
  expect(run.status).toBe(0);
  return run.stdout;
}

function packed(pcm: Buffer, format: SampleFormat): Buffer {
  return format.bits === 24 ? Buffer.from(pcm.filter((_, index) => index % 4 !== 3)) : pcm;
}
