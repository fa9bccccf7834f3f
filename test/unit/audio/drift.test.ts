import { describe, expect, it, vi } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { parseStreamOptions } from '../../../src/audio/stream-options.ts';
import { LogLines } from '../../support/log-lines.ts';
import { pacedReader, streamDefaults } from '../../support/reader-rig.ts';
import {
  type ProducerHabits,
  producerFormat,
  VirtualProducer,
} from '../../support/virtual-producer.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

// A day takes long on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

const minuteUs = 60_000_000;
const hourUs = 60 * minuteUs;
const dayUs = 24 * hourUs;
const byteRate = 192_000;

interface Heard {
  readonly runs: number;
  readonly droppedMs: number;
  /** Of the latency from capture to timestamp, compared with that of the first minute. */
  readonly farthestMs: number;
  readonly steepestPpm: number;
  readonly driftPpm: number;
  readonly log: LogLines;
}

/** Listens to a producer for so long, by groups of chunks. */
async function listen(
  habits: ProducerHabits,
  us: number,
  { chunkMs = 20, groupMs = 0 } = {},
): Promise<Heard> {
  const time = new VirtualTime();
  const source = new VirtualProducer(time, habits);
  const options = parseStreamOptions('pipe:///x?name=V', { ...streamDefaults, chunkMs });
  const chunkUs = chunkMs * 1000;
  const log = new LogLines();
  const pool = new ChunkPool();
  let [runs, dropped, nextFrame, lastUs] = [0, 0, 0, 0];
  let [firstUs, farthestUs, steepest] = [0, 0, 0];
  const reader = pacedReader(source, options, {
    pool,
    clock: time,
    logger: log,
    groupMs: () => groupMs,
    onPcm: ({ chunk, timestampUs, startsRun }) => {
      const frame = chunk.payload.readDoubleLE(0);
      chunk.release();
      dropped += frame - nextFrame;
      nextFrame = frame + producerFormat.framesIn(chunkMs);
      if (startsRun) runs += 1;
      else steepest = Math.max(steepest, Math.abs(timestampUs - lastUs - chunkUs) / chunkUs);
      lastUs = timestampUs;
      const latencyUs = timestampUs - source.capturedUs(frame);
      if (time.nowUs() - source.startUs < minuteUs) firstUs = latencyUs;
      else farthestUs = Math.max(farthestUs, Math.abs(latencyUs - firstUs));
    },
    onRunEnd: () => undefined,
    onOutdated: () => undefined,
    onActivity: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  let stopped: Promise<void> | undefined;
  time.during(() => {
    reader.start();
    time.pass(us);
    stopped = reader.stop();
  });
  await stopped;
  expect(pool.isFull).toBe(true);
  return {
    runs,
    droppedMs: dropped / 48,
    farthestMs: farthestUs / 1000,
    steepestPpm: steepest * 1e6,
    driftPpm: reader.driftPpm,
    log,
  };
}

const transports = [
  ['a pipe', { capacityBytes: 65_536 }],
  ['TCP, seen by reading ahead', { capacityBytes: 4_000_000, seenBytes: 0.4 * byteRate }],
  ['an input that tells nothing of what waits', { capacityBytes: 4_000_000, seenBytes: 0 }],
] as const;
const writers = [
  ['100 ms', { writeBytes: 19_200 }],
  ['4 KiB', { writeBytes: 4096 }],
  ['4 KiB with jitter', { writeBytes: 4096, jitterMs: 15 }],
] as const;
/** Of a timestamp that is a floating point number. */
const roundingPpm = 0.001;
const drifts = [50, -50, 200, -200, 300, -300];

function expectFollowed(heard: Heard, ppm: number, withinPpm = 15): void {
  expect(heard.log.lines).toEqual([]);
  expect(heard).toMatchObject({ runs: 1, droppedMs: 0 });
  expect(heard.farthestMs).toBeLessThan(100);
  expect(heard.steepestPpm).toBeLessThan(330);
  expect(Math.abs(heard.driftPpm - ppm)).toBeLessThan(withinPpm);
}

describe.each(transports)('a live source by %s', (_, transport) => {
  describe.each(writers)('that writes %s at a time', (__, writer) => {
    it.each(drifts)('is followed at %d ppm', async (ppm) => {
      expectFollowed(await listen({ ...transport, ...writer, ppm }, hourUs / 2), ppm);
    });

    it('has the timestamps of its sample counts when its clock is that of this machine', async () => {
      const heard = await listen({ ...transport, ...writer, ppm: 0 }, hourUs / 2);
      expect(heard.log.lines).toEqual([]);
      expect(heard).toMatchObject({ runs: 1, droppedMs: 0 });
      expect(heard.steepestPpm).toBeLessThan(roundingPpm);
      expect(Math.abs(heard.driftPpm)).toBeLessThan(15);
    });
  });
});

describe('a live source that is read in groups of chunks', () => {
  it.each(
    [
      ['a pipe', { capacityBytes: 65_536 }],
      ['a large pipe', { capacityBytes: 4 * 65_536 }],
      ['TCP, seen by reading ahead', { capacityBytes: 4_000_000, seenBytes: 0.4 * byteRate }],
    ].flatMap(([name, transport]) =>
      writers.flatMap(([pieces, writer]) =>
        [0, 50, -50, 300, -300].map((ppm) => [ppm, name, pieces, transport, writer] as const),
      ),
    ),
  )('is followed at %d ppm by %s, written %s at a time', async (ppm, _, __, transport, writer) => {
    const habits = { ...(transport as (typeof transports)[0][1]), ...writer, ppm };
    const heard = await listen(habits, hourUs / 2, { groupMs: 200 });
    // Looks that are seldom see less of when a piece came.
    expectFollowed(heard, ppm, 25);
    if (ppm === 0) expect(heard.steepestPpm).toBeLessThan(roundingPpm);
  });

  it.each([
    [1000, 19_200],
    [1000, 4096],
    [50_000, 19_200],
  ])('loses just what it is ahead: %d ppm, %d bytes at a time', async (ppm, writeBytes) => {
    const heard = await listen({ writeBytes, capacityBytes: 400_000, ppm }, hourUs, {
      groupMs: 200,
    });
    const surplusMs = ((ppm - 320) / 1e6) * (hourUs / 1000);
    expect(heard.runs).toBe(1);
    expect(heard.farthestMs).toBeLessThan(400);
    expect(heard.droppedMs).toBeGreaterThan(0.9 * surplusMs - 400);
    expect(heard.droppedMs).toBeLessThan(1.1 * surplusMs + 400);
  });
});

describe('a live source for a day', { timeout: 120_000 }, () => {
  it.each(drifts)('is followed at %d ppm', async (ppm) => {
    const habits = { capacityBytes: 65_536, writeBytes: 19_200, jitterMs: 50, ppm };
    expectFollowed(await listen(habits, dayUs, { chunkMs: 100 }), ppm);
  });
});

describe('a source that is further off than players can correct', { timeout: 120_000 }, () => {
  const resyncs = (heard: Heard, kind: string) => heard.log.with(`resync, ${kind}`);

  it.each([
    [24, { writeBytes: 19_200 }],
    [3, { writeBytes: 4096 }],
    [24, { writeBytes: 4096, jitterMs: 15 }],
  ])(
    'has a gap now and then when it is slow, and loses nothing: %d hours, %o',
    async (hours, writer) => {
      const habits = { ...writer, capacityBytes: 65_536, ppm: -1000 };
      const heard = await listen(habits, hours * hourUs, { chunkMs: 100 });
      expect(heard.droppedMs).toBe(0);
      expect(heard.log.lines.length).toBe(resyncs(heard, 'audio came too late').length);
      expect(heard.log.with('"late":"source"').length).toBe(heard.log.lines.length);
      // 680 ppm cannot be slewed away, and each jump makes up for a quarter of a second.
      const leastRuns = (0.00068 * hours * 3600) / 0.25;
      expect(heard.runs).toBeGreaterThan(0.8 * leastRuns);
      expect(heard.runs).toBeLessThan(1.3 * leastRuns);
      expect(heard.driftPpm).toBeGreaterThan(-1100);
      expect(heard.driftPpm).toBeLessThan(-900);
    },
  );

  it.each([
    [1000, 24, { writeBytes: 19_200 }],
    [1000, 3, { writeBytes: 4096 }],
    [1000, 24, { writeBytes: 4096, jitterMs: 15 }],
    [50_000, 1, { writeBytes: 4096 }],
    [50_000, 1, { writeBytes: 19_200 }],
  ])(
    'skips just what it is ahead when it is fast: %d ppm, %d hours, %o',
    async (ppm, hours, writer) => {
      const us = hours * hourUs;
      const heard = await listen({ ...writer, capacityBytes: 400_000, ppm }, us, { chunkMs: 100 });
      expect(heard.runs).toBe(1);
      expect(heard.steepestPpm).toBeLessThan(330);
      expect(heard.farthestMs).toBeLessThan(400);
      const surplusMs = ((ppm - 320) / 1e6) * (us / 1000);
      expect(heard.droppedMs).toBeGreaterThan(0.9 * surplusMs - 400);
      expect(heard.droppedMs).toBeLessThan(1.1 * surplusMs + 400);
      expect(heard.log.lines.length).toBe(resyncs(heard, 'the source is too fast').length);
      expect(heard.log.with('"late":"source"').length).toBe(heard.log.lines.length);
      expect(Math.abs(heard.driftPpm / ppm - 1)).toBeLessThan(0.1);
    },
  );
});

describe('a producer that is held back', () => {
  it.each([
    ['a pipe', 65_536, 4096],
    ['a pipe', 65_536, 32_768],
    ['a small pipe', 8192, 4096],
    ['TCP', 400_000, 16_384],
    ['TCP', 4_000_000, 65_536],
  ])(
    'loses nothing and has no drift by %s of %d bytes, %d at a time',
    async (_, capacityBytes, writeBytes) => {
      const heard = await listen({ capacityBytes, writeBytes }, hourUs);
      expect(heard.log.lines).toEqual([]);
      expect(heard).toMatchObject({ runs: 1, droppedMs: 0 });
      expect(heard.steepestPpm).toBeLessThan(roundingPpm);
      expect(Math.abs(heard.driftPpm)).toBeLessThan(1);
    },
  );
});

describe('a device, which writes its periods by a clock of its own', () => {
  const periods = { capacityBytes: 65_536, writeBytes: 3840, jitterMs: 3 };

  it.each([200, -200])('is told to be %d ppm off within a minute, without a gap', async (ppm) => {
    const heard = await listen({ ...periods, ppm }, minuteUs, { groupMs: 200 });
    expect(heard.log.lines).toEqual([]);
    expect(heard).toMatchObject({ runs: 1, droppedMs: 0 });
    expect(Math.abs(heard.driftPpm - ppm)).toBeLessThan(20);
  });

  it.each([200, -200])('is followed at %d ppm for a day, and its latency stays', async (ppm) => {
    const heard = await listen({ ...periods, ppm }, dayUs, { chunkMs: 100, groupMs: 200 });
    expectFollowed(heard, ppm, 5);
  });
});
