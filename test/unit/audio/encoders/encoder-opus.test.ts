import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import { samplesOf } from '../../../../src/audio/sample-conversion.ts';
import {
  type Bench,
  benchFor,
  type Emitted,
  encodeAll,
  framesOf,
  pcmOf,
  sweep,
} from '../../../support/encoding.ts';

/** How far the delay may be off, in frames at 48 kHz, with or without resampling. */
const toleranceFrames = 2;

describe.each([
  '48000:16:2',
  '48000:24:2',
  '48000:32:2',
  '48000:16:1',
  '44100:16:2',
  '96000:24:2',
  '16000:8:1',
  '192000:32:1',
])('opus of %s', (formatText) => {
  it('sounds like its input, `delayFrames` later, on both channels', async () => {
    const bench = await benchFor('opus', formatText);
    const { format, encoder } = bench;
    const emitted = await encodeAll(bench, pcmOf(format, format.rateHz / 2, sweep), [
      format.framesIn(20),
    ]);
    const reference = Float64Array.from({ length: 20_000 }, (_, index) => sweep(index / 48_000));
    for (const channel of [0, 1]) {
      const decoded = await decode(bench, emitted, channel);
      const { lag, correlation } = bestLag(decoded, reference);
      expect(Math.abs(lag - encoder.delayFrames)).toBeLessThanOrEqual(toleranceFrames);
      expect(correlation).toBeGreaterThanOrEqual(0.99);
    }
    encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });
});

describe('opus', () => {
  it.each([1000, 8000, 48_000, 192_000])(
    'takes on no more of a chunk of %i Hz at once than what few packets are made of',
    async (rateHz) => {
      const { encoder, pool, format } = await benchFor('opus', `${rateHz}:16:2`);
      const second = pool.acquire(rateHz * format.frameBytes, 'test');
      second.payloadBytes = rateHz * format.frameBytes;
      let packets = 0;
      const next = encoder.encode(second, 0, (packet) => {
        packets += 1;
        packet.release();
      });
      expect(next).toBeGreaterThan(0);
      expect(packets).toBeLessThanOrEqual(Math.ceil(4096 / 960));
      second.release();
      encoder.close();
      expect(pool.isFull).toBe(true);
    },
  );

  it('has the 12-byte header that clients expect', async () => {
    const { encoder, pool } = await benchFor('opus', '44100:24:1');
    // Protocol reference, appendix A.
    expect(Buffer.from(encoder.header).toString('hex')).toBe('5355504f80bb000010000200');
    expect(`${encoder.format}`).toBe('48000:16:2');
    encoder.close();
    expect(pool.isFull).toBe(true);
  });

  it('sends packets of 20 ms whatever the chunks are', async () => {
    const bench = await benchFor('opus', '44100:16:2');
    const emitted = await encodeAll(bench, pcmOf(bench.format, 10_000, sweep), [441, 13, 3000]);
    expect(emitted.length).toBeGreaterThanOrEqual(10);
    expect(emitted.every(({ frames }) => frames === 960)).toBe(true);
    // One CELT frame, full band, 20 ms, stereo: configuration 31. Source: RFC 6716, section 3.1.
    expect(emitted.every(({ payload }) => payload[0] === 0b11111_1_00)).toBe(true);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it.each([1, 840, 841, 960, 961, 9600])(
    'flushes %i frames with just the silence that makes all of them heard',
    async (frames) => {
      const bench = await benchFor('opus', '48000:16:2');
      const emitted = await encodeAll(bench, pcmOf(bench.format, frames, sweep), [frames]);
      const audible = frames + bench.encoder.delayFrames;
      expect(framesOf(emitted)).toBe(Math.ceil(audible / 960) * 960);
      bench.encoder.close();
      expect(bench.pool.isFull).toBe(true);
    },
  );

  it('makes the very end of a run heard', async () => {
    const bench = await benchFor('opus', '44100:16:2');
    const burst = 40 / 44_100;
    const end = 0.2;
    const emitted = await encodeAll(
      bench,
      pcmOf(bench.format, end * 44_100, (time) => (time > end - burst ? 0.9 : 0)),
      [882],
    );
    const decoded = await decode(bench, emitted, 0);
    const tail = decoded.subarray(Math.floor((end - burst) * 48_000) + bench.encoder.delayFrames);
    expect(Math.max(...tail)).toBeGreaterThan(0.5);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('obeys bitrate and complexity', async () => {
    const bytes = async (spec: string) => {
      const bench = await benchFor(spec, '48000:16:2');
      const emitted = await encodeAll(bench, pcmOf(bench.format, 48_000, sweep), [960]);
      bench.encoder.close();
      expect(bench.pool.isFull).toBe(true);
      return Buffer.concat(emitted.map(({ payload }) => payload));
    };
    const [low, normal, quick, high] = [
      await bytes('opus:BITRATE:32000'),
      await bytes('opus'),
      await bytes('opus:COMPLEXITY:1'),
      await bytes('opus:BITRATE:MAX'),
    ];
    expect(low.length).toBeLessThan(32_000 / 8 + 1000);
    expect(normal.length).toBeGreaterThan(low.length * 2);
    expect(high.length).toBeGreaterThan(normal.length);
    expect(quick.equals(normal)).toBe(false);
  });

  it('clips instead of wrapping when the resampler overshoots', async () => {
    const bench = await benchFor('opus', '44100:16:2');
    const square = (time: number) => (Math.floor(time * 200) % 2 === 0 ? 1 : -1);
    const emitted = await encodeAll(bench, pcmOf(bench.format, 8820, square), [882]);
    const decoded = await decode(bench, emitted, 0);
    const reference = Float64Array.from({ length: 8000 }, (_, index) => square(index / 48_000));
    expect(bestLag(decoded, reference).correlation).toBeGreaterThan(0.98);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });
});

async function decode(bench: Bench, emitted: readonly Emitted[], channel: number) {
  const decoder = await createDecoder('opus', bench.encoder.header);
  const pcm = Buffer.concat(emitted.map(({ payload }) => decoder.decode(payload)));
  decoder.close();
  const samples = samplesOf(pcm, decoder.format);
  return Float64Array.from({ length: samples.length / 2 }, (_, index) => {
    return samples[index * 2 + channel]! / 32_768;
  });
}

/** The shift at which `reference` is most like `decoded`, and how much. */
function bestLag(decoded: Float64Array, reference: Float64Array) {
  let best = { lag: 0, correlation: -1 };
  for (let lag = -300; lag <= 600; lag += 1) {
    const correlation = correlate(decoded, reference, lag);
    if (correlation > best.correlation) best = { lag, correlation };
  }
  return best;
}

function correlate(decoded: Float64Array, reference: Float64Array, lag: number): number {
  let [product, ours, theirs] = [0, 0, 0];
  for (let index = Math.max(0, -lag); index < reference.length; index += 1) {
    const a = decoded[index + lag] ?? 0;
    const b = reference[index]!;
    product += a * b;
    ours += a * a;
    theirs += b * b;
  }
  return product / Math.sqrt(ours * theirs);
}
