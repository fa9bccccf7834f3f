import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { maxMixes } from '../../../src/audio/mix-bus.ts';
import type { MixSettings } from '../../../src/audio/mix-input.ts';
import { Mixer } from '../../../src/audio/mixer.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { StageChain } from '../../../src/audio/stage-chain.ts';
import { Dsp } from '../../../src/dsp/dsp.ts';
import { scriptKernels } from '../../../src/dsp/script-kernels.ts';
import { FakeTime, stall } from '../../support/fake-time.ts';
import {
  channelOf,
  decibels,
  levelOf,
  MixEnds,
  plainMix,
  sine,
  TestSound,
  wavePcm,
} from '../../support/mix-rig.ts';

const chunkMs = 20;
const lagMs = 60;
const music = 0.5;
const dsp = new Dsp(scriptKernels);

interface Sent {
  readonly timestampUs: number;
  readonly startsRun: boolean;
  readonly payload: Buffer;
}

let format: SampleFormat;
let time: FakeTime;
let pool: ChunkPool;
let chain: StageChain;
let mixer: Mixer;
let sent: Sent[];
let ends: MixEnds;
let runEnds: number;
let fillings: boolean[];
let given: Buffer[];
let nextFrame: number;
let originUs: number;
let wave: (frame: number) => number;

beforeEach(() => {
  time = FakeTime.install();
  open(SampleFormat.parse('48000:16:2'));
});

function open(of: SampleFormat): void {
  format = of;
  pool = new ChunkPool({ verifySeals: true });
  [sent, given, fillings, runEnds, nextFrame] = [[], [], [], 0, 0];
  ends = new MixEnds();
  originUs = time.nowUs();
  wave = sine(format.rateHz, 440, music);
  chain = new StageChain({
    pool,
    format,
    bufferMs: 1000,
    maxPaddingUs: 0,
    onPcm: ({ chunk, timestampUs, startsRun }) => {
      sent.push({ timestampUs, startsRun, payload: Buffer.from(chunk.payload) });
      chunk.release();
    },
    onRunEnd: () => {
      runEnds += 1;
    },
    onOutdated: () => undefined,
    onFailure: (error) => {
      throw error;
    },
    onObserverFailure: (error) => {
      throw error;
    },
  });
  mixer = chain.attach(
    (output) =>
      new Mixer({
        ...output,
        pool,
        format,
        clock: time,
        dsp,
        chunkMs,
        bufferMs: 1000,
        lagMs: () => lagMs,
        lingerMs: 200,
        onFilling: (isFilling) => fillings.push(isFilling),
      }),
  );
}

afterEach(() => {
  chain.close();
  expect(pool.isFull).toBe(true);
  expect(time.timers).toBe(0);
  pool.close();
  time.remove();
});

/** The next chunks of the music, without a gap unless they start a run. */
function play(chunks: number, { startsRun = nextFrame === 0, stretch = 1 } = {}): void {
  const frames = format.framesIn(chunkMs);
  for (let count = 0; count < chunks; count += 1) {
    const bytes = wavePcm(format, { first: nextFrame, frames, sample: wave });
    const chunk = pool.acquire(bytes.length, 'test source');
    chunk.payloadBytes = bytes.length;
    bytes.copy(chunk.writable);
    given.push(bytes);
    const timestampUs = originUs + format.durationUs(nextFrame);
    originUs += chain.take({ chunk, timestampUs, stretch, startsRun: startsRun && count === 0 });
    nextFrame += frames;
  }
}

function mix(settings: Partial<MixSettings> = {}, sound = tone(1000)) {
  const all = { ...plainMix, ...settings };
  return mixer.start({ input: sound, settings: all, onEnd: ends.note });
}

function tone(ms: number, peak = 0.25): TestSound {
  const frames = (format.rateHz * ms) / 1000;
  return new TestSound(format.channels, frames, sine(format.rateHz, 1000, peak));
}

const heard = () => Buffer.concat(sent.map(({ payload }) => payload));
const music_ = () => Buffer.concat(given);

/** Server time since the first sample of the music, in frames. */
const frameAt = (us: number) => Math.round((us - originUs) / format.durationUs(1));

/** Nothing missing, nothing twice, everything at the time that its number says. */
function expectSeamless(): void {
  let frame = frameAt(sent[0]!.timestampUs);
  for (const { timestampUs, payload } of sent) {
    expect(timestampUs).toBeCloseTo(originUs + format.durationUs(frame), 0);
    frame += payload.length / format.frameBytes;
  }
  expect(sent.map(({ startsRun }) => startsRun)).toEqual(sent.map((_, index) => index === 0));
}

/** Decibels of the music against what was given, per `ms` from a frame on. */
function musicDb(first: number, ms: number): number {
  const frames = (format.rateHz * ms) / 1000;
  const samples = channelOf(heard(), format).subarray(first, first + frames);
  return decibels(levelOf(samples, 440, format.rateHz) / music);
}

describe('a mix', () => {
  it('lets music down and up again on ramps that are linear in decibels, and ends at exactly 1', () => {
    play(20);
    const { startUs } = mix();
    const start = frameAt(startUs);
    expect(start).toBe(20 * 960 + 12_000);
    play(200);
    expectSeamless();
    // 50 ms are 22 periods of the music and 50 of the sound.
    const at = (ms: number) => musicDb(start + ms * 48 - 1200, 50);
    expect(at(-275)).toBeCloseTo(0, 3);
    for (const ms of [-200, -150, -100, -50]) expect(at(ms)).toBeCloseTo(-15 * (1 + ms / 250), 0.7);
    for (const ms of [25, 400, 900, 1170]) expect(Math.abs(at(ms) + 15)).toBeLessThan(0.1);
    for (const ms of [200, 400, 600]) expect(at(1200 + ms)).toBeCloseTo(-15 + (15 * ms) / 800, 0.7);
    expect(at(2050)).toBeCloseTo(0, 3);
    expect(ends.reasons).toEqual(['ended']);
    expect(mixer.isOn).toBe(false);
  });

  it.each(['48000:16:2', '44100:24:2', '96000:32:1', '8000:8:1', '48000:24:8', '192000:16:2'])(
    'of %s touches no sample before the first ramp and behind the last one',
    (text) => {
      chain.close();
      open(SampleFormat.parse(text));
      play(3);
      const settings = { attackMs: 50, releaseMs: 100, holdMs: 0 };
      const { startUs } = mix({ ...settings, startUs: originUs + 147_130 }, tone(200));
      play(60);
      expectSeamless();
      const [was, is] = [music_(), heard()];
      expect(is).toHaveLength(was.length);
      const { frameBytes, rateHz } = format;
      const start = frameAt(startUs);
      const before = (start - Math.floor(0.05 * rateHz) - 1) * frameBytes;
      expect(is.subarray(0, before).equals(was.subarray(0, before))).toBe(true);
      expect(is.equals(was)).toBe(false);
      // The limiter looks ahead for 5 ms, and pieces of the last ramp have 128 frames.
      const after = (start + Math.ceil(0.305 * rateHz) + 128) * frameBytes;
      expect(is.subarray(after).equals(was.subarray(after))).toBe(true);
      expect(mixer.isOn).toBe(false);
    },
  );

  it('begins with its first sample at the time that was asked for, to the sample', () => {
    play(2);
    const wantedUs = originUs + 1_000_000 + 7;
    const click = new TestSound(2, 1, () => 0.9);
    const { startUs } = mix({ startUs: wantedUs, fadeInMs: 0, fadeOutMs: 0 }, click);
    wave = () => 0;
    play(120);
    const samples = channelOf(heard(), format);
    const loudest = samples.reduce((most, value, at) => (value > samples[most]! ? at : most), 0);
    expect(loudest).toBe(48_000);
    expect(frameAt(startUs)).toBe(48_000);
  });

  it('keeps the sum of two full scales within -1 dBFS, and wraps nothing', () => {
    wave = sine(format.rateHz, 440, 1);
    play(5);
    mix({ duckDb: 0 }, tone(500, 1));
    play(120);
    expectSeamless();
    const samples = channelOf(heard(), format);
    const first = 5 * 960 + 12_000;
    const within = samples.subarray(first, first + 24_000);
    const peak = within.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(decibels(peak)).toBeLessThan(-0.9);
    expect(decibels(peak)).toBeGreaterThan(-1.5);
    const steps = samples.subarray(1).map((value, at) => Math.abs(value - samples[at]!));
    expect(Math.max(...steps)).toBeLessThan(0.3);
  });

  it('lets go of too loud a sum without a step when its sound is over', () => {
    wave = sine(format.rateHz, 1000, 1);
    play(5);
    mix({ duckDb: 0, holdMs: 0, releaseMs: 0, fadeOutMs: 0 }, tone(500, 1));
    play(60);
    expect(ends.reasons).toEqual(['ended']);
    const samples = channelOf(heard(), format);
    // A whole number of periods of the music each.
    const levels = Array.from({ length: samples.length / 48 }, (_, ms) =>
      levelOf(samples.subarray(48 * ms, 48 * (ms + 1)), 1000, format.rateHz),
    );
    const end = levels.indexOf(Math.min(...levels));
    expect(levels[end]).toBeLessThan(0.5);
    expect(levels.at(-1)).toBeCloseTo(1, 3);
    for (const [ms, level] of levels.slice(end + 1).entries()) {
      const rise = level - levels[end + ms]!;
      expect(rise).toBeGreaterThan(-0.001);
      expect(rise).toBeLessThan(0.03);
    }
  });

  it('is down for the deepest of several, until the last of them is over', () => {
    play(5);
    mix({ duckDb: -6 }, tone(2000));
    play(60);
    mix({ duckDb: -20 }, tone(200));
    play(160);
    const at = (ms: number) => musicDb(5 * 960 + ms * 48, 50);
    expect(at(500)).toBeCloseTo(-6, 1);
    expect(at(1500)).toBeCloseTo(-20, 1);
    expect(ends.reasons).toEqual(['ended', 'ended']);
    expect(mixer.isOn).toBe(false);
    expectSeamless();
  });

  it('has room for a number of others', () => {
    play(1);
    for (let count = 0; count < maxMixes; count += 1) {
      expect(mixer.hasRoom).toBe(true);
      mix();
    }
    expect(mixer.hasRoom).toBe(false);
  });

  it('fades out and lets go of the music when it is stopped, at any moment', () => {
    for (const chunks of [0, 5, 30, 70]) {
      const sound = tone(1000);
      const running = mix({}, sound);
      play(5 + chunks);
      running.stop(50);
      running.stop(0);
      play(60);
      expect(sound.closed).toBe(1);
      expect(mixer.isOn).toBe(false);
      const tail = music_().subarray(-4 * 960 * 4);
      expect(
        heard()
          .subarray(-4 * 960 * 4)
          .equals(tail),
      ).toBe(true);
    }
    expect(ends.reasons.filter((reason) => reason === 'stopped').length).toBeGreaterThan(2);
    expectSeamless();
  });

  it('waits for sound that stalls, and ends with one that ends early or breaks', () => {
    play(2);
    const sound = tone(1000);
    sound.limit = 4800;
    mix({}, sound);
    play(100);
    expect(ends.reasons).toEqual([]);
    sound.limit = Number.POSITIVE_INFINITY;
    play(5);
    sound.fault = new Error('broken');
    play(60);
    expect(ends.reasons).toEqual(['failed']);
    expect(sound.closed).toBe(1);
    expectSeamless();
  });
});

describe('a mix over nothing', () => {
  /** Lets time pass for the mixer. */
  async function pass(ms: number): Promise<void> {
    await time.pass(ms);
  }

  it('plays alone behind silence in which players wake, and then it is idle again', async () => {
    const atUs = time.nowUs();
    const { startUs } = mix({ wakeMs: 300 });
    expect(startUs).toBeCloseTo(atUs + 300_000 - lagMs * 1000, 0);
    originUs = atUs - lagMs * 1000;
    await pass(3000);
    expect(fillings).toEqual([true, false]);
    expect(runEnds).toBe(1);
    expect(mixer.isOn).toBe(false);
    expectSeamless();
    const samples = channelOf(heard(), format);
    const start = frameAt(startUs);
    expect(start).toBe(14_400);
    const silence = samples.subarray(0, start).every((value) => Math.abs(value) < 2 ** -13);
    expect(silence).toBe(true);
    const level = levelOf(samples.subarray(start + 4800, start + 9600), 1000, 48_000);
    expect(level).toBeCloseTo(0.25, 2);
    const end = samples.subarray(start + 47_000, start + 47_900);
    expect(end.some((value) => Math.abs(value) > 0.01)).toBe(true);
  });

  it('is not idle before the next one, which follows it soon, and no longer than a moment behind', async () => {
    const atUs = time.nowUs();
    mix({ wakeMs: 300 }, tone(300));
    originUs = atUs - lagMs * 1000;
    while (ends.reasons.length < 1) await pass(chunkMs);
    await pass(100);
    const { startUs } = mix({ wakeMs: 300 }, tone(300));
    while (ends.reasons.length < 2) await pass(chunkMs);
    expect(fillings).toEqual([true]);
    const endUs = originUs + format.durationUs(heard().length / format.frameBytes);
    await pass(300);
    expect(fillings).toEqual([true, false]);
    expect(runEnds).toBe(1);
    expectSeamless();
    const allMs = format.durationUs(heard().length / format.frameBytes) / 1000;
    const oneMs = 300 + plainMix.holdMs + plainMix.releaseMs;
    expect(allMs).toBeLessThan((startUs - originUs) / 1000 + oneMs + 500 + 220);
    // Behind all that is mixed there is nothing but silence.
    const rest = channelOf(heard(), format).subarray(frameAt(endUs) + 4800);
    expect(rest.length).toBeGreaterThan(0);
    expect(rest.every((sample) => sample === 0)).toBe(true);
  });

  it('gives way at once to music that begins behind it', async () => {
    mix({ wakeMs: 300 }, tone(300));
    while (ends.reasons.length < 1) await pass(chunkMs);
    await pass(100);
    originUs = time.nowUs();
    play(1);
    expect(mixer.isOn).toBe(false);
    expect(fillings).toEqual([true, false]);
    play(20);
    expect(heard().subarray(-music_().length).equals(music_())).toBe(true);
  });

  it('is where it would be after an absence of this server in which it was to begin', async () => {
    const clickFrame = 96_000;
    const click = new TestSound(2, 144_000, (frame) => (frame === clickFrame ? 0.9 : 0));
    const { startUs } = mix({ wakeMs: 20, attackMs: 5 }, click);
    time.stall(1500);
    await pass(2000);
    const clicks = sent.flatMap(({ timestampUs, payload }) => {
      const at = channelOf(payload, format).findIndex((sample) => sample > 0.5);
      return at < 0 ? [] : [timestampUs + format.durationUs(at)];
    });
    expect(clicks).toHaveLength(1);
    const wantedUs = startUs + format.durationUs(clickFrame);
    expect(Math.abs(clicks[0]! - wantedUs)).toBeLessThanOrEqual(format.durationUs(1));
    await pass(2000);
    expect(ends.reasons).toEqual(['ended']);
  });

  it('is joined by music that begins, at its own time and down at once', async () => {
    const { startUs } = mix();
    await pass(700);
    originUs = time.nowUs() - 20_000;
    const musicUs = originUs;
    for (let count = 0; count < 150; count += 1) {
      play(1);
      await pass(20);
    }
    expect(fillings).toEqual([true, false]);
    const beginUs = sent[0]!.timestampUs;
    const firstMusic = Math.round((musicUs - beginUs) / format.durationUs(1));
    expect(originUs).toBe(musicUs);
    const samples = channelOf(heard(), format);
    const level = levelOf(samples.subarray(firstMusic + 2400, firstMusic + 4800), 440, 48_000);
    expect(decibels(level / music)).toBeCloseTo(-15, 1);
    const [was, is] = [music_(), heard()];
    expect(is.subarray(-9600 * 4).equals(was.subarray(-9600 * 4))).toBe(true);
    expect(is.length - was.length).toBe(firstMusic * 4);
    expect(sent.map(({ startsRun }) => startsRun)).toEqual(sent.map((_, index) => index === 0));
    expect(runEnds).toBe(0);
    expect(startUs).toBeGreaterThan(beginUs);
  });

  it('that takes long is not made up for at once when late music goes on: nothing is lost of both', async () => {
    const slow = new TestSound(format.channels, 2 * format.rateHz, (frame) => {
      // What a sound that has to be converted would take, per chunk of it.
      if (frame % 960 === 0) stall(1);
      return sine(format.rateHz, 1000, 0.25)(frame);
    });
    play(20);
    mix({ attackMs: 5 }, slow);
    play(5);
    const before = sent.length;
    const lateMs = 900;
    nextFrame += format.framesIn(lateMs);
    play(3, { startsRun: true });
    const atOnce = sent.length - before;
    expect(atOnce).toBeLessThan(10);
    await time.until(() => sent.length - before === lateMs / chunkMs + 3, 'all is sent');
    play(1);
    expectSeamless();
    const samples = channelOf(heard(), format).subarray(format.framesIn(25 * chunkMs));
    for (let ms = 0; ms < lateMs; ms += chunkMs) {
      const part = samples.subarray(format.framesIn(ms), format.framesIn(ms + chunkMs));
      expect(levelOf(part, 1000, format.rateHz)).toBeCloseTo(0.25, 1);
    }
  });

  it('goes on when the music ends in the middle of it', async () => {
    for (let count = 0; count < 10; count += 1) {
      play(1);
      await pass(20);
    }
    const { startUs } = mix();
    for (let count = 0; count < 30; count += 1) {
      play(1);
      await pass(20);
    }
    await pass(270);
    chain.end();
    expect(runEnds).toBe(0);
    await pass(3000);
    expect(runEnds).toBe(1);
    expectSeamless();
    const samples = channelOf(heard(), format);
    const start = frameAt(startUs);
    for (const ms of [100, 500, 800]) {
      const part = samples.subarray(start + ms * 48, start + ms * 48 + 2400);
      expect(levelOf(part, 1000, 48_000)).toBeCloseTo(0.25, 2);
    }
    expect(ends.reasons).toEqual(['ended']);
  });

  it('and its music are over when the chain is closed', () => {
    const sound = tone(1000);
    mix({}, sound);
    chain.close();
    expect(ends.reasons).toEqual(['gone']);
    expect(mixer.isClosed).toBe(true);
    expect(sound.closed).toBe(1);
  });
});
