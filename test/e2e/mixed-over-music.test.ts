import { afterEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import {
  channelOf,
  decibels,
  levelOf,
  MixEnds,
  plainMix,
  sine,
  TestSound,
} from '../support/mix-rig.ts';
import { firstAudibleFrame } from '../support/pcm-compare.ts';
import { PlayerRig } from '../support/player-rig.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { until } from '../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');
const { rateHz } = format;
const bufferUs = 1_000_000;
const bell = sine(rateHz, 1000, 0.25);

/** Frames of a recording that are not as one second before, or after where `isFirst`. */
function changedFrames(pcm: Buffer, isFirst = false): number[] {
  const first = firstAudibleFrame(pcm, format) ?? 0;
  const frames = new Int32Array(pcm.buffer.slice(pcm.byteOffset + first * 4));
  const changed: number[] = [];
  for (let frame = rateHz; frame < frames.length; frame += 1) {
    if (frames[frame] !== frames[isFirst ? frame % rateHz : frame - rateHz]) changed.push(frame);
  }
  return changed;
}

let rig: PlayerRig;
let players: Snapclient[];

afterEach(async () => {
  for (const player of players) await player.kill();
  expect(await rig.close(), 'the pool is full').toBe(true);
});

// A client looks at its first hundred reads of 50 ms before it begins to leave out or double single
// frames to keep in step; on a busy machine it also skips what it was too late for.
describe.skipIf(snapclientIsMissing)('a real client', { retry: 2 }, () => {
  it.each(['flac', 'pcm'])(
    'hears what is mixed for it, and the music goes on to the sample; others hear it alone, by %s',
    async (codec) => {
      // The tone repeats after a second and not before.
      const tone = `tone:///?name=one&codec=${codec}&sampleformat=${format}&freq=443&level=-6`;
      rig = await PlayerRig.open([tone], { resyncToleranceMs: 800 });
      players = [];
      for (const hostId of ['meant', 'other']) {
        players.push(await Snapclient.start({ port: rig.port, hostId }));
      }
      for (const player of players) await player.heardSound();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const ends = new MixEnds();
      await rig.mixes.start({
        open: ({ channels }) => new TestSound(channels, rateHz / 5, bell),
        settings: { ...plainMix, attackMs: 100, holdMs: 50, releaseMs: 100 },
        listeners: { clientIds: new Set(['meant']) },
        onEnd: ends.note,
      });
      await until(() => ends.reasons.length > 0);
      await until(() => rig.streams.channels.get('one')!.variants.size === 0);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const [meant, other] = await Promise.all(players.map((player) => player.stop(format)));
      const changed = changedFrames(meant!.pcm, true);
      const lengthMs = (1000 * (changed.at(-1)! - changed[0]! + 1)) / rateHz;
      expect(lengthMs).toBeGreaterThan(440);
      expect(lengthMs).toBeLessThan(460);
      expect(changed[0]! / rateHz).toBeGreaterThan(1);
      expect(changedFrames(other!.pcm)).toEqual([]);
    },
  );

  it.each(['flac', 'pcm', 'opus'])(
    'hears at once what is urgent, and the music behind it; others hear the music alone, by %s',
    async (codec) => {
      const tone = `tone:///?name=one&codec=${codec}&sampleformat=${format}&freq=443&level=-6`;
      rig = await PlayerRig.open([tone], { resyncToleranceMs: 800 });
      players = [];
      for (const hostId of ['meant', 'other']) {
        players.push(await Snapclient.start({ port: rig.port, hostId }));
      }
      for (const player of players) await player.heardSound();
      const isOver = () => rig.streams.channels.get('one')!.variants.size === 0;
      const ring = async (ms: number) => {
        const ends = new MixEnds();
        const askedUs = monotonicClock.nowUs();
        const { startUs } = await rig.mixes.start({
          open: ({ channels }) => new TestSound(channels, (rateHz * ms) / 1000, bell),
          settings: { ...plainMix, fadeInMs: 0, holdMs: 50, releaseMs: 100 },
          listeners: { clientIds: new Set(['meant']) },
          isUrgent: true,
          onEnd: ends.note,
        });
        const heardUs = startUs + bufferUs;
        const heardMs = Date.now() + (heardUs - monotonicClock.nowUs()) / 1000;
        await until(() => ends.reasons.length > 0 && isOver());
        return { heardMs, share: (heardUs - askedUs) / bufferUs };
      };
      // From the first one on the past is kept.
      expect((await ring(20)).share).toBeGreaterThan(0.9);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const { heardMs, share } = await ring(200);
      expect(share).toBeLessThan(0.3);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      const [meant, other] = await Promise.all(players.map((player) => player.stop(format)));
      const first = firstAudibleFrame(meant!.pcm, format)!;
      expect(Math.abs(meant!.heardAtMs(first) - heardMs)).toBeLessThan(30);
      const samples = channelOf(meant!.pcm, format);
      const heard = (ms: number) => {
        const from = first + (rateHz * ms) / 1000;
        return levelOf(samples.subarray(from, from + rateHz / 20), 1000, rateHz);
      };
      for (const ms of [10, 100, 140]) expect(heard(ms)).toBeCloseTo(0.25, 1.5);
      for (const ms of [220, 600]) expect(heard(ms)).toBeLessThan(0.01);
      if (codec === 'opus') return;
      const musicAgain = first + 0.37 * rateHz;
      expect(changedFrames(meant!.pcm).filter((at) => at > musicAgain + rateHz)).toEqual([]);
      expect(changedFrames(other!.pcm)).toEqual([]);
    },
  );

  it.each([3, 30, 100])(
    'set to %s percent plays a sound with a volume of its own as loud as it would be at that',
    async (set) => {
      const tone = `tone:///?name=one&codec=pcm&sampleformat=${format}&freq=440&level=-6`;
      rig = await PlayerRig.open([tone], { resyncToleranceMs: 800 });
      players = [await Snapclient.start({ port: rig.port, hostId: 'meant' })];
      rig.groups.setVolume(rig.client('meant'), { percent: set });
      await players[0]!.heardSound();
      await new Promise((resolve) => setTimeout(resolve, 1200));
      const ends = new MixEnds();
      await rig.mixes.start({
        open: ({ channels }) => new TestSound(channels, rateHz, sine(rateHz, 1000, 0.1)),
        settings: { ...plainMix, duckDb: -6, attackMs: 100, holdMs: 50, releaseMs: 100 },
        volume: 60,
        listeners: { streamIds: new Set(['one']) },
        onEnd: ends.note,
      });
      await until(() => ends.reasons.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const { pcm } = await players[0]!.stop(format);
      const parts = partsOf(pcm);
      const sound = parts.map((part) => levelOf(part, 1000, rateHz));
      const music = parts.map((part) => levelOf(part, 440, rateHz));
      const gainAt = (percent: number) => (10 ** (percent / 100) - 1) / 9;
      const loudest = Math.max(...sound);
      expect(decibels(loudest / (0.1 * gainAt(60)))).toBeCloseTo(0, 0.5);
      // All of it is as loud, but for what lies in the parts at its ends.
      const loud = sound.filter((level) => decibels(level / loudest) > -1).length;
      expect(loud).toBeGreaterThanOrEqual(19);
      // At no time the music is louder than it is set, as it would be while the player is raised alone.
      const full = 10 ** (-6 / 20) * gainAt(set);
      expect(decibels(Math.max(...music.slice(40)) / full)).toBeLessThan(0.5);
      const during = music.filter((_, index) => decibels(sound[index]! / loudest) > -1);
      for (const level of during) expect(decibels(level / full)).toBeCloseTo(-6, -0.5);
    },
  );

  it('that is muted hears all of a sound that overrides that, and no music', async () => {
    const tone = `tone:///?name=one&codec=pcm&sampleformat=${format}&freq=440&level=-6`;
    rig = await PlayerRig.open([tone], { resyncToleranceMs: 800 });
    players = [await Snapclient.start({ port: rig.port, hostId: 'meant' })];
    rig.groups.setVolume(rig.client('meant'), { muted: true });
    // What it has got before it would play silently, too.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const ends = new MixEnds();
    await rig.mixes.start({
      open: ({ channels }) => new TestSound(channels, rateHz, sine(rateHz, 1000, 0.25)),
      settings: { ...plainMix, attackMs: 100, holdMs: 50, releaseMs: 100 },
      overridesMute: true,
      listeners: { clientIds: new Set(['meant']) },
      onEnd: ends.note,
    });
    await until(() => ends.reasons.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const { pcm } = await players[0]!.stop(format);
    const parts = partsOf(pcm);
    const loud = parts.filter((part) => levelOf(part, 1000, rateHz) > 0.22).length;
    expect(loud).toBeGreaterThanOrEqual(19);
    const begin = parts.findIndex((part) => levelOf(part, 1000, rateHz) > 0.01);
    for (const part of parts.slice(begin - 10)) {
      expect(levelOf(part, 440, rateHz)).toBeLessThan(0.002);
    }
  });
});

/** What was heard in one channel, in pieces of 50 ms. */
function partsOf(pcm: Buffer): readonly Float64Array[] {
  const heard = channelOf(pcm, format);
  const step = rateHz / 20;
  return Array.from({ length: Math.floor(heard.length / step) }, (_, index) =>
    heard.subarray(index * step, (index + 1) * step),
  );
}
