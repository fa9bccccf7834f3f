import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import { type Dsp, openDsp } from '../../../src/dsp/dsp.ts';
import { LevelMeter, type LevelReading } from '../../../src/metering/level-meter.ts';

const rateHz = 48_000;
const chunkFrames = 960;
/** Amplitude of one channel at a sample; `isSteady`: the same in every chunk. */
type Signal = ((frame: number, channel: number) => number) & { isSteady?: boolean };
/** Signals one after the other, with their seconds. */
type Pieces = readonly (readonly [signal: Signal, seconds: number])[];

const amplitude = (db: number) => 10 ** (db / 20);
function sine(db: number, hz = 1000, phaseDegrees = 0): Signal {
  const signal: Signal = (frame) =>
    amplitude(db) * Math.sin(2 * Math.PI * ((hz * frame) / rateHz + phaseDegrees / 360));
  return steady(signal, (chunkFrames * hz) % rateHz === 0);
}

const steady = (signal: Signal, isSteady = true): Signal => Object.assign(signal, { isSteady });
const silence = steady(() => 0);

const strongPeriodSeconds = 0.2;

/**
 * One period of a quarter of the rate with full amplitude, within a sine of a sixth with half of it: made
 * at four times the rate, low-passed, and sampled with this offset. Source: EBU Tech 3341, 20 to 23.
 */
function strongPeriod(offset: number): Signal {
  const length = 4 * strongPeriodSeconds * rateHz;
  const [weakPeriod, period] = [4 * 6, 4 * 4];
  const begin = weakPeriod * Math.floor(length / 2 / weakPeriod);
  const made = (at: number) => {
    const fade = Math.max(0, Math.min(1, at / 1920, (length - at) / 1920));
    if (at >= begin && at < begin + period) return Math.sin((2 * Math.PI * (at - begin)) / period);
    const before = at < begin ? at : at - period;
    return 0.5 * fade * Math.sin((2 * Math.PI * before) / weakPeriod);
  };
  const half = 256;
  // A sinc that lets half of the rate pass, in a window by Blackman.
  const taps = Array.from({ length: 2 * half + 1 }, (_, index) => {
    const angle = (Math.PI * (index - half)) / 4;
    const turn = (Math.PI * (index - half)) / half;
    const window = 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
    return ((angle === 0 ? 1 : Math.sin(angle) / angle) * window) / 4;
  });
  const sampled = Array.from({ length: length / 4 }, (_, frame) =>
    taps.reduce((sum, tap, index) => sum + tap * made(4 * frame + offset + index - half), 0),
  );
  return (frame) => sampled[frame] ?? 0;
}

interface Kept extends Pick<LevelReading, 'heardUs' | 'momentaryLufs' | 'shortTermLufs'> {
  readonly integratedLufs: number;
  readonly rangeLu: number;
  readonly peakDb: readonly number[];
  readonly rmsDb: readonly number[];
  readonly truePeakDb: readonly number[];
}

let pool: ChunkPool;
let readings: Kept[];

beforeEach(() => {
  pool = new ChunkPool();
  readings = [];
});

afterEach(() => {
  expect(pool.isFull).toBe(true);
  pool.close();
});

/** 32 bits of so many channels, in chunks of 20 ms. */
class Feeder {
  readonly format: SampleFormat;
  readonly meter: LevelMeter;
  frame = 0;

  constructor(dsp: Dsp, channels = 2) {
    this.format = SampleFormat.parse(`${rateHz}:32:${channels}`);
    this.meter = new LevelMeter({
      format: this.format,
      bufferMs: 1000,
      dsp,
      measuresTruePeak: true,
      onReading: ({ peakDb, rmsDb, truePeakDb, ...rest }) =>
        readings.push({
          ...rest,
          peakDb: [...peakDb],
          rmsDb: [...rmsDb],
          truePeakDb: [...truePeakDb],
        }),
    });
  }

  give(pieces: Pieces, framesPerChunk = chunkFrames): void {
    for (const [signal, seconds] of pieces) {
      const end = this.frame + Math.round(seconds * rateHz);
      const first = signal.isSteady ? this.#pcmOf(signal, this.frame, framesPerChunk) : undefined;
      while (this.frame < end) {
        const frames = Math.min(framesPerChunk, end - this.frame);
        this.#chunk(first ?? this.#pcmOf(signal, this.frame, frames), frames);
      }
    }
  }

  #pcmOf(signal: Signal, firstFrame: number, frames: number): Buffer {
    const { channels } = this.format;
    const samples = new Int32Array(frames * channels);
    for (let index = 0; index < samples.length; index += 1) {
      const value = signal(firstFrame + Math.floor(index / channels), index % channels);
      samples[index] = Math.round(Math.min(1, Math.max(-1, value)) * 0x7fff_ffff);
    }
    return Buffer.from(samples.buffer);
  }

  #chunk(pcm: Buffer, frames: number): void {
    const bytes = frames * this.format.frameBytes;
    const chunk = pool.acquire(bytes, 'test signal');
    chunk.payloadBytes = bytes;
    pcm.copy(chunk.writable, 0, 0, bytes);
    const timestampUs = this.format.durationUs(this.frame);
    this.meter.take({ chunk, timestampUs, stretch: 1, startsRun: this.frame === 0 });
    chunk.release();
    this.frame += frames;
  }
}

const native = loadNativeAddon();
const script = { name: 'TypeScript', addon: { reason: 'not for this test' } };
const fastest = 'addon' in native ? { name: 'C++', addon: native } : script;

// The contract of the signal processing says that both give the same; here one is enough.
describe(`the levels of a stream, by ${fastest.name},`, { timeout: 120_000 }, () => {
  let dsp: Dsp;

  beforeEach(async () => {
    dsp = await openDsp(fastest.addon);
  });

  function measure(pieces: Pieces, channels = 2): readonly Kept[] {
    new Feeder(dsp, channels).give(pieces);
    return readings;
  }

  const within = (value: number, wanted: number, tolerance: number) =>
    expect(Math.abs(value - wanted)).toBeLessThanOrEqual(tolerance);

  it.each([-23, -33])('are %i LUFS for such a sine (EBU Tech 3341, 1 and 2)', (lufs) => {
    measure([[sine(lufs), 20]]);
    const last = readings.at(-1)!;
    for (const value of [last.momentaryLufs, last.shortTermLufs, last.integratedLufs]) {
      within(value, lufs, 0.1);
    }
  });

  it.each<[number, Pieces]>([
    [
      3,
      [
        [sine(-36), 10],
        [sine(-23), 60],
        [sine(-36), 10],
      ],
    ],
    [
      4,
      [
        [sine(-72), 10],
        [sine(-36), 10],
        [sine(-23), 60],
        [sine(-36), 10],
        [sine(-72), 10],
      ],
    ],
    [
      5,
      [
        [sine(-26), 20],
        [sine(-20), 20.1],
        [sine(-26), 20],
      ],
    ],
  ])('are -23 LUFS for signal %i of EBU Tech 3341', (_, pieces) => {
    within(measure(pieces).at(-1)!.integratedLufs, -23, 0.1);
  });

  it('weigh the channels at the sides (EBU Tech 3341, 6)', () => {
    const db = [-28, -28, -24, -30, -30];
    const signal = steady((frame, channel) => sine(db[channel]!)(frame, channel));
    within(measure([[signal, 20]], 5).at(-1)!.integratedLufs, -23, 0.1);
  });

  it('are steady over 3 s (EBU Tech 3341, 9)', () => {
    const pieces = Array.from({ length: 5 }, () => [
      [sine(-20), 1.34] as const,
      [sine(-30), 1.66] as const,
    ]).flat();
    const steady = measure(pieces).filter(({ heardUs }) => heardUs >= 4_000_000);
    expect(steady.length).toBeGreaterThan(250);
    for (const { shortTermLufs } of steady) within(shortTermLufs, -23, 0.1);
  });

  it('are steady over 400 ms (EBU Tech 3341, 12)', () => {
    const pieces = Array.from({ length: 25 }, () => [
      [sine(-20), 0.18] as const,
      [sine(-30), 0.22] as const,
    ]).flat();
    const steady = measure(pieces).filter(({ heardUs }) => heardUs >= 2_000_000);
    expect(steady.length).toBeGreaterThan(200);
    for (const { momentaryLufs } of steady) within(momentaryLufs, -23, 0.1);
  });

  it.each([0, 5, 11, 19])('reach -23 LUFS wherever 3 s begin (EBU Tech 3341, 10: %i)', (index) => {
    measure([
      [silence, 0.15 * index],
      [sine(-23), 3],
      [silence, 1],
    ]);
    within(Math.max(...readings.map(({ shortTermLufs }) => shortTermLufs)), -23, 0.1);
  });

  it.each([0, 2, 7, 18])(
    'reach -23 LUFS wherever 400 ms begin (EBU Tech 3341, 13: %i)',
    (index) => {
      measure([
        [silence, 0.02 * index],
        [sine(-23), 0.4],
        [silence, 1],
      ]);
      within(Math.max(...readings.map(({ momentaryLufs }) => momentaryLufs)), -23, 0.1);
    },
  );

  it.each([
    [11, 'shortTermLufs', 3, 0.15],
    [14, 'momentaryLufs', 0.4, 0.02],
  ] as const)(
    'follow 20 tones, each 1 dB louder and later than the one before (EBU Tech 3341, %i)',
    (_, figure, seconds, laterBy) => {
      const feeder = new Feeder(dsp);
      for (let index = 0; index < 20; index += 1) {
        const silenceBefore = laterBy * index;
        feeder.give([
          [silence, silenceBefore],
          [sine(-38 + index), seconds],
          [silence, seconds - silenceBefore],
        ]);
        const heard = readings.splice(0).map((reading) => reading[figure]);
        within(Math.max(...heard), -38 + index, 0.1);
      }
    },
  );

  it.each<[number, number, Pieces]>([
    [
      1,
      10,
      [
        [sine(-20), 20],
        [sine(-30), 20],
      ],
    ],
    [
      2,
      5,
      [
        [sine(-20), 20],
        [sine(-15), 20],
      ],
    ],
    [
      3,
      20,
      [
        [sine(-40), 20],
        [sine(-20), 20],
      ],
    ],
    [
      4,
      15,
      [
        [sine(-50), 20],
        [sine(-35), 20],
        [sine(-20), 20],
        [sine(-35), 20],
        [sine(-50), 20],
      ],
    ],
  ])('have the range of signal %i of EBU Tech 3342, %i LU', (_, lu, pieces) => {
    within(measure(pieces).at(-1)!.rangeLu, lu, 1);
  });

  it.each([
    [15, 4, 0, 0.5],
    [16, 4, 45, 0.5],
    [17, 6, 60, 0.5],
    [18, 8, 67.5, 0.5],
  ])('have the true peak of signal %i of EBU Tech 3341', (_, divisor, phase, level) => {
    // The signals fade in and out: a sudden begin has a peak of its own.
    const tone = sine(20 * Math.log10(level), rateHz / divisor, phase);
    const fade: Signal = (frame, channel) => Math.min(1, frame / 4800) * tone(frame, channel);
    measure([[fade, 1]]);
    const truePeakDb = Math.max(...readings.flatMap(({ truePeakDb }) => truePeakDb));
    expect(truePeakDb).toBeGreaterThan(-6 - 0.4);
    expect(truePeakDb).toBeLessThan(-6 + 0.2);
  });

  it('have the true peak beyond full scale of signal 19 of EBU Tech 3341', () => {
    const tone = sine(20 * Math.log10(1.41), rateHz / 4, 45);
    const fade: Signal = (frame, channel) => Math.min(1, frame / 4800) * tone(frame, channel);
    measure([[fade, 1]]);
    const { truePeakDb, peakDb } = readings.at(-1)!;
    expect(truePeakDb[0]).toBeGreaterThan(3 - 0.4);
    expect(truePeakDb[0]).toBeLessThan(3 + 0.2);
    within(peakDb[0]!, 0, 0.05);
  });

  it.each([
    [20, 0],
    [21, 1],
    [22, 2],
    [23, 3],
  ])('have the true peak of signal %i of EBU Tech 3341, wherever it is sampled', (_, offset) => {
    measure([[strongPeriod(offset), strongPeriodSeconds]]);
    const truePeakDb = Math.max(...readings.flatMap(({ truePeakDb }) => truePeakDb));
    expect(truePeakDb).toBeGreaterThan(-0.4);
    expect(truePeakDb).toBeLessThan(0.2);
  });

  it('are the same by TypeScript', async () => {
    const signal = sine(-20, 997, 10);
    measure([[signal, 3.5]]);
    const expected = readings.splice(0);
    new Feeder(await openDsp(script.addon)).give([[signal, 3.5]]);
    for (const [index, { momentaryLufs, shortTermLufs, truePeakDb }] of readings.entries()) {
      const other = expected[index]!;
      expect(momentaryLufs).toBeCloseTo(other.momentaryLufs, 3);
      expect(shortTermLufs).toBeCloseTo(other.shortTermLufs, 3);
      expect(truePeakDb[1]).toBeCloseTo(other.truePeakDb[1]!, 3);
    }
  });

  it('tell peak and RMS of each channel, 25 times a second, at the time at which it is heard', () => {
    const signal: Signal = (frame, channel) => sine(channel === 0 ? -6 : -26)(frame, channel);
    measure([[signal, 2]]);
    expect(readings).toHaveLength(50);
    for (const [index, { heardUs, peakDb, rmsDb }] of readings.entries()) {
      expect(heardUs).toBeCloseTo(1_000_000 + index * 40_000, 3);
      within(peakDb[0]!, -6, 0.01);
      within(peakDb[1]!, -26, 0.01);
      within(rmsDb[0]!, -9.01, 0.02);
      within(rmsDb[1]!, -29.01, 0.02);
    }
  });

  it('do not depend on where chunks begin', () => {
    const pieces: Pieces = [
      [sine(-20, 997), 2],
      [sine(-40, 333), 2],
    ];
    new Feeder(dsp).give(pieces);
    const expected = readings.splice(0);
    const steps: Pieces = pieces.map(([signal, seconds]) => [steady(signal, false), seconds]);
    new Feeder(dsp).give(steps, 1234);
    expect(readings).toHaveLength(expected.length);
    for (const [index, { shortTermLufs, heardUs, rmsDb }] of readings.entries()) {
      const other = expected[index]!;
      expect(heardUs).toBeCloseTo(other.heardUs, 3);
      if (Number.isFinite(shortTermLufs)) within(shortTermLufs, other.shortTermLufs, 1e-6);
      within(rmsDb[0]!, other.rmsDb[0]!, 1e-6);
    }
  });

  it('are minus infinity once the audio has ended, and begin anew behind that', () => {
    const feeder = new Feeder(dsp);
    feeder.give([[sine(-20), 5]]);
    readings.splice(0);
    feeder.meter.endRun();
    feeder.meter.endRun();
    const silent = Number.NEGATIVE_INFINITY;
    expect(readings).toEqual([
      {
        heardUs: 6_000_000,
        peakDb: [silent, silent],
        rmsDb: [silent, silent],
        truePeakDb: [silent, silent],
        momentaryLufs: silent,
        shortTermLufs: silent,
        integratedLufs: expect.closeTo(-20, 1),
        rangeLu: expect.closeTo(0, 1),
      },
    ]);
    feeder.give([[sine(-30), 0.3]]);
    expect(readings.at(-1)!.momentaryLufs).toBe(silent);
    within(readings.at(-1)!.peakDb[0]!, -30, 0.1);
  });

  it.skipIf(spawnSync('ffmpeg', ['-version']).status !== 0)(
    'are those that ffmpeg measures of noise that swells',
    () => {
      let seed = 1;
      let dull = 0;
      const samples: number[] = [];
      for (let index = 0; index < 2 * 20 * rateHz; index += 1) {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
        // Without the treble, of which different filters make different peaks.
        dull += 0.1 * (seed / 2 ** 31 - dull);
        samples.push(dull * (0.05 + 0.9 * Math.sin(index / (4 * rateHz)) ** 2));
      }
      measure([[(frame, channel) => samples[2 * frame + channel]!, 20]]);
      const input = new Int32Array(samples.map((value) => Math.round(value * 0x7fff_ffff)));
      const { stderr } = spawnSync(
        'ffmpeg',
        [
          ...['-hide_banner', '-nostats', '-f', 's32le', '-ar', '48000', '-ac', '2', '-i', '-'],
          ...['-af', 'ebur128=peak=true+sample', '-f', 'null', '-'],
        ],
        { input: Buffer.from(input.buffer), encoding: 'utf8' },
      );
      const summary = stderr.slice(stderr.indexOf('Summary:'));
      const figure = (name: string) =>
        Number(new RegExp(`${name}:\\s+(-?[\\d.]+)`).exec(summary)?.[1]);
      const last = readings.at(-1)!;
      within(last.integratedLufs, figure('I'), 0.11);
      within(last.rangeLu, figure('LRA'), 0.5);
      const peak = Math.max(...readings.flatMap(({ peakDb }) => peakDb));
      const truePeak = Math.max(...readings.flatMap(({ truePeakDb }) => truePeakDb));
      within(peak, Number(/Sample peak:\s+Peak:\s+(-?[\d.]+)/.exec(summary)?.[1]), 0.06);
      within(truePeak, Number(/True peak:\s+Peak:\s+(-?[\d.]+)/.exec(summary)?.[1]), 0.3);
    },
  );
});
