import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sound } from '../../../src/announcements/sound.ts';
import type { Part } from '../../../src/announcements/sound-converter.ts';
import { SoundInputs } from '../../../src/announcements/sound-input.ts';
import type { MixFormat, MixInput } from '../../../src/audio/mix-input.ts';
import { MixVoice } from '../../../src/audio/mix-voice.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { plainMix } from '../../support/mix-rig.ts';
import { turn } from '../../support/waiting.ts';

const open = (parts: readonly Part[], format: MixFormat) =>
  new SoundInputs(parts, { keptMs: 1000 }).open(format);

function tone(rateHz: number, { ms = 200, hz = 1000, channels = 1 } = {}): Sound {
  const samples = new Float32Array(Math.round((rateHz * ms) / 1000) * channels);
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] = 0.5 * Math.sin((2 * Math.PI * hz * Math.floor(index / channels)) / rateHz);
  }
  return Sound.of({ rateHz, channels, samples });
}

function msOf(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}

/** All that an input gives, asked for in pieces of `frames`. */
function readAll(input: MixInput, channels: number, frames: number): Float32Array {
  const read: number[] = [];
  const target = new Float32Array(frames * channels);
  while (!input.hasEnded) {
    const given = input.read(target, frames);
    if (given === 0 && !input.hasEnded) throw new Error('it gives nothing and does not end');
    read.push(...target.subarray(0, given * channels));
  }
  return Float32Array.from(read);
}

function allOf(sound: Sound): Float32Array {
  const samples = new Float32Array(sound.frames * sound.channels);
  sound.read(0, samples);
  return samples;
}

describe('the input of an announcement', () => {
  it('gives a sound of the format of the stream as it is, however it is read', async () => {
    const sound = tone(48_000, { channels: 2 });
    for (const frames of [1, 960, 5000]) {
      const input = await open([{ sound, gain: 1 }], { rateHz: 48_000, channels: 2 });
      expect(readAll(input, 2, frames)).toEqual(allOf(sound));
    }
  });

  it.each([
    [22_050, 48_000],
    [44_100, 48_000],
    [48_000, 16_000],
    [48_000, 44_100],
  ])('converts %i Hz to %i Hz in time and without a seam', async (from, to) => {
    const input = await open([{ sound: tone(from), gain: 1 }], {
      rateHz: to,
      channels: 1,
    });
    const heard = readAll(input, 1, 777);
    expect(heard.length).toBe(to / 5);
    const wanted = allOf(tone(to));
    // The filter needs some context at both ends.
    const margin = Math.round(to / 100);
    for (let frame = margin; frame < heard.length - margin; frame += 1) {
      expect(Math.abs(heard[frame]! - wanted[frame]!)).toBeLessThan(1e-3);
    }
  });

  it('keeps the middle of surround sound, on both sides or in the one channel there is', async () => {
    const surround = (values: readonly number[]) =>
      Sound.of({ rateHz: 48_000, channels: 6, samples: Float32Array.from(values) });
    const sound = surround([0.25, -0.5, 0.125, 1, 1, 1]);
    const middle = Math.SQRT1_2 * 0.125;
    for (const [channels, wanted] of [
      [1, [(0.25 - 0.5) / 2 + middle]],
      [2, [0.25 + middle, -0.5 + middle]],
    ] as const) {
      const input = await open([{ sound, gain: 1 }], { rateHz: 48_000, channels });
      const heard = readAll(input, channels, 1);
      expect(heard).toHaveLength(channels);
      for (const [at, sample] of heard.entries()) expect(sample).toBeCloseTo(wanted[at]!, 6);
    }
  });

  it('plays the parts one after the other, each with its gain, and the same one again', async () => {
    const pre = Sound.of({ rateHz: 8000, channels: 1, samples: new Float32Array(800).fill(0.5) });
    const main = tone(8000, { ms: 50 });
    const parts = [
      { sound: pre, gain: 0.5 },
      { sound: main, gain: 2 },
      { sound: main, gain: 2 },
    ];
    const input = await open(parts, { rateHz: 8000, channels: 1 });
    const heard = readAll(input, 1, 333);
    expect(heard.length).toBe(800 + 2 * 400);
    expect(heard.subarray(0, 800).every((sample) => sample === 0.25)).toBe(true);
    expect(heard.subarray(800, 1200)).toEqual(allOf(main).map((sample) => 2 * sample));
    expect(heard.subarray(1200)).toEqual(heard.subarray(800, 1200));
  });

  it.each([
    ['mono to both sides of stereo', 1, [0.5], 2, [0.5, 0.5]],
    ['stereo to mono as its mean', 2, [0.5, 0.25], 1, [0.375]],
    ['stereo to the front of four channels', 2, [0.5, 0.25], 4, [0.5, 0.25, 0, 0]],
    ['the middle of surround to both sides', 3, [0.5, 0.25, 0.125], 2, [0.58839, 0.33839]],
  ])('leads %s', async (_, channels, frame, streamChannels, wanted) => {
    const sound = Sound.of({ rateHz: 8000, channels, samples: Float32Array.from(frame) });
    const format = { rateHz: 8000, channels: streamChannels };
    const input = await open([{ sound, gain: 1 }], format);
    const heard = readAll(input, streamChannels, 1);
    expect([...heard]).toEqual(wanted.map((sample) => expect.closeTo(sample, 4)));
  });

  it('is converted before it is read, once for all streams of a format', async () => {
    const format = { rateHz: 48_000, channels: 2 };
    const sound = tone(44_100, { ms: 6000, channels: 2 });
    const announcements = Array.from(
      { length: 32 },
      () => new SoundInputs([{ sound, gain: 1 }], { keptMs: 1000 }),
    );
    const places = announcements.flatMap((one) => Array.from({ length: 8 }, () => one));
    const inputs = await Promise.all(places.map((one) => one.open(format)));
    const target = new Float32Array(960 * 2);
    const readyMs: number[] = [];
    // Longer than what is converted at the beginning.
    for (let chunk = 0; chunk < 50; chunk += 1) {
      readyMs.push(msOf(() => inputs.every((input) => input.read(target, target.length))));
      // Some of the turns of the event loop that there are until the next one is due.
      for (let turns = 0; turns < 50; turns += 1) await turn();
    }
    const ahead = await open([{ sound, gain: 1 }], format);
    const long = new Float32Array(places.length * target.length);
    const allAtOnceMs = msOf(() => ahead.read(long, long.length));
    const median = readyMs.slice(25).sort((a, b) => a - b)[12]!;
    expect(median).toBeLessThan(allAtOnceMs / 16);
  });

  it('is silence at a stream that is too far behind the others', async () => {
    const inputs = new SoundInputs([{ sound: tone(8000, { ms: 4000 }), gain: 1 }], {
      keptMs: 1000,
    });
    const format = { rateHz: 8000, channels: 1 };
    const [first, last] = [await inputs.open(format), await inputs.open(format)];
    const heard = readAll(first, 1, 160);
    const late = readAll(last, 1, 160);
    expect(late.length).toBe(heard.length);
    expect(late.subarray(0, 16_000).every((sample) => sample === 0)).toBe(true);
    expect(late.subarray(24_000)).toEqual(heard.subarray(24_000));
  });

  it('refuses rates that cannot be converted', async () => {
    const sound = tone(8000);
    const opening = open([{ sound, gain: 1 }], { rateHz: 500, channels: 1 });
    await expect(opening).rejects.toMatchObject({ code: 'bad-rate' });
  });
});

describe('a sound that is still arriving', () => {
  it('becomes silence where it is late, the same for all who play it', async () => {
    const sound = new Sound({ rateHz: 8000, channels: 1 });
    const [first, second] = await Promise.all(
      [0, 1].map(() => open([{ sound, gain: 1 }], { rateHz: 8000, channels: 1 })),
    );
    const target = new Float32Array(100);
    sound.push(new Float32Array(150).fill(0.5));
    const heard: number[][] = [[], []];
    for (const round of [0, 1, 2, 3]) {
      if (round === 2) sound.push(new Float32Array(50).fill(0.25));
      if (round === 3) sound.end();
      for (const [index, input] of [first!, second!].entries()) {
        heard[index]!.push(...target.subarray(0, input.read(target, target.length)));
      }
    }
    expect(heard[0]).toEqual(heard[1]);
    const wanted = [
      [150, 0.5],
      [50, 0],
      [50, 0.25],
      [50, 0],
    ] as const;
    expect(heard[0]).toEqual(wanted.flatMap(([frames, value]) => Array(frames).fill(value)));
    expect(first!.hasEnded).toBe(true);
    expect(sound.stalledMs).toBeCloseTo(12.5);
  });

  it('is not late because it is read ahead', async () => {
    const format = SampleFormat.parse('8000:16:1');
    const sound = new Sound({ rateHz: 8000, channels: 1 });
    const input = await open([{ sound, gain: 1 }], format);
    const settings = { ...plainMix, attackMs: 20, fadeInMs: 0 };
    const ends = { onSoundEnd: () => undefined, onEnd: () => undefined };
    const voice = new MixVoice({ input, settings, format, startsIn: 160, ...ends });
    const heard: number[] = [];
    for (let chunk = 0; chunk <= 50; chunk += 1) {
      if (chunk < 50) sound.push(new Float32Array(160).fill(1 + chunk));
      const mixed = new Float32Array(160);
      for (let done = 0; done < mixed.length; ) {
        const part = mixed.subarray(done, done + voice.spanFrames);
        voice.addTo(part);
        done += part.length;
      }
      heard.push(...mixed);
    }
    const fed = Array.from({ length: 50 }, (_, chunk) => Array<number>(160).fill(1 + chunk));
    expect(heard).toEqual([...Array<number>(160).fill(0), ...fed.flat()]);
    expect(sound.stalledMs).toBe(0);
  });

  it('keeps every frame that came, in order, whatever is read when', () => {
    const step = fc.record({ push: fc.nat({ max: 50 }), read: fc.nat({ max: 50 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const sound = new Sound({ rateHz: 1000, channels: 1 });
        let next = 1;
        let position = 0;
        const heard: number[] = [];
        const read = (frames: number) => {
          const target = new Float32Array(frames);
          const given = sound.read(position, target);
          position += given;
          heard.push(...target.subarray(0, given));
          return given;
        };
        for (const { push, read: frames } of steps) {
          sound.push(Float32Array.from({ length: push }, () => next++));
          expect(read(frames)).toBe(frames);
        }
        sound.end();
        while (read(17) > 0);
        expect(heard.filter((sample) => sample !== 0)).toEqual(
          Array.from({ length: next - 1 }, (_, index) => index + 1),
        );
        expect(heard.length).toBe(sound.frames);
      }),
    );
  });

  it('that is live forgets what is old, and is played from what is left', async () => {
    const sound = new Sound({ rateHz: 1000, channels: 1, keptMs: 100 });
    for (let value = 1; value <= 10; value += 1) sound.push(new Float32Array(50).fill(value));
    expect(sound).toMatchObject({ frames: 500, begin: 400, bytes: 400 });
    const input = await open([{ sound, gain: 1 }], { rateHz: 1000, channels: 1 });
    sound.end();
    expect([...new Set(readAll(input, 1, 30))]).toEqual([9, 10]);
    const early = new Float32Array(60);
    expect(sound.read(380, early)).toBe(60);
    expect([...early]).toEqual([...Array(20).fill(0), ...Array(40).fill(9)]);
  });

  it('tells when enough of it has come, or all', async () => {
    const sound = new Sound({ rateHz: 1000, channels: 1 });
    const done: string[] = [];
    const lasting = sound.lasts(100).then(() => done.push('100'));
    const longer = sound.lasts(500).then(() => done.push('500'));
    sound.push(new Float32Array(99));
    await Promise.resolve();
    expect(done).toEqual([]);
    sound.push(new Float32Array(1));
    await lasting;
    expect(done).toEqual(['100']);
    sound.end();
    await longer;
    expect(done).toEqual(['100', '500']);
  });
});
