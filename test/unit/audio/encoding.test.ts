import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Chunk } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { EncodeTurns } from '../../../src/audio/encode-turns.ts';
import { Encoding } from '../../../src/audio/encoding.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { SourceError } from '../../../src/base/errors.ts';
import { decodeWireChunk } from '../../../src/protocol/messages.ts';
import { music, pcmOf } from '../../support/encoding.ts';
import { distancesUs } from '../../support/reader-rig.ts';
import { turn, until } from '../../support/waiting.ts';

const chunkUs = 20_000;
const startUs = 5_000_000;

interface Published {
  readonly timestampUs: number;
  readonly durationUs: number;
  readonly payload: Buffer;
}

const turns = new EncodeTurns();
let pool: ChunkPool;
let encoding: Encoding;
let published: Published[];
let failAt: number;
let failures: unknown[];
let format: SampleFormat;
let pcm: Buffer;

beforeEach(() => {
  pool = new ChunkPool({ verifySeals: true });
  published = [];
  failures = [];
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
  failures.push(error);
}

/** Lets somebody listen, and waits until the past is encoded. */
async function activate(): Promise<void> {
  encoding.activate();
  await until(() => encoding.waiting === 0);
}

async function open(codec: string, formatText = '48000:16:2', pastMs = 1000): Promise<void> {
  format = SampleFormat.parse(formatText);
  pcm = pcmOf(format, format.framesIn(20), music);
  encoding = await Encoding.open({
    codec,
    format,
    pastMs,
    bufferMs: pastMs + 150,
    pool,
    turns,
    publish,
    onFailure,
  });
}

/** Chunks of 20 ms that follow each other from `fromUs` on; the first one starts a run. */
function give(count: number, fromUs: number, startsRun = true): void {
  for (let index = 0; index < count; index += 1) {
    const chunk = pool.acquire(pcm.length, 'test');
    chunk.writable.set(pcm);
    chunk.payloadBytes = pcm.length;
    encoding.take({
      chunk,
      timestampUs: fromUs + index * chunkUs,
      startsRun: startsRun && index === 0,
      stretch: 1,
    });
  }
}

/** The same, with as much time for each chunk as it needs. */
async function take(count: number, fromUs: number, startsRun = true): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    give(1, fromUs + index * chunkUs, startsRun && index === 0);
    await worked();
  }
}

/** Waits until what is there is encoded, if somebody listens. */
async function worked(): Promise<void> {
  await until(() => !encoding.isBusy || failures.length > 0);
}

async function flush(): Promise<void> {
  encoding.flush();
  await worked();
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
    await take(100, startUs);
    await flush();
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
      await take(4, startUs);
      const before = published.length;
      await flush();
      expect(published.length).toBeGreaterThan(before);
      expect(endUs(published.at(-1))).toBeGreaterThanOrEqual(startUs + 4 * chunkUs);
      const laterUs = startUs + 3_000_000;
      await take(4, laterUs);
      const fresh = published.filter(({ timestampUs }) => timestampUs > startUs + 1_000_000);
      expect(fresh[0]?.timestampUs).toBeCloseTo(laterUs - (codec === 'opus' ? 2500 : 0), 6);
    },
  );

  it('flushes the old run before a chunk that starts a new one', async () => {
    await open('flac');
    await activate();
    await take(4, startUs);
    await take(4, startUs + 500_000);
    await flush();
    const jumps = distancesUs(published).filter((distance) => distance > 24_000);
    expect(jumps).toHaveLength(1);
    const jump = published.findIndex(({ timestampUs }) => timestampUs === startUs + 500_000);
    expect(endUs(published[jump - 1])).toBe(startUs + 4 * chunkUs);
  });

  it.each(['pcm', 'flac', 'flac:8', 'opus'])(
    '%s: keeps the place of its audio while the time base follows a source',
    async (codec) => {
      await open(codec);
      await activate();
      const stretches = [1, 1 + 300e-6, 1 - 300e-6, 1 + 20e-6];
      let timestampUs = startUs;
      for (let index = 0; index < 400; index += 1) {
        const stretch = stretches[Math.floor(index / 100)]!;
        const chunk = pool.acquire(pcm.length, 'test');
        chunk.writable.set(pcm);
        chunk.payloadBytes = pcm.length;
        encoding.take({ chunk, timestampUs, startsRun: index === 0, stretch });
        timestampUs += chunkUs * stretch;
        if (index % 10 === 0) await until(() => encoding.waiting === 0);
      }
      await flush();
      const delayUs = codec === 'opus' ? 2500 : 0;
      const partUs = 100 * chunkUs;
      const placeUs = (sinceUs: number) => {
        const part = Math.min(3, Math.floor(sinceUs / partUs));
        const before = stretches.slice(0, part).reduce((sum, stretch) => sum + stretch, 0);
        return startUs + before * partUs + (sinceUs - part * partUs) * stretches[part]!;
      };
      let sinceUs = -delayUs;
      for (const { timestampUs: atUs, durationUs } of published) {
        const expectedUs = sinceUs < 0 ? startUs + sinceUs : placeUs(sinceUs);
        expect(Math.abs(atUs - expectedUs)).toBeLessThan(0.01);
        sinceUs += durationUs;
      }
      expect(sinceUs).toBeGreaterThanOrEqual(400 * chunkUs - 1);
    },
  );

  it('null publishes nothing', async () => {
    await open('null');
    await activate();
    await take(10, startUs);
    await flush();
    expect(published).toEqual([]);
  });
});

describe('encoding while nobody listens', () => {
  it('publishes nothing and keeps the last second of PCM', async () => {
    await open('pcm');
    await take(500, startUs);
    await flush();
    expect(published).toEqual([]);
    const { totalSlots, availableSlots } = pool.statistics;
    expect(totalSlots - availableSlots).toBe(51);
  });

  it.each(['pcm', 'flac', 'opus'])(
    '%s gives the first listener that second at once',
    async (codec) => {
      await open(codec);
      await take(500, startUs);
      await activate();
      const nowUs = startUs + 500 * chunkUs;
      expect(published[0]?.timestampUs).toBeCloseTo(nowUs - 51 * chunkUs, -4);
      expect(endUs(published.at(-1))).toBeGreaterThan(nowUs - 25_000);
      await take(50, nowUs, false);
      const distances = distancesUs(published);
      for (const distance of distances) expect(distance).toBeCloseTo(distances[0] ?? 0, 6);
    },
  );

  it.each(['pcm', 'flac', 'opus'])(
    '%s goes on without a gap after a short absence',
    async (codec) => {
      await open(codec);
      await activate();
      await take(50, startUs);
      encoding.deactivate();
      const before = published.length;
      await take(15, startUs + 50 * chunkUs, false);
      expect(published).toHaveLength(before);
      await activate();
      await take(15, startUs + 65 * chunkUs, false);
      const distances = distancesUs(published);
      for (const distance of distances) expect(distance).toBeCloseTo(distances[0] ?? 0, 6);
    },
  );

  it.each(['pcm', 'flac', 'opus'])('%s jumps, and never back, after a long one', async (codec) => {
    await open(codec);
    await activate();
    await take(50, startUs);
    encoding.deactivate();
    await take(250, startUs + 50 * chunkUs, false);
    await activate();
    await take(10, startUs + 300 * chunkUs, false);
    const distances = distancesUs(published);
    expect(Math.min(...distances)).toBeGreaterThan(0);
    expect(distances.filter((distance) => distance > 1_000_000)).toHaveLength(1);
    expect(published.at(-1)?.timestampUs).toBeGreaterThan(startUs + 307 * chunkUs);
  });

  it('publishes the tail of a run that ended meanwhile', async () => {
    await open('flac');
    await take(4, startUs);
    await flush();
    await activate();
    expect(endUs(published.at(-1))).toBe(startUs + 4 * chunkUs);
    encoding.deactivate();
    await take(4, startUs + 4 * chunkUs);
    await flush();
    await take(4, startUs + 8 * chunkUs, false);
    await activate();
    expect(endUs(published.at(-1))).toBeLessThan(startUs + 12 * chunkUs);
  });

  it('keeps runs apart', async () => {
    await open('flac');
    await take(4, startUs);
    await flush();
    await take(4, startUs + 400_000);
    await activate();
    await flush();
    expect(published.map(({ timestampUs }) => timestampUs - startUs)).toEqual([
      ...[0, 24_000, 48_000, 72_000],
      ...[400_000, 424_000, 448_000, 472_000],
    ]);
    expect(endUs(published[3])).toBe(startUs + 80_000);
  });

  it('is encoded in slices, in order with what comes meanwhile', async () => {
    await open('flac:8', '192000:24:2');
    await take(50, startUs);
    encoding.activate();
    let turns = 0;
    let next = 50;
    while (encoding.waiting > 0) {
      if (turns === 1) {
        give(5, startUs + next * chunkUs, false);
        next += 5;
      }
      turns += 1;
      await turn();
    }
    expect(turns).toBeGreaterThan(3);
    await flush();
    expect(new Set(distancesUs(published.slice(0, -1)).map(Math.round))).toEqual(new Set([21_333]));
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 55 * chunkUs, 3);
  });

  it('flushes the end of a run only after what waits', async () => {
    await open('flac:8', '96000:24:2');
    await take(50, startUs);
    encoding.activate();
    await flush();
    await until(() => encoding.waiting === 0);
    await until(() => endUs(published.at(-1)) >= startUs + 50 * chunkUs);
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 50 * chunkUs, 3);
  });

  it('goes on waiting when the listener leaves in between', async () => {
    await open('flac:8', '96000:24:2');
    await take(50, startUs);
    encoding.activate();
    encoding.deactivate();
    const waiting = encoding.waiting;
    expect(waiting).toBeGreaterThan(0);
    await turn();
    await turn();
    expect(encoding.waiting).toBe(waiting);
    await activate();
    await flush();
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 50 * chunkUs, 3);
  });

  it.each(['flac', 'opus'])('%s gives nothing of what was forgotten', async (codec) => {
    await open(codec);
    await activate();
    await take(4, startUs);
    encoding.deactivate();
    const before = published.length;
    encoding.clear();
    const laterUs = startUs + 900_000;
    await take(4, laterUs);
    await activate();
    await flush();
    const delayUs = codec === 'opus' ? 2500 : 0;
    expect(published[before]?.timestampUs).toBeCloseTo(laterUs - delayUs, 6);
  });

  it('forgets on demand', async () => {
    await open('pcm');
    await take(20, startUs);
    encoding.clear();
    expect(pool.isFull).toBe(true);
    await activate();
    expect(published).toEqual([]);
  });
});

describe('an encoder that is slower than real time', () => {
  const usedSlots = () => pool.statistics.totalSlots - pool.statistics.availableSlots;

  /** Gives 400 ms per turn of the event loop, which is more than can be encoded. */
  async function flood(until: () => boolean): Promise<number> {
    let given = 0;
    while (!until() && given < 5000) {
      for (let count = 0; count < 20 && !until(); count += 1) {
        give(1, startUs + given * chunkUs, given === 0);
        given += 1;
      }
      await turn();
    }
    return given;
  }

  it('never keeps more than what can still be played: the oldest is dropped and counted', async () => {
    await open('flac:8', '96000:24:8');
    encoding.activate();
    let most = 0;
    await flood(() => {
      most = Math.max(most, usedSlots());
      return encoding.figures.droppedChunks > 0;
    });
    expect(encoding.figures.droppedChunks).toBeGreaterThan(0);
    // 1150 ms, the one in the encoder, and the one that came last.
    expect(most).toBeLessThanOrEqual(1150 / 20 + 3);
    expect(encoding.waiting).toBeLessThanOrEqual(1000 / 20 + 2);
  });

  it('plays on when it has caught up, with a jump where something was dropped', async () => {
    await open('flac', '96000:24:8');
    encoding.activate();
    const given = await flood(() => encoding.figures.droppedChunks > 0);
    await until(() => encoding.waiting === 0);
    await take(5, startUs + given * chunkUs, false);
    await flush();
    expect(failures).toEqual([]);
    expect(distancesUs(published).every((distance) => distance > 0)).toBe(true);
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + (given + 5) * chunkUs, 3);
  });

  it.each(['96000:24:8', '655350:24:8'])(
    'is given up with one reason that says what it takes and what helps, %s',
    async (formatText) => {
      await open('flac:8', formatText);
      encoding.activate();
      await flood(() => failures.length > 0);
      expect(failures).toHaveLength(1);
      expect(failures[0]).toBeInstanceOf(SourceError);
      expect(String(failures[0])).toMatch(
        /cannot keep up with real time: flac:8 of \d+:24:8 takes \d+ % .* use a lower flac level/,
      );
      // One that would keep up by itself only lacks the processor, perhaps for a moment.
      const percent = Number(/takes (\d+) %/.exec(String(failures[0]))?.[1]);
      const patienceMs = percent >= 100 ? 1000 : 10_000;
      const droppedMs = encoding.figures.droppedChunks * 20;
      expect(droppedMs).toBeGreaterThanOrEqual(patienceMs);
      // That is looked at once per turn, which brings 400 ms, and 160 ms are dropped at once.
      expect(droppedMs).toBeLessThan(patienceMs + 400 + 160);
      const { encodedChunks } = encoding.figures;
      await turn();
      await turn();
      expect(encoding.figures.encodedChunks).toBe(encodedChunks);
    },
    30_000,
  );

  it('is not given up for what had waited before anybody listened', async () => {
    await open('flac:8', '96000:24:8', 3000);
    give(200, startUs);
    encoding.activate();
    // The server was away for a moment, right when somebody came.
    give(100, startUs + 200 * chunkUs, false);
    expect(encoding.figures.droppedChunks).toBeGreaterThan(1000 / 20);
    await worked();
    expect(failures).toEqual([]);
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 300 * chunkUs, -6);
  });

  it('is not given up for a moment in which the server did not get the processor', async () => {
    await open('flac', '48000:16:2');
    encoding.activate();
    await take(5, startUs);
    give(300, startUs + 5 * chunkUs, false);
    // More than a second; how much is taken at once depends on what is left of the turn.
    expect(encoding.figures.droppedChunks).toBeGreaterThan(1000 / 20);
    await worked();
    expect(failures).toEqual([]);
  });

  it('is not taken for slow when others have the processor while it encodes', async () => {
    await open('flac', '48000:16:2');
    encoding.activate();
    await take(5, startUs);
    const now = performance.now.bind(performance);
    const slowly = vi.spyOn(performance, 'now').mockImplementation(() => 500 * now());
    try {
      for (let round = 0; round < 4; round += 1) {
        give(60, startUs + (5 + 60 * round) * chunkUs, false);
        for (let count = 0; count < 5; count += 1) await turn();
      }
      while (encoding.isBusy && failures.length === 0) await turn();
    } finally {
      slowly.mockRestore();
    }
    expect(encoding.figures.droppedChunks).toBeGreaterThan(1000 / 20);
    expect(failures).toEqual([]);
  });

  it('counts nothing while nobody listens', async () => {
    await open('flac:8', '96000:24:8');
    await flood(() => usedSlots() > 50);
    give(500, startUs + 51 * chunkUs, false);
    expect(encoding.figures.droppedChunks).toBe(0);
    expect(failures).toEqual([]);
  });
});

describe('a long chunk', () => {
  it.each([
    ['flac:8', '192000:24:2'],
    ['opus', '48000:16:2'],
  ])('is encoded in parts by %s, the same as short ones', async (codec, formatText) => {
    await open(codec, formatText);
    await activate();
    await take(50, startUs);
    await flush();
    const short = published.splice(0);
    const whole = pool.acquire(50 * pcm.length, 'test');
    for (let index = 0; index < 50; index += 1) whole.writable.set(pcm, index * pcm.length);
    whole.payloadBytes = 50 * pcm.length;
    let parts = 0;
    const timestampUs = startUs + 10_000_000;
    encoding.take({ chunk: whole, timestampUs, startsRun: true, stretch: 1 });
    for (; encoding.waiting > 0; parts += 1) await turn();
    await flush();
    if (codec === 'flac:8') expect(parts).toBeGreaterThan(1);
    const bytes = (chunks: readonly Published[]) => chunks.map(({ payload }) => payload);
    expect(bytes(published)).toEqual(bytes(short));
  });
});

describe('an encoder that fails', () => {
  it('says so when it is opened', async () => {
    await open('pcm');
    const options = { format, pastMs: 1000, bufferMs: 1150, pool, turns, publish, onFailure };
    await expect(Encoding.open({ ...options, codec: 'mp3' })).rejects.toThrow('"mp3" is no codec');
    await expect(Encoding.open({ ...options, codec: 'flac:9' })).rejects.toThrow('0 to 8');
  });

  it('loses no memory when it fails on the past that waited', async () => {
    await open('pcm');
    await take(20, startUs);
    failAt = 3;
    encoding.activate();
    await until(() => failures.length > 0);
    expect(failures).toEqual([expect.objectContaining({ message: 'the encoder broke' })]);
    encoding.close();
    expect(pool.isFull).toBe(true);
  });

  it('loses no memory when it fails on a chunk', async () => {
    await open('flac');
    await activate();
    failAt = 2;
    await take(20, startUs);
    await until(() => failures.length > 0);
    await take(20, startUs + 20 * chunkUs, false);
    await turn();
    expect(failures).toHaveLength(1);
    expect(published).toHaveLength(2);
  });
});

describe('encoding in a thread', () => {
  const threads: Worker[] = [];
  const onThread = (thread: Worker) => threads.push(thread);
  /** What takes `libflacjs` longer than the event loop can wait. */
  const dear = ['flac:8', '96000:24:2'] as const;

  beforeEach(() => {
    vi.stubEnv('ZEROCAST_NATIVE', 'off');
    threads.length = 0;
    process.on('worker', onThread);
  });

  afterEach(() => {
    process.off('worker', onThread);
    vi.unstubAllEnvs();
  });

  async function openThread(): Promise<Worker> {
    await open(...dear);
    const [thread, ...others] = threads;
    expect(others).toEqual([]);
    if (!thread) throw new Error('it encodes in the event loop');
    return thread;
  }

  it('publishes chunks in order, exactly one block apart, and each run on its own time base', async () => {
    await openThread();
    await activate();
    const laterUs = startUs + 500_000;
    give(20, startUs);
    give(20, laterUs);
    await flush();
    const blockUs = (4096 * 1e6) / 96_000;
    const second = published.findIndex(({ timestampUs }) => timestampUs >= laterUs);
    expect(published[0]?.timestampUs).toBe(startUs);
    expect(published[second]?.timestampUs).toBe(laterUs);
    for (const run of [published.slice(0, second), published.slice(second)]) {
      for (const distance of distancesUs(run)) expect(distance).toBeCloseTo(blockUs, 6);
      expect(endUs(run.at(-1)) - run[0]!.timestampUs).toBeCloseTo(20 * chunkUs, 3);
    }
    expect(encoding.figures).toMatchObject({ encodedChunks: published.length, droppedChunks: 0 });
  });

  it('leaves the event loop to others meanwhile', async () => {
    await openThread();
    await activate();
    const before = performance.eventLoopUtilization();
    await take(50, startUs);
    const { active } = performance.eventLoopUtilization(before);
    // Waiting for a condition keeps the loop turning, which is most of what it does.
    expect(encoding.figures.encodeUs).toBeGreaterThan(50_000);
    expect(encoding.figures.encodedChunks).toBe(published.length);
    expect(active).toBeLessThan(encoding.figures.encodeUs / 1000);
  });

  it('keeps no more than what can still be played: the oldest is dropped and counted', async () => {
    await openThread();
    encoding.activate();
    give(70, startUs);
    expect(encoding.figures.droppedChunks).toBeGreaterThan(0);
    expect(encoding.waiting).toBeLessThanOrEqual(1150 / 20 + 2);
    await flush();
    expect(failures).toEqual([]);
    expect(endUs(published.at(-1))).toBeCloseTo(startUs + 70 * chunkUs, 3);
  });

  it('is given up with the reason when it cannot keep up', async () => {
    await open('flac:8', '192000:24:8');
    encoding.activate();
    give(150, startUs);
    await until(() => failures.length > 0);
    expect(threads).toHaveLength(1);
    expect(failures).toEqual([expect.any(SourceError)]);
    expect(String(failures[0])).toMatch(/cannot keep up with real time: .* takes [1-9]\d\d+ % of/);
  });

  it('ends with the stream, in the middle of a chunk or not', async () => {
    const thread = await openThread();
    const ended = once(thread, 'exit');
    encoding.activate();
    give(10, startUs);
    expect(encoding.isBusy).toBe(true);
    encoding.close();
    await ended;
    await turn();
    expect(failures).toEqual([]);
    expect(published).toEqual([]);
  });

  it.each([true, false])(
    'fails with one clear reason when the thread dies, busy: %s',
    async (busy) => {
      const thread = await openThread();
      await activate();
      if (busy) give(10, startUs);
      await thread.terminate();
      if (!busy) give(10, startUs);
      await until(() => failures.length > 0);
      expect(failures).toEqual([expect.any(SourceError)]);
      expect(String(failures[0])).toMatch(/the flac library failed: its thread ended/);
      give(5, startUs + 10 * chunkUs, false);
      await turn();
      expect(failures).toHaveLength(1);
    },
  );
});
