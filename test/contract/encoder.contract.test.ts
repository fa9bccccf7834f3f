import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../src/audio/decoders/decoders.ts';
import type { Encoder } from '../../src/audio/encoders/encoder.ts';
import { FlacThread } from '../../src/audio/encoders/flac-thread.ts';
import { packetsOf } from '../../src/audio/ogg-pages.ts';
import {
  benchFor,
  encodeAll,
  encodeWhole,
  feed,
  framesOf,
  music,
  type OpenLibrary,
  pcmOf,
} from '../support/encoding.ts';
import { flacLibraries } from '../support/flac-libraries.ts';
import { vorbisLibraries } from '../support/vorbis-libraries.ts';

const flacKinds = [
  ['flac', '48000:16:2'],
  ['flac:0', '44100:16:2'],
  ['flac:8', '48000:24:6'],
  ['flac', '22050:8:1'],
  ['flac', '48000:32:2'],
] as const;
const vorbisKinds = [
  ['ogg', '48000:16:2'],
  ['ogg:VBR:-0.1', '44100:24:2'],
  ['ogg:VBR:0.3', '8000:8:1'],
  ['ogg:VBR:1', '96000:32:2'],
] as const;
const cases: readonly (readonly [string, string, string, OpenLibrary | undefined])[] = [
  ['pcm', '48000:16:2', 'us', undefined],
  ['pcm', '96000:24:2', 'us', undefined],
  ['pcm', '44100:32:1', 'us', undefined],
  ...[...flacLibraries, ['libflacjs in a thread', FlacThread.open] as const].flatMap(
    ([library, open]) =>
      flacKinds.map(([spec, format]) => [spec, format, library, { flac: open }] as const),
  ),
  ['opus', '48000:16:2', 'libopus', undefined],
  ['opus:BITRATE:64000', '44100:16:2', 'libopus', undefined],
  ['opus', '96000:24:1', 'libopus', undefined],
  ...vorbisLibraries.flatMap(([library, vorbis]) =>
    vorbisKinds.map(([spec, format]) => [spec, format, library, { vorbis }] as const),
  ),
];
/** Frames at most that a codec adds at the end of a run: a packet, or what its player expects there. */
const maxPadding = (codec: string, { maxPaddingFrames }: Encoder) =>
  codec === 'opus' || codec === 'ogg' ? maxPaddingFrames : 0;

/** Pages are numbered from run to run, and their checksums differ by that. */
function withoutPlace(codec: string, payload: Buffer): Buffer {
  return codec === 'ogg' ? Buffer.concat(packetsOf(payload)) : payload;
}

const oddChunks = [1, 7, 960, 333, 5000, 2];

describe.each(cases)('an encoder %s of %s by %s', (spec, formatText, _library, open) => {
  const codec = spec.split(':')[0]!;

  it('gives back every reference, in a run, after a flush and when closed with input left', async () => {
    const bench = await benchFor(spec, formatText, open);
    await feed(bench, pcmOf(bench.format, 3000, music), [480]);
    expect(bench.pool.isFull).toBe(true);
    await bench.encoder.flush(bench.emit);
    await feed(bench, pcmOf(bench.format, 100, music), [100]);
    const before = bench.emitted.length;
    bench.encoder.close();
    bench.encoder.close();
    expect(bench.emitted).toHaveLength(before);
    expect(bench.pool.isFull).toBe(true);
  });

  it('emits chunks that each decode alone to exactly the frames that it names', async () => {
    const bench = await benchFor(spec, formatText, open);
    const emitted = await encodeAll(bench, pcmOf(bench.format, 12_000, music), oddChunks);
    const decoder = await createDecoder(codec, bench.encoder.header);
    expect(decoder.format).toEqual(bench.encoder.format);
    expect(emitted.length).toBeGreaterThan(2);
    for (const { payload, frames } of emitted) {
      expect(frames).toBeGreaterThan(0);
      expect(decoder.decode(payload).length).toBe(frames * decoder.format.frameBytes);
    }
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('emits at least the duration that came in, and no more than it says', async () => {
    const bench = await benchFor(spec, formatText, open);
    const { format, encoder } = bench;
    const emitted = await encodeAll(bench, pcmOf(format, 12_345, music), oddChunks);
    const expected = (12_345 * encoder.format.rateHz) / format.rateHz;
    const surplus = framesOf(emitted) - expected;
    expect(surplus).toBeGreaterThanOrEqual(0);
    expect(surplus).toBeLessThanOrEqual(maxPadding(codec, encoder));
    encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('encodes the same whatever the length of the chunks that come in', async () => {
    const bench = await benchFor(spec, formatText, open);
    const pcm = pcmOf(bench.format, 9000, music);
    const whole = await encodeAll(bench, pcm, [9000]);
    const odd = await encodeAll(bench, pcm, oddChunks);
    const bytes = (emitted: typeof odd) =>
      Buffer.concat(emitted.map(({ payload }) => withoutPlace(codec, payload)));
    expect(bytes(odd).equals(bytes(whole))).toBe(true);
    expect(framesOf(odd)).toBe(framesOf(whole));
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('forgets the past at a flush: a second run is encoded like the first', async () => {
    const bench = await benchFor(spec, formatText, open);
    const pcm = pcmOf(bench.format, 5555, music);
    const header = Buffer.from(bench.encoder.header);
    const first = await encodeAll(bench, pcm, [960]);
    const second = await encodeAll(bench, pcm, [960]);
    const contents = (emitted: typeof first) =>
      emitted.map(({ payload, frames }) => [withoutPlace(codec, payload), frames]);
    expect(contents(second)).toEqual(contents(first));
    expect(header.equals(bench.encoder.header)).toBe(true);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('emits nothing at a flush without input, nor for an empty chunk', async () => {
    const bench = await benchFor(spec, formatText, open);
    await bench.encoder.flush(bench.emit);
    const empty = bench.pool.acquire(0, 'test source');
    await encodeWhole(bench, empty);
    await bench.encoder.flush(bench.emit);
    expect(bench.emitted).toEqual([]);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });
});

it('the null encoder has an empty header, emits nothing and keeps nothing', async () => {
  const bench = await benchFor('null', '48000:16:2');
  expect(bench.encoder.header).toHaveLength(0);
  expect(await encodeAll(bench, pcmOf(bench.format, 5000, music), oddChunks)).toEqual([]);
  bench.encoder.close();
  expect(bench.pool.isFull).toBe(true);
});
