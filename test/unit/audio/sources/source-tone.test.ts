import { describe, expect, it } from 'vitest';
import { SourceHarness } from '../../../support/source-harness.ts';

const addresses: readonly [format: string, sampleBytes: number, fullScale: number][] = [
  ['8000:8:1', 1, 127],
  ['44100:16:2', 2, 32_767],
  ['96000:24:2', 4, 8_388_607],
  ['192000:32:8', 4, 2_147_483_647],
];

/** The samples of one channel. */
function samplesOf(pcm: Buffer, sampleBytes: number, channels: number, channel = 0): number[] {
  const frames = pcm.length / sampleBytes / channels;
  return Array.from({ length: frames }, (_, frame) =>
    pcm.readIntLE((frame * channels + channel) * sampleBytes, sampleBytes),
  );
}

describe('a tone source', () => {
  it.each(addresses)(
    'computes each sample of a sine at %s exactly',
    async (format, bytes, full) => {
      const [rateHz = 0, , channels = 0] = format.split(':').map(Number);
      const harness = new SourceHarness('tone:///?freq=1000&level=-6', format).start();
      const frames = Math.ceil(rateHz / 100);
      const pcm = await harness.read(frames * bytes * channels);
      for (let channel = 0; channel < channels; channel += 1) {
        const samples = samplesOf(pcm, bytes, channels, channel);
        samples.forEach((sample, frame) => {
          const exact = full * 10 ** (-6 / 20) * Math.sin((2 * Math.PI * 1000 * frame) / rateHz);
          // One rounding, and the last digits of a double where 32 bits are full.
          expect(Math.abs(sample - exact)).toBeLessThanOrEqual(0.5 + 1e-5);
        });
      }
      await harness.source.stop();
    },
  );

  it('goes on in phase from one target to the next', async () => {
    const whole = await new SourceHarness('tone:///?freq=440.5').start().read(4 * 4800);
    const harness = new SourceHarness('tone:///?freq=440.5').start();
    const pieces = [];
    for (const frames of [1, 959, 960, 2880]) pieces.push(await harness.read(4 * frames));
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
  });

  it('does not drift: the second hundred seconds equals the first', async () => {
    const harness = new SourceHarness('tone:///?freq=333.25', '1000:32:1').start();
    const first = await harness.read(4 * 100_000);
    expect((await harness.read(4 * 100_000)).equals(first)).toBe(true);
  });

  it('writes nowhere but into the target', () => {
    const memory = Buffer.alloc(40, 0xee);
    const harness = new SourceHarness('tone:///').start();
    harness.source.read(memory.subarray(10, 30));
    expect(harness.filledCount).toBe(1);
    expect(memory.subarray(0, 10).every((byte) => byte === 0xee)).toBe(true);
    expect(memory.subarray(30).every((byte) => byte === 0xee)).toBe(true);
    expect(memory.subarray(10, 30).every((byte) => byte === 0xee)).toBe(false);
  });

  it('is at -20 dBFS and 440 Hz unless told otherwise', async () => {
    const pcm = await new SourceHarness('tone:///').start().read(4 * 48_000);
    const samples = samplesOf(pcm, 2, 2);
    expect(Math.max(...samples)).toBe(Math.round(3276.7));
    const rises = samples.filter((sample, at) => sample > 0 && (samples[at - 1] ?? 0) <= 0);
    expect(rises.length).toBe(440);
  });

  it.each([48_000, 44_100, 11_025])(
    'clicks on an exact grid of half seconds at %d Hz',
    async (rateHz) => {
      const harness = new SourceHarness('tone:///?pattern=metronome&level=0', `${rateHz}:16:1`);
      const samples = samplesOf(await harness.start().read(2 * 4 * rateHz), 2, 1);
      const clickFrames = Math.floor(rateHz / 100);
      const onsets = samples.flatMap((sample, at) => {
        const before = samples.slice(Math.max(0, at - clickFrames), at);
        return sample !== 0 && before.every((silent) => silent === 0) ? [at] : [];
      });
      expect(onsets).toEqual(
        [0, 1, 2, 3, 4, 5, 6, 7].map((beat) => Math.ceil((beat * rateHz) / 2)),
      );
      expect(onsets.every((onset) => samples[onset] === 32_767)).toBe(true);
    },
  );

  it.each([
    ['freq=0', 'freq=0 is taken as 1: write a number from 1 to 24000 Hz'],
    ['freq=24001', 'freq=24001 is taken as 24000'],
    ['level=3dB', 'level=3dB is taken as 0: write a number from -120 to 0 dBFS'],
  ])('takes for %s the nearest that is allowed', (parameter, reason) => {
    const { records } = new SourceHarness(`tone:///?name=x&${parameter}`);
    expect(records).toMatchObject([
      { level: 'warn', fields: { stream: 'x', reason: expect.stringContaining(reason) } },
    ]);
  });

  it.each([
    ['tone:///?freq=high', 'freq=high cannot be used: write a number from 1 to 24000 Hz'],
    ['tone:///?level=loud', 'level=loud cannot be used: write a number from -120 to 0 dBFS'],
    ['tone:///?pattern=noise', 'pattern=noise cannot be used: write sine or metronome'],
  ])('refuses %s and names what is allowed', (address, message) => {
    expect(() => new SourceHarness(address)).toThrow(message);
  });
});
