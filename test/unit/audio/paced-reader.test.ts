import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamDefaults } from '../../../src/audio/stream-options.ts';
import { monotonicClock } from '../../../src/base/clock.ts';
import { FakeTime, stall } from '../../support/fake-time.ts';
import { FifoWriter, makeFifoAt, openDescriptors, scratchFolder } from '../../support/fifo.ts';
import { numberedBytes } from '../../support/pcm-fixtures.ts';
import { distancesUs, ReaderRig } from '../../support/reader-rig.ts';
import { turn, until } from '../../support/waiting.ts';

const chunkBytes = 3840; // 20 ms of 48000:16:2
const chunkUs = 20_000;
const loud = numberedBytes(chunkBytes);
const fresh = numberedBytes(chunkBytes, 5000);
const silent = Buffer.alloc(chunkBytes);

let folder: ReturnType<typeof scratchFolder>;
let fifo: string;
let rig: ReaderRig;
let writer: FifoWriter | undefined;
let descriptors: number;

beforeEach(() => {
  folder = scratchFolder();
  fifo = join(folder.path, 'fifo');
  makeFifoAt(fifo);
  descriptors = openDescriptors();
});

async function tidy(): Promise<void> {
  writer?.close();
  writer = undefined;
  await rig.reader.stop();
  folder.remove();
  expect(openDescriptors()).toBe(descriptors);
  expect(rig.pool.isFull).toBe(true);
  rig.pool.close();
}

/** Reads the fifo, with a writer at it. */
function readFifo(
  clock: FakeTime | typeof monotonicClock,
  parameters = '',
  defaults: Partial<StreamDefaults> = {},
): FifoWriter {
  rig = new ReaderRig(`pipe://${fifo}?name=F&mode=read${parameters}`, clock, defaults);
  rig.reader.start();
  return new FifoWriter(fifo);
}

describe('a paced reader, with time in our hands', () => {
  let time: FakeTime;

  beforeEach(() => {
    time = FakeTime.install();
  });

  afterEach(async () => {
    await rig.reader.stop();
    const { timers } = time;
    time.remove();
    expect(timers).toBe(0);
    await tidy();
  });

  /** Writes a chunk and lets it be read; time stands still. */
  async function give(pcm: Buffer = loud): Promise<void> {
    writer?.write(pcm);
    for (let turns = 0; turns < 5; turns += 1) await turn();
  }

  /** A producer that keeps to real time: one chunk each 20 ms. */
  async function play(chunks: number, pcm: Buffer = loud): Promise<void> {
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      await give(pcm);
      await time.pass(20);
    }
  }

  it.each([
    [20, '48000:16:2', 20_000, 51],
    [10, '48000:24:2', 10_000, 101],
    [50, '44100:16:2', 50_000, 21],
    [1, '48000:16:1', 1000, 1001],
    [1000, '48000:32:8', 1_000_000, 2],
  ])('makes chunks of exactly %i ms of %s in real time', async (chunkMs, format, us, count) => {
    rig = new ReaderRig(`tone:///?name=T&chunk_ms=${chunkMs}&sampleformat=${format}`, time);
    const startUs = time.nowUs();
    rig.reader.start();
    await time.pass(1000);
    // The first chunk was captured before the start.
    expect(rig.pcm[0]).toMatchObject({ timestampUs: startUs - us, startsRun: true });
    expect(distancesUs(rig.pcm)).toEqual(new Array(rig.pcm.length - 1).fill(us));
    expect(rig.pcm.slice(1).some(({ startsRun }) => startsRun)).toBe(false);
    expect(Math.abs(rig.pcm.length - count)).toBeLessThanOrEqual(1);
  });

  it('never rounds: a rate without whole microseconds drifts by nothing', async () => {
    rig = new ReaderRig('tone:///?name=T&chunk_ms=7&sampleformat=44100:16:1', time);
    rig.reader.start();
    await time.pass(3000);
    const frames = 308; // 7 ms are 308.7
    const first = rig.pcm[0]?.timestampUs ?? 0;
    const elapsedUs = (rig.last?.timestampUs ?? 0) - first;
    expect(elapsedUs).toBeCloseTo(((rig.pcm.length - 1) * frames * 1e6) / 44_100, 3);
  });

  it('holds a producer back that offers more than real time', async () => {
    writer = readFifo(time);
    const accepted = writer.write(numberedBytes(20 * chunkBytes));
    await time.pass(100);
    expect(accepted).toBeGreaterThanOrEqual(16 * chunkBytes);
    expect(rig.pcm.length).toBeGreaterThanOrEqual(5);
    expect(rig.pcm.length).toBeLessThanOrEqual(7);
    expect(Buffer.concat(rig.pcm.map(({ payload }) => payload))).toEqual(
      numberedBytes(rig.pcm.length * chunkBytes),
    );
  });

  it('keeps the time base over a pause within the tolerance and catches up', async () => {
    writer = readFifo(time);
    await play(5);
    await time.pass(220);
    writer.write(numberedBytes(12 * chunkBytes));
    await time.pass(40);
    expect(rig.pcm.length).toBeGreaterThanOrEqual(17);
    expect(distancesUs(rig.pcm)).toEqual(new Array(rig.pcm.length - 1).fill(chunkUs));
    expect(rig.count('end')).toBe(0);
    expect(rig.log.with('late')).toEqual([]);
  });

  it('starts anew after a pause beyond the tolerance, and says that the source was late', async () => {
    writer = readFifo(time);
    await play(5);
    await time.pass(600);
    expect(rig.events.at(-1)).toBe('end');
    expect(rig.log.with('no audio comes')).toMatchObject([
      { level: 'info', fields: { stream: 'F', late: 'source' } },
    ]);
    await give();
    expect(rig.last).toMatchObject({ timestampUs: time.nowUs() - chunkUs, startsRun: true });
    expect(rig.count('end')).toBe(1);
  });

  it('ends the run before it takes a chunk that comes just beyond the tolerance', async () => {
    writer = readFifo(time);
    await play(5);
    await time.pass(252);
    expect(rig.count('end')).toBe(0);
    await give();
    expect(rig.last).toMatchObject({ timestampUs: time.nowUs() - chunkUs, startsRun: true });
    expect(rig.events.slice(-3)).toEqual(['end', 'playing', 'pcm']);
    expect(rig.log.with('resync')).toMatchObject([
      { level: 'warn', fields: { stream: 'F', late: 'source', lateMs: 252 } },
    ]);
  });

  it('takes the tolerance from its options', async () => {
    writer = readFifo(time, '', { resyncToleranceMs: 30 });
    await play(5);
    await time.pass(25);
    await give();
    expect(rig.last?.startsRun).toBe(false);
    await time.pass(60);
    await give();
    expect(rig.last?.startsRun).toBe(true);
  });

  it('plays the part of a chunk that came before a pause in its place, and nothing of a cut frame', async () => {
    writer = readFifo(time);
    await play(3);
    await give(numberedBytes(1001)); // 250 frames and a byte
    await time.pass(600);
    const whole = numberedBytes(1000 + chunkBytes);
    expect(rig.pcm).toHaveLength(4);
    expect(rig.last?.payload).toEqual(Buffer.concat([whole.subarray(0, 1000), Buffer.alloc(2840)]));
    expect(distancesUs(rig.pcm)).toEqual([chunkUs, chunkUs, chunkUs]);
    expect(rig.states).toEqual(['playing', 'idle']);
    await give(whole.subarray(1001));
    expect(rig.last?.payload).toEqual(whole.subarray(1000));
    expect(rig.last?.startsRun).toBe(true);
  });

  it.each([
    ['20 ms', '', 2],
    ['1000 ms', '&chunk_ms=1000', 2],
    ['packed 24 bit', '&sampleformat=48000:24:2&packed_s24le=true', 3],
    ['24 bit', '&sampleformat=48000:24:2', 4],
    ['8 bit', '&sampleformat=48000:8:2', 1],
  ])(
    'plays all of a writer that leaves, the last chunk filled up: %s',
    async (_, parameters, sampleBytes) => {
      writer = readFifo(time, parameters);
      const audio = Buffer.alloc(1950 * 48 * 2 * sampleBytes, 0x11);
      for (let at = 0; at < audio.length; ) {
        at += writer.write(audio.subarray(at));
        await time.pass(20);
      }
      writer.close();
      writer = undefined;
      for (let ms = 0; rig.count('end') === 0 && ms < 3000; ms += 1) await time.pass(1);
      const played = Buffer.concat(rig.pcm.map(({ payload }) => payload));
      const silent = played.findLastIndex((byte) => byte !== 0) + 1;
      const deliveredBytes = parameters.includes('packed') ? 4 : sampleBytes;
      const frames = Math.ceil(silent / (2 * deliveredBytes));
      expect(frames).toBe(1950 * 48);
      expect(rig.log.with('late')).toEqual([]);
      expect(new Set(distancesUs(rig.pcm)).size).toBe(1);
    },
  );

  it('gives 24-bit samples the sign that clients need, whatever the producer left there', async () => {
    writer = readFifo(time, '&sampleformat=48000:24:1');
    const samples = Array.from({ length: 960 }, (_, index) => (index - 480) * 17_000);
    const arriving = Buffer.alloc(chunkBytes, 0x5a);
    for (const [index, sample] of samples.entries()) arriving.writeIntLE(sample, index * 4, 3);
    await give(arriving);
    const { payload } = rig.last ?? {};
    expect(samples.map((_, index) => payload?.readInt32LE(index * 4))).toEqual(samples);
  });

  it('is silent for 24-bit zeros with anything in the fourth byte', async () => {
    writer = readFifo(time, '&sampleformat=48000:24:1');
    const zeros = Buffer.alloc(chunkBytes);
    for (let at = 3; at < chunkBytes; at += 4) zeros[at] = 0x5a;
    await give(zeros);
    expect(rig.pcm).toHaveLength(1);
    expect(rig.states).toEqual([]);
  });

  it('is playing from the first sound on, and idle when no data came for long enough', async () => {
    writer = readFifo(time);
    await play(2, silent);
    expect(rig.states).toEqual([]);
    await play(2);
    expect(rig.states).toEqual(['playing']);
    await time.pass(90);
    expect(rig.states).toEqual(['playing']);
    await time.pass(40);
    expect(rig.states).toEqual(['playing', 'idle']);
    await give();
    expect(rig.states).toEqual(['playing', 'idle', 'playing']);
  });

  it('is idle when silence has lasted for the threshold, and goes on to deliver it', async () => {
    writer = readFifo(time, '&idle_threshold=200');
    await play(3);
    await play(10, silent);
    expect(rig.states).toEqual(['playing']);
    await play(2, silent);
    expect(rig.states).toEqual(['playing', 'idle']);
    expect(rig.pcm).toHaveLength(15);
    expect(distancesUs(rig.pcm)).toEqual(new Array(14).fill(chunkUs));
    await play(1);
    expect(rig.states).toEqual(['playing', 'idle', 'playing']);
  });

  it('counts sound within the silence threshold as silence', async () => {
    writer = readFifo(time, '&silence_threshold_percent=1');
    const hum = Buffer.alloc(chunkBytes);
    for (let offset = 0; offset < chunkBytes; offset += 2) hum.writeInt16LE(327, offset);
    await play(3, hum);
    expect(rig.states).toEqual([]);
    hum.writeInt16LE(-328, 1000);
    await play(1, hum);
    expect(rig.states).toEqual(['playing']);
  });

  it('is idle at once when the writer leaves', async () => {
    writer = readFifo(time);
    await play(3);
    writer.close();
    writer = undefined;
    await time.until(() => rig.states.length === 2, 'the stream is idle');
    expect(rig.events.slice(-2)).toEqual(['idle', 'end']);
    expect(rig.log.with('source interrupted')).toHaveLength(1);
  });

  it('keeps silence to itself while idle when told so, and starts again in step', async () => {
    writer = readFifo(time, '&send_silence=false&idle_threshold=60');
    await play(3, silent);
    expect(rig.pcm).toHaveLength(0);
    await play(3);
    await play(20, silent);
    // Three chunks of sound, and the silence until the threshold.
    expect(rig.pcm).toHaveLength(6);
    expect(rig.events.slice(-2)).toEqual(['idle', 'end']);
    await play(2);
    expect(rig.pcm.map(({ startsRun }) => startsRun)).toEqual([
      ...[true, false, false, false, false, false],
      ...[true, false],
    ]);
    // Seventeen chunks were left out; the time base is still the same.
    expect(distancesUs(rig.pcm)[5]).toBe(18 * chunkUs);
    expect(rig.log.with('late')).toEqual([]);
  });

  it('says when published audio is of no use to anybody, once per pause', async () => {
    writer = readFifo(time);
    await play(3);
    await time.pass(1250);
    expect(rig.count('outdated')).toBe(0);
    await time.pass(100);
    expect(rig.count('outdated')).toBe(1);
    await time.pass(3000);
    expect(rig.count('outdated')).toBe(1);
  });

  it('says so for silence that is not sent, too, and not when audio came back', async () => {
    writer = readFifo(time, '&send_silence=false&idle_threshold=60');
    await play(3);
    await play(20, silent);
    await play(50);
    expect(rig.count('outdated')).toBe(0);
    await play(60, silent);
    expect(rig.count('outdated')).toBe(1);
  });

  it('neither goes back nor runs ahead when writers follow each other at once', async () => {
    writer = readFifo(time);
    const startUs = time.nowUs();
    for (let turns = 0; turns < 30; turns += 1) {
      await give();
      writer.close();
      while (rig.count('end') <= turns) await time.pass(1);
      writer = new FifoWriter(fifo);
    }
    expect(rig.pcm).toHaveLength(30);
    for (const distance of distancesUs(rig.pcm)) expect(distance).toBeGreaterThanOrEqual(chunkUs);
    const aheadUs = Math.max(...rig.pcm.map((pcm) => pcm.timestampUs - pcm.arrivedUs));
    expect(aheadUs).toBeLessThanOrEqual(0);
    expect(time.nowUs() - startUs).toBeGreaterThanOrEqual(28 * chunkUs);
  });

  it('drops what is old behind a short pause of a producer that hurries, too', async () => {
    writer = readFifo(time);
    const old = numberedBytes(10 * chunkBytes);
    await play(5);
    await time.pass(30);
    time.stall(200);
    writer.write(old);
    time.stall(800);
    await time.until(() => rig.log.with('resync').length > 0, 'the stall was noticed');
    await time.pass(30);
    await give(old);
    await time.pass(100);
    expect(rig.pcm).toHaveLength(5);
    await give(fresh);
    expect(rig.pcm).toHaveLength(6);
    expect(rig.last?.payload).toEqual(fresh);
    expect(rig.log.with('resync')).toMatchObject([{ level: 'warn', fields: { late: 'server' } }]);
    expect(rig.log.with('old audio dropped').length).toBe(1);
  });

  describe('in groups of chunks', () => {
    /** A producer that is held back: the fifo is always full. */
    async function playFull(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 1) {
        while ((writer?.write(loud) ?? 0) > 0);
        await time.pass(1);
      }
    }

    it('reads several chunks at once, each with the time of its own', async () => {
      writer = readFifo(time);
      rig.groupMs = 100;
      await playFull(1000);
      const arrivals = new Set(rig.pcm.slice(1).map(({ arrivedUs }) => arrivedUs));
      expect(rig.pcm.length / arrivals.size).toBeGreaterThan(4);
      expect(distancesUs(rig.pcm)).toEqual(new Array(rig.pcm.length - 1).fill(chunkUs));
    });

    it('does not count the wait for the others of the group as lateness', async () => {
      writer = readFifo(time);
      rig.groupMs = 100;
      await playFull(300);
      for (let offset = 0; offset < 100; offset += 9) {
        await playFull(offset);
        // A chunk may come a chunk and the tolerance after it can be read.
        time.stall(265);
        await playFull(200);
      }
      expect(rig.log.with('resync')).toEqual([]);
      expect(distancesUs(rig.pcm)).toEqual(new Array(rig.pcm.length - 1).fill(chunkUs));
      await playFull(100);
      time.stall(400);
      await playFull(600);
      expect(rig.log.with('resync')).toMatchObject([{ level: 'warn', fields: { late: 'server' } }]);
      const [, second] = rig.pcm.filter(({ startsRun }) => startsRun);
      expect(second && second.arrivedUs - second.timestampUs).toBeLessThan(2 * chunkUs);
    });

    it.each([0, 33, 66, 99])(
      'is idle, and ends the run, as long after the last audio as without groups (%i ms)',
      async (offsetMs) => {
        const told: number[][] = [];
        for (const groupMs of [0, 100]) {
          writer = readFifo(time);
          rig.groupMs = groupMs;
          await play(20 + Math.round(offsetMs / 20));
          await time.pass(offsetMs % 20);
          const lastUs = time.nowUs();
          const seen: number[] = [];
          rig.onEvent = (event) => {
            if (event !== 'pcm') seen.push((time.nowUs() - lastUs) / 1000);
          };
          await time.pass(700);
          told.push(seen);
          writer.close();
          writer = undefined;
          await rig.reader.stop();
          expect(rig.pool.isFull).toBe(true);
        }
        const [single = [], grouped = []] = told;
        expect(grouped).toHaveLength(2);
        for (const [index, ms] of grouped.entries()) {
          expect(Math.abs(ms - (single[index] ?? 0))).toBeLessThanOrEqual(40);
        }
      },
    );

    it('reads at once what is due when a client begins to listen', async () => {
      writer = readFifo(time);
      rig.groupMs = 100;
      await playFull(350);
      const before = rig.pcm.length;
      const behindUs = () => time.nowUs() - (rig.last?.timestampUs ?? 0);
      while (behindUs() < 4 * chunkUs) await playFull(1);
      expect(rig.pcm.length).toBeGreaterThanOrEqual(before);
      rig.reader.resume();
      for (let turns = 0; turns < 5; turns += 1) await turn();
      expect(behindUs()).toBeLessThan(2 * chunkUs);
    });
  });

  it.each(['pcm', 'playing', 'idle', 'end'])(
    'can be stopped from within the event "%s"',
    async (fatal) => {
      writer = readFifo(time);
      let stopping: Promise<void> | undefined;
      rig.onEvent = (event) => {
        if (event === fatal) stopping ??= rig.reader.stop();
      };
      await play(1);
      if (!stopping) await play(1);
      await time.pass(252);
      if (!stopping) await give();
      await time.pass(20);
      expect(stopping).toBeDefined();
      await stopping;
      expect(time.timers).toBe(0);
      // What was begun is ended, nothing is begun.
      const { length } = rig.events;
      await time.pass(2000);
      expect(rig.events).toHaveLength(length);
      expect(rig.count('outdated')).toBe(0);
    },
  );

  it.each(['tone:///?name=T', 'file://FILE?name=W', 'pipe://FIFO?name=P&mode=read'])(
    'can be stopped before, during and after a read of %s',
    async (template) => {
      const file = join(folder.path, 'raw');
      writeFileSync(file, numberedBytes(10 * chunkBytes));
      const address = template.replace('FILE', file).replace('FIFO', fifo);
      for (const passedMs of [0, 1, 19, 20, 21, 45]) {
        rig = new ReaderRig(address, time);
        rig.reader.start();
        await time.pass(passedMs);
        await rig.reader.stop();
        expect(rig.pool.isFull).toBe(true);
        const { length } = rig.events;
        await time.pass(50);
        expect(rig.events).toHaveLength(length);
      }
    },
  );
});

describe('a paced reader on a server that was stalled', () => {
  afterEach(tidy);

  it('blames the server when it came late to a waiting read, and does not turn idle', async () => {
    writer = readFifo(monotonicClock);
    for (let chunk = 0; chunk < 5; chunk += 1) {
      writer.write(loud);
      await until(() => rig.pcm.length > chunk);
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
    // The read waits; what the producer writes meanwhile waits in the fifo.
    const stalledMs = 450;
    stall(stalledMs - 250);
    writer.write(numberedBytes(10 * chunkBytes));
    stall(250);
    await until(() => rig.log.with('resync').length > 0);
    expect(rig.log.with('resync')).toMatchObject([{ level: 'warn', fields: { late: 'server' } }]);
    expect(rig.states).toEqual(['playing']);
    expect(rig.log.with('no audio comes')).toEqual([]);
    // What lay in the fifo is old by now; what comes in real time is what the producer wants heard.
    while (rig.pcm.length === 5) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      writer.write(fresh);
    }
    expect(rig.pcm[5]?.payload).toEqual(fresh);
    expect(rig.log.with('old audio dropped').length).toBe(1);
    const first = rig.pcm[5];
    expect(first?.startsRun).toBe(true);
    expect(first && first.arrivedUs - first.timestampUs).toBeLessThan((stalledMs / 2) * 1000);
    expect(rig.pcm.filter(({ startsRun }) => startsRun).length).toBe(2);
  });

  it('drops no more than the length of its absence', async () => {
    writer = readFifo(monotonicClock, '&sampleformat=8000:16:1');
    const whole = numberedBytes(60_000);
    writer.write(whole.subarray(0, 1600));
    await until(() => rig.pcm.length === 5);
    writer.write(whole);
    stall(600);
    await until(() => rig.log.with('old audio dropped').length > 0);
    const { droppedMs } = rig.log.with('old audio dropped')[0]?.fields ?? {};
    const { lateMs } = rig.log.with('resync')[0]?.fields ?? {};
    expect(Number(droppedMs)).toBeLessThanOrEqual(Number(lateMs) + 20);
  });

  it('blames the server when it came late to begin a read', async () => {
    rig = new ReaderRig('tone:///?name=T', monotonicClock);
    rig.reader.start();
    await until(() => rig.pcm.length >= 3);
    const stalledMs = 400;
    stall(stalledMs);
    await until(() => rig.log.with('resync').length > 0);
    expect(rig.log.with('resync')).toMatchObject([{ level: 'warn', fields: { late: 'server' } }]);
    const first = rig.pcm.filter(({ startsRun }) => startsRun)[1];
    expect(first && first.arrivedUs - first.timestampUs).toBeLessThan((stalledMs / 2) * 1000);
  });

  it('catches up after a stall within the tolerance, unheard', async () => {
    rig = new ReaderRig('tone:///?name=T', monotonicClock);
    rig.reader.start();
    await until(() => rig.pcm.length >= 3);
    stall(150);
    await until(() => rig.pcm.length >= 13);
    expect(distancesUs(rig.pcm)).toEqual(new Array(rig.pcm.length - 1).fill(chunkUs));
    expect(rig.log.lines).toEqual([]);
  });
});

describe('a paced reader whose source is slower than its own time', () => {
  it('lets others have their turn', async () => {
    let nowUs = 0;
    rig = new ReaderRig('tone:///?name=Slow', { nowUs: () => nowUs });
    // Each chunk takes longer than it lasts, so the next one is always due.
    rig.onEvent = (event) => {
      if (event !== 'pcm') return;
      if (rig.pcm.length > 1000) throw new Error('the event loop never had a turn');
      nowUs += 1.5 * chunkUs;
      stall(1);
    };
    rig.reader.start();
    for (let turns = 0; turns < 5; turns += 1) {
      const before = rig.pcm.length;
      await turn();
      expect(rig.pcm.length - before).toBeLessThan(20);
    }
    expect(rig.pcm.length).toBeGreaterThan(5);
    await tidy();
    const read = rig.pcm.length;
    await turn();
    expect(rig.pcm).toHaveLength(read);
  });
});
