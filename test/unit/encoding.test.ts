import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../src/audio/chunk.ts';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { Encoding } from '../../src/audio/encoding.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { SourceError } from '../../src/errors.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import { music, pcmOf } from '../support/encoding.ts';
import { distancesUs } from '../support/reader-rig.ts';
import { turn, until } from '../support/waiting.ts';

const chunkUs = 20_000;
const startUs = 5_000_000;

interface Published {
  readonly timestampUs: number;
  readonly durationUs: number;
  readonly payload: Buffer;
}

let pool: ChunkPool;
let encoding: Encoding;
let published: Published[];
let failAt: number;
let format: SampleFormat;
let pcm: Buffer;

beforeEach(() => {
  pool = new ChunkPool({ verifySeals: true });
  published = [];
  failAt = Number.POSITIVE_INFINITY;
});

afterEach(() => {
  encoding.close();
  expect(pool.isFull).toBe(true);
  pool.close();
});

function publish(chunk: Chunk): void {
  const { timestampUs, durationUs } = chunk;
  published.push({ timestampUs, durationUs, payload: Buffer.from(chunk.payload) });
  // Clients read the time from the message, in whole microseconds.
  const message = decodeWireChunk(chunk.tcpMessage.subarray(26));
  expect(Math.abs(message.timestampUs - timestampUs)).toBeLessThanOrEqual(0.5);
  chunk.release();
  if (published.length === failAt) throw new SourceError('test', 'the encoder broke');
}

function onFailure(error: unknown): void {
  throw error;
}

/** Lets somebody listen, and waits until the past is encoded. */
async function activate(): Promise<void> {
  encoding.activate();
  await until(() => encoding.waiting === 0);
}

async function open(codec: string, formatText = '48000:16:2', pastMs = 1000): Promise<void> {
  format = SampleFormat.parse(formatText);
  pcm = pcmOf(format, format.framesIn(20), music);
  encoding = await Encoding.open({ codec, format, pastMs, pool, publish, onFailure });
}

/** Chunks of 20 ms that follow each other from `fromUs` on; the first one starts a run. */
function take(count: number, fromUs: number, startsRun = true): void {
  for (let index = 0; index < count; index += 1) {
    const chunk = pool.acquire(pcm.length, 'test');
    chunk.writable.set(pcm);
    chunk.payloadBytes = pcm.length;
    encoding.take({
      chunk,
      timestampUs: fromUs + index * chunkUs,
      startsRun: startsRun && index === 0,
    });
  }
}

const endUs = (chunk: Published | undefined) => (chunk ? chunk.timestampUs + chunk.durationUs : 0);

describe('encoding while somebody listens', () => {
  it.each([
    ['pcm', '48000:16:2', 20_000, 0],
    ['pcm', '44100:24:2', 20_000, 0],
    ['flac', '48000:16:2', 24_000, 0],
    ['flac', '96000:24:2', 12_000, 0],
    ['flac:8', '48000:16:2', (4096 * 1e6) / 48_000, 0],
    ['opus', '48000:16:2', 20_000, 2500],
    ['opus', '44100:16:2', 20_000, 2500],
  ])('%s of %s publishes chunks exactly %d µs apart', async (codec, text, us, delayUs) => {
    await open(codec, text);
    await activate();
    take(100, startUs);
    encoding.flush();
    expect(published[0]?.timestampUs).toBeCloseTo(startUs - delayUs, 6);
    for (const distance of distancesUs(published)) expect(distance).toBeCloseTo(us, 6);
    // The two seconds are all there once the tail is flushed.
    expect(endUs(published.at(-1))).toBeGreaterThanOrEqual(startUs + 100 * chunkUs - 1);
    expect(endUs(published.at(-1))).toBeLessThan(startUs + 101 * chunkUs);
  });

  it.each(['flac', 'opus'])(
    '%s: flushes the tail of a run with its own time base',
    async (codec) => {
      await open(codec);
      await activate();
      take(4, startUs);
      const before = published.length;
      encoding.flush();
      expect(published.length).toBeGreaterThan(before);
      expect(endUs(published.at(-1))).toBeGreaterThanOrEqual(startUs + 4 * chunkUs);
      const laterUs = startUs + 3_000_000;
      take(4, laterUs);
      const fresh = published.filter(({ timestampUs }) => timestampUs > startUs + 1_000_000);
      expect(fresh[0]?.timestampUs).toBeCloseTo(laterUs - (codec === 'opus' ? 2500 : 0), 6);
    },
  );

  it('flushes the old run before a chunk that starts a new one', async () => {
    await open('flac');
    await activate();
    take(4, startUs);
    take(4, startUs + 500_000);
    encoding.flush();
    const jumps = distancesUs(published).filter((distance) => distance > 24_000);
    expect(jumps).toHaveLength(1);
    const jump = published.findIndex(({ timestampUs }) => timestampUs === startUs + 500_000);
    expect(endUs(published[jump - 1])).toBe(startUs + 4 * chunkUs);
  });

  it('null publishes nothing', async () => {
    await open('null');
    await activate();
    take(10, startUs);
    encoding.flush();
    expect(published).toEqual([]);
  });
});

describe('encoding while nobody listens', () => {
  it('publishes nothing and keeps the last second of PCM', async () => {
    await open('pcm');
    take(500, startUs);
    encoding.flush();
    expect(published).toEqual([]);
    const { totalSlots, availableSlots } = pool.statistics;
    expect(totalSlots - availableSlots).toBe(51);
  });

  it.each(['pcm', 'flac', 'opus'])(
    '%s gives the first listener that second at once',
    async (codec) => {
      await open(codec);
      take(500, startUs);
      await activate();
      const nowUs = startUs + 500 * chunkUs;
      expect(published[0]?.timestampUs).toBeCloseTo(nowUs - 51 * chunkUs, -4);
      expect(endUs(published.at(-1))).toBeGreaterThan(nowUs - 25_000);
      take(50, nowUs, false);
      const distances = distancesUs(published);
      for (const distance of distances) expect(distance).toBeCloseTo(distances[0] ?? 0, 6);
    },
  );

  it.each(['pcm', 'flac', 'opus'])(
    '%s goes on without a gap after a short absence',
    async (codec) => {
      await open(codec);
      await activate();
      take(50, startUs);
      encoding.deactivate();
      const before = published.length;
      take(15, startUs + 50 * chunkUs, false);
      expect(published).toHaveLength(before);
      await activate();
      take(15, startUs + 65 * chunkUs, false);
      const distances = distancesUs(published);
      for (const distance of distances) expect(distance).toBeCloseTo(distances[0] ?? 0, 6);
    },
  );

  it.each(['pcm', 'flac', 'opus'])('%s jumps, and never back, after a long one', async (codec) => {
    await open(codec);
    await activate();
    take(50, startUs);
    encoding.deactivate();
    take(250, startUs + 50 * chunkUs, false);
    await activate();
    take(10, startUs + 300 * chunkUs, false);
    const distances = distancesUs(published);
    expect(Math.min(...distances)).toBeGreaterThan(0);
    expect(distances.filter((distance) => distance > 1_000_000)).toHaveLength(1);
    expect(published.at(-1)?.timestampUs).toBeGreaterThan(startUs + 307 * chunkUs);
  });

  it('publishes the tail of a run that ended meanwhile', async () => {
    await open('flac');
    take(4, startUs);
    encoding.flush();
    await activate();
    expect(endUs(published.at(-1))).toBe(startUs + 4 * chunkUs);
    encoding.deactivate();
    take(4, startUs + 4 * chunkUs);
    encoding.flush();
    take(4, startUs + 8 * chunkUs, false);
    await activate();
    expect(endUs(published.at(-1))).toBeLessThan(startUs + 12 * chunkUs);
  });

  it('keeps runs apart', async () => {
    await open('flac');
    take(4, startUs);
    encoding.flush();
    take(4, startUs + 400_000);
    await activate();
    encoding.flush();
    expect(published.map(({ timestampUs }) => timestampUs - startUs)).toEqual([
      ...[0, 24_000, 48_000, 72_000],
      ...[400_000, 424_000, 448_000, 472_000],
    ]);
    expect(endUs(published[3])).toBe(startUs + 80_000);
  });

  it('is encoded in slices, in order with what comes meanwhile', async () => {
    await open('flac:8', '96000:24:2');
    take(50, startUs);
    encoding.activate();
    let turns = 0;
    let next = 50;
    while (encoding.waiting > 0) {
      if (turns === 1) {
        take(5, startUs + next * chunkUs, false);
        next += 5;
      }
      turns += 1;
      await turn();
    }
    expect(turns).toBeGreaterThan(3);
    encoding.flush();
    expect(new Set(distancesUs(published.slice(0, -1)).map(Math.round))).toEqual(new Set([42_667]));
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 55 * chunkUs, 3);
  });

  it('flushes the end of a run only after what waits', async () => {
    await open('flac:8', '96000:24:2');
    take(50, startUs);
    encoding.activate();
    encoding.flush();
    await until(() => encoding.waiting === 0);
    await until(() => endUs(published.at(-1)) >= startUs + 50 * chunkUs);
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 50 * chunkUs, 3);
  });

  it('goes on waiting when the listener leaves in between', async () => {
    await open('flac:8', '96000:24:2');
    take(50, startUs);
    encoding.activate();
    encoding.deactivate();
    const waiting = encoding.waiting;
    expect(waiting).toBeGreaterThan(0);
    await turn();
    await turn();
    expect(encoding.waiting).toBe(waiting);
    await activate();
    encoding.flush();
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 50 * chunkUs, 3);
  });

  it('forgets on demand', async () => {
    await open('pcm');
    take(20, startUs);
    encoding.clear();
    expect(pool.isFull).toBe(true);
    await activate();
    expect(published).toEqual([]);
  });
});

describe('an encoder that fails', () => {
  it('says so when it is opened', async () => {
    await open('pcm');
    const options = { format, pastMs: 1000, pool, publish, onFailure };
    await expect(Encoding.open({ ...options, codec: 'mp3' })).rejects.toThrow('"mp3" is no codec');
    await expect(Encoding.open({ ...options, codec: 'flac:9' })).rejects.toThrow('0 to 8');
  });

  it('loses no memory when it fails on the past that waited', async () => {
    await open('pcm');
    take(20, startUs);
    failAt = 1; // later ones may fall into a later slice
    expect(() => encoding.activate()).toThrow('the encoder broke');
    encoding.close();
    expect(pool.isFull).toBe(true);
  });

  it('loses no memory when it fails on a chunk', async () => {
    await open('flac');
    await activate();
    failAt = 2;
    expect(() => take(20, startUs)).toThrow('the encoder broke');
  });
});
