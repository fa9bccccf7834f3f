import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import type { PcmObserver, Stage, TimedPcm } from '../../../src/audio/stage.ts';
import { StageChain } from '../../../src/audio/stage-chain.ts';
import { AssertionError, SourceError } from '../../../src/base/errors.ts';
import { FakeTime } from '../../support/fake-time.ts';
import { numberedBytes } from '../../support/pcm-fixtures.ts';
import { StreamRig } from '../../support/stream-rig.ts';
import { until } from '../../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');
const { frameBytes } = format;
const chunkFrames = 960;

/** Reads what passes. */
class Counter implements Stage {
  readonly delayFrames = 0;
  frames = 0;
  runs = 0;

  process(pcm: TimedPcm): TimedPcm {
    this.frames += pcm.chunk.payloadBytes / frameBytes;
    if (pcm.startsRun) this.runs += 1;
    return pcm;
  }
}

/** Lets the audio wait for so many frames, behind what it has from before. */
class DelayLine implements Stage {
  readonly delayFrames: number;
  #held: Buffer;

  constructor(delayFrames: number) {
    this.delayFrames = delayFrames;
    this.#held = Buffer.alloc(delayFrames * frameBytes, 0x99);
  }

  process(pcm: TimedPcm): TimedPcm {
    const { payload } = pcm.chunk;
    const line = Buffer.concat([this.#held, payload]);
    line.copy(payload, 0, 0, payload.length);
    this.#held = line.subarray(payload.length);
    return pcm;
  }
}

/** Puts a chunk of its own in the place of each. */
class Inverter implements Stage {
  readonly delayFrames = 0;
  readonly #pool: ChunkPool;

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  process(pcm: TimedPcm): TimedPcm {
    const { payload } = pcm.chunk;
    const chunk = this.#pool.acquire(payload.length, 'inverter');
    chunk.payloadBytes = payload.length;
    for (const [index, byte] of payload.entries()) chunk.writable[index] = ~byte;
    pcm.chunk.release();
    return { ...pcm, chunk };
  }
}

/** Sends nothing while it is shut. */
class Gate implements Stage {
  readonly delayFrames = 0;
  isShut = false;

  process(pcm: TimedPcm): TimedPcm | undefined {
    if (!this.isShut) return pcm;
    pcm.chunk.release();
    return undefined;
  }
}

interface Sent {
  readonly timestampUs: number;
  readonly startsRun: boolean;
  readonly payload: Buffer;
}

let pool: ChunkPool;
let chain: StageChain;
let sent: Sent[];
let passed: TimedPcm[];
let faults: unknown[];
let ends: number;
let nextFrame: number;

beforeEach(() => open());

function open(maxPaddingUs = 0): void {
  pool = new ChunkPool({ verifySeals: true });
  [sent, passed, faults, ends, nextFrame] = [[], [], [], 0, 0];
  chain = new StageChain({
    pool,
    format,
    bufferMs: 1000,
    maxPaddingUs,
    onPcm: (pcm) => {
      const { chunk, timestampUs, startsRun } = pcm;
      passed.push(pcm);
      sent.push({ timestampUs, startsRun, payload: Buffer.from(chunk.payload) });
      chunk.release();
    },
    onRunEnd: () => {
      ends += 1;
    },
    onOutdated: () => undefined,
    onFailure: (error) => {
      throw error;
    },
    onObserverFailure: (error) => faults.push(error),
  });
}

afterEach(() => {
  chain.close();
  expect(pool.isFull).toBe(true);
  pool.close();
});

/** A frame is one word. */
const bytesAt = (frame: number, frames: number) => numberedBytes(frames * frameBytes, frame);

function timed(chunk: Chunk, startsRun: boolean): TimedPcm {
  return { chunk, timestampUs: format.durationUs(nextFrame), startsRun, stretch: 1 };
}

/** The next frames of numbered audio, at the time that they have from their number. */
function give(frames = chunkFrames, startsRun = nextFrame === 0): TimedPcm {
  const chunk = pool.acquire(frames * frameBytes, 'test source');
  chunk.payloadBytes = frames * frameBytes;
  bytesAt(nextFrame, frames).copy(chunk.writable);
  const pcm = timed(chunk, startsRun);
  chain.take(pcm);
  nextFrame += frames;
  return pcm;
}

/** Everything from `firstFrame` on was sent once, in order, each frame at its own time. */
function expectWhole(firstFrame = 0, of: readonly Sent[] = sent): void {
  const audio = Buffer.concat(of.map(({ payload }) => payload));
  expect(audio.equals(bytesAt(firstFrame, nextFrame - firstFrame))).toBe(true);
  let frame = firstFrame;
  for (const { timestampUs, payload } of of) {
    expect(timestampUs).toBeCloseTo(format.durationUs(frame), 3);
    frame += payload.length / frameBytes;
  }
  expect(of.map(({ startsRun }) => startsRun)).toEqual(of.map((_, index) => index === 0));
}

describe('a chain without stages', () => {
  it('hands on the very PCM that it is given', () => {
    const given = [give(), give(), give(1)];
    expect(passed).toHaveLength(3);
    for (const [index, pcm] of given.entries()) expect(passed[index]).toBe(pcm);
    expectWhole();
  });
});

describe('a stage', () => {
  it('that reads leaves no trace', () => {
    const counter = new Counter();
    chain.add(counter);
    const given = [give(), give(), give(7)];
    expect(passed.every((pcm, index) => pcm === given[index])).toBe(true);
    expect(counter).toMatchObject({ frames: 2 * chunkFrames + 7, runs: 1 });
    expectWhole();
  });

  it('may put PCM of its own in the place of what it gets, and gives that back', () => {
    chain.add(new Inverter(pool));
    for (let count = 0; count < 3; count += 1) give();
    for (const { payload } of sent) for (const [at, byte] of payload.entries()) payload[at] = ~byte;
    expectWhole();
  });

  it('gets what the one before it has made of the audio', () => {
    chain.add(new Inverter(pool));
    chain.add(new Inverter(pool));
    for (let count = 0; count < 3; count += 1) give();
    expectWhole();
  });

  it('may keep audio to itself: what is sent next starts a run', () => {
    const gate = new Gate();
    const counter = new Counter();
    chain.add(gate);
    chain.add(counter);
    give();
    gate.isShut = true;
    give();
    give();
    expect(ends).toBe(1);
    gate.isShut = false;
    give();
    give();
    expect(sent.map(({ startsRun }) => startsRun)).toEqual([true, true, false]);
    expect(counter.runs).toBe(2);
    expect(sent[1]?.timestampUs).toBe(60_000);
  });

  it('that comes or goes in the middle of a run makes no gap, and sees only what it is there for', () => {
    const counter = new Counter();
    give();
    chain.add(counter);
    give();
    give();
    chain.remove(counter);
    give();
    expect(counter).toMatchObject({ frames: 2 * chunkFrames, runs: 1 });
    expectWhole();
  });

  it('may remove itself while it is called', () => {
    const once: Stage = {
      delayFrames: 0,
      process: (pcm) => {
        chain.remove(once);
        return pcm;
      },
    };
    const counter = new Counter();
    chain.add(once);
    chain.add(counter);
    for (let count = 0; count < 3; count += 1) give();
    expect(counter.frames).toBe(3 * chunkFrames);
    expectWhole();
  });
});

describe('an observer', () => {
  /** What it was told; `undefined` for the end of a run. */
  let observed: (Sent | undefined)[];
  let observer: PcmObserver;

  beforeEach(() => {
    observed = [];
    observer = {
      take: ({ chunk, timestampUs, startsRun }) =>
        observed.push({ timestampUs, startsRun, payload: Buffer.from(chunk.payload) }),
      endRun: () => observed.push(undefined),
    };
  });

  it('sees what is sent, behind stages that come after it', () => {
    chain.observe(observer);
    chain.add(new Inverter(pool));
    for (let count = 0; count < 3; count += 1) give();
    expect(observed).toEqual(sent);
    expect(sent).toHaveLength(3);
  });

  it('is told of the end of a run, and of times as they are sent', () => {
    chain.close();
    open(5000);
    chain.observe(observer);
    give();
    chain.end();
    give(chunkFrames, true);
    // The padding of the first run takes up the first 5 ms.
    expect(observed).toEqual([sent[0], undefined, sent[1]]);
    expect(observed[2]).toMatchObject({ timestampUs: 25_000, startsRun: true });
  });

  it('sees nothing before it comes nor after it has gone', () => {
    give();
    chain.observe(observer);
    give();
    chain.unobserve(observer);
    give();
    chain.end();
    expect(observed).toEqual([sent[1]]);
  });

  it.each(['take', 'endRun'] as const)(
    'that breaks in %s is told of and closed, sees no more, and the others see all',
    (method) => {
      let calls = 0;
      const fail = () => {
        calls += 1;
        throw new Error('broken');
      };
      const ignore = () => undefined;
      chain.observe({ take: ignore, endRun: ignore, close: fail, [method]: fail });
      chain.observe(observer);
      for (let count = 0; count < 3; count += 1) give();
      chain.end();
      give(chunkFrames, true);
      expect(sent).toHaveLength(4);
      expect(observed).toEqual([...sent.slice(0, 3), undefined, sent[3]]);
      expect(ends).toBe(1);
      // Once where it broke, and once as it was closed.
      expect([calls, faults]).toEqual([2, [new Error('broken'), new Error('broken')]]);
    },
  );
});

describe('a stage that delays', () => {
  it.each([1, 100, chunkFrames, 2500])(
    'by %i frames shifts nothing: samples keep their time, the first as the last',
    (delayFrames) => {
      chain.add(new DelayLine(delayFrames));
      for (let count = 0; count < 5; count += 1) give();
      const held = 5 * chunkFrames - delayFrames;
      expect(Buffer.concat(sent.map(({ payload }) => payload)).length).toBe(held * frameBytes);
      chain.end();
      expectWhole();
      expect(ends).toBe(1);
    },
  );

  it('gives all of a run that is shorter than its delay', () => {
    chain.add(new DelayLine(2500));
    give(10);
    expect(sent).toEqual([]);
    chain.end();
    expectWhole();
  });

  it('takes nothing of one run into the next', () => {
    chain.add(new DelayLine(100));
    give();
    chain.end();
    const [first, second] = [sent.length, nextFrame];
    give(chunkFrames, true);
    chain.end();
    expectWhole(second, sent.slice(first));
  });

  it('begins anew with audio that does not continue what it has', () => {
    chain.add(new DelayLine(100));
    give();
    const before = sent.length;
    nextFrame += 48_000;
    const first = nextFrame;
    give(chunkFrames, true);
    give();
    chain.end();
    expectWhole(first, sent.slice(before));
  });

  it.each([100, 2500])(
    'by %i frames gives what it holds when a stage before it keeps the rest to itself',
    (frames) => {
      const gate = new Gate();
      chain.add(gate);
      chain.add(new DelayLine(frames));
      give();
      give();
      gate.isShut = true;
      const before = nextFrame;
      give();
      nextFrame = before;
      expectWhole();
      expect(ends).toBe(1);
    },
  );

  it('may come and go at any time among any others: nothing is lost, doubled or moved', () => {
    const length = fc.integer({ min: 1, max: 1500 });
    const delay = fc.constantFrom(0, 1, 240, 960, 2000);
    const step = fc.oneof(
      fc.record({ give: length }),
      fc.record({ add: delay }),
      fc.record({ remove: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        open();
        const stages: Stage[] = [];
        for (const action of steps) {
          if ('give' in action) give(action.give);
          else if ('add' in action) {
            stages.push(action.add === 0 ? new Counter() : new DelayLine(action.add));
            chain.add(stages.at(-1)!);
          } else {
            const [gone] = stages.splice(action.remove, 1);
            if (gone) chain.remove(gone);
          }
        }
        chain.end();
        expectWhole();
        chain.close();
        expect(pool.isFull).toBe(true);
        pool.close();
      }),
      { numRuns: 300 },
    );
    open();
  });
});

describe('a run that begins at once behind another', () => {
  it('waits for the longest padding of the codec, and says by how much', () => {
    chain.close();
    open(22_500);
    give();
    chain.end();
    const chunk = pool.acquire(frameBytes, 'test source');
    chunk.payloadBytes = frameBytes;
    expect(chain.take(timed(chunk, true))).toBeCloseTo(22_500, 3);
    expect(sent[1]).toMatchObject({ startsRun: true });
    expect(sent[1]?.timestampUs).toBeCloseTo(42_500, 3);
  });

  it('waits as long when it begins with what a stage that goes has held back', () => {
    chain.close();
    open(22_500);
    give();
    chain.end();
    const stage = new DelayLine(2500);
    chain.add(stage);
    give(chunkFrames, true);
    chain.remove(stage);
    const chunk = pool.acquire(frameBytes, 'test source');
    chunk.payloadBytes = frameBytes;
    expect(chain.take(timed(chunk, false))).toBeCloseTo(22_500, 3);
    const times = sent.map(({ timestampUs }) => Math.round(timestampUs));
    expect(times).toEqual([0, 42_500, 62_500]);
  });

  it('waits as long to its end, of which a stage gives the last', () => {
    chain.close();
    open(22_500);
    const gate = new Gate();
    chain.add(gate);
    chain.add(new DelayLine(96));
    give();
    chain.end();
    give(chunkFrames, true);
    gate.isShut = true;
    give();
    const times = sent.slice(-2).map(({ timestampUs }) => Math.round(timestampUs));
    expect(times).toEqual([42_500, 60_500]);
  });
});

describe('a stage that breaks', () => {
  it('plays on when what observes it breaks, and tells of that once', async () => {
    const rig = await new StreamRig('tone:///?name=T&codec=pcm').play();
    const fail = () => {
      throw new Error('it cannot count');
    };
    rig.stream.stages?.observe({ take: fail, endRun: fail });
    await until(() => rig.published.length > 10);
    const [line, ...more] = rig.log.lines.filter(({ level }) => level === 'error');
    expect(line).toMatchObject({ fields: { stream: 'T' } });
    expect(line?.fields.reason).toContain('it cannot count');
    expect(more).toEqual([]);
    expect(rig.stream.state).toBe('playing');
    await rig.stream.stop();
    expect(rig.pool.isFull).toBe(true);
  });

  it('disables its stream, and leaks nothing', async () => {
    const rig = await new StreamRig('tone:///?name=T').play();
    await until(() => rig.published.length > 3);
    const broken: Stage = {
      delayFrames: 0,
      process: ({ chunk }) => {
        chunk.release();
        throw new SourceError('broken', 'the clip cannot be read');
      },
    };
    rig.stream.stages?.add(broken);
    await until(() => rig.stream.state === 'disabled');
    expect(rig.stream.fault?.message).toBe('the clip cannot be read');
    expect(rig.outdated).toBe(1);
    await rig.stream.stop();
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  });

  it('cannot be there twice', () => {
    const counter = new Counter();
    chain.add(counter);
    expect(() => chain.add(counter)).toThrow(AssertionError);
  });
});

describe.each(['pcm', 'flac', 'opus'])('stages of a stream that plays %s', (codec) => {
  it('come and go without a gap', async () => {
    const time = FakeTime.install();
    const rig = new StreamRig(`tone:///?name=T&codec=${codec}`, {}, time);
    try {
      await rig.play();
      await time.pass(500);
      const counter = new Counter();
      const line = new DelayLine(333);
      rig.stream.stages?.add(counter);
      rig.stream.stages?.add(line);
      await time.pass(500);
      rig.stream.stages?.remove(line);
      rig.stream.stages?.remove(counter);
      await time.pass(500);
      expect(counter.frames).toBeGreaterThan(20 * chunkFrames);
      expect(counter.frames).toBeLessThan(30 * chunkFrames);
      for (const [index, { timestampUs }] of rig.published.entries()) {
        const before = rig.published[index - 1];
        if (before) expect(timestampUs).toBeCloseTo(before.timestampUs + before.durationUs, 3);
      }
      expect(rig.endUs).toBeGreaterThan(time.nowUs() - 100_000);
    } finally {
      const stopped = rig.stream.stop();
      time.remove();
      await stopped;
    }
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  });
});
