import { afterEach, describe, expect, it } from 'vitest';
import type { SampleFormat } from '../../src/audio/sample-format.ts';
import type { MixRequest } from '../../src/players/mix-control.ts';
import {
  channelOf,
  decibels,
  type Heard,
  heardBy,
  levelOf,
  MixEnds,
  plainMix,
  sine,
  TestSound,
} from '../support/mix-rig.ts';
import { PlayerRig } from '../support/player-rig.ts';
import { until } from '../support/waiting.ts';

const music = 10 ** (-6 / 20);
const tone = (name: string, codec: string, format = '48000:16:2') =>
  `tone:///?name=${name}&codec=${codec}&sampleformat=${format}&freq=440&level=-6`;

let rig: PlayerRig;
let ends: MixEnds;

afterEach(async () => {
  expect(await rig.close(), 'the pool is full').toBe(true);
});

async function start(...sources: readonly string[]): Promise<void> {
  rig = await PlayerRig.open(sources);
  ends = new MixEnds();
}

/** A player of its own group and stream. */
async function player(id: string, streamId: string) {
  const client = await rig.join(id);
  rig.groups.setStream(rig.group(id), streamId);
  await until(() => rig.session(id).channel?.id === streamId);
  client.received.length = 0;
  rig.groups.setStream(rig.group(id), streamId);
  return client;
}

function mix(listeners: MixRequest['listeners'], { ms = 500, hz = 1000, ...settings } = {}) {
  const sounds: TestSound[] = [];
  const mixing = rig.mixes.start({
    open: ({ rateHz, channels }) => {
      const sound = new TestSound(channels, (rateHz * ms) / 1000, sine(rateHz, hz, 0.25));
      sounds.push(sound);
      return sound;
    },
    settings: { ...plainMix, attackMs: 100, holdMs: 50, releaseMs: 100, ...settings },
    listeners,
    onEnd: ends.note,
  });
  return mixing;
}

/** Amplitude of a frequency from `fromMs` behind a server time on, for 50 ms. */
function level({ pcm, format, beginUs }: Heard, hz: number, us: number, fromMs: number): number {
  const first = Math.round(((us - beginUs) / 1e6 + fromMs / 1000) * format.rateHz);
  const samples = channelOf(pcm, format).subarray(first, first + format.rateHz / 20);
  return levelOf(samples, hz, format.rateHz);
}

const frameOf = ({ beginUs, format }: Heard, us: number) =>
  Math.round(((us - beginUs) * format.rateHz) / 1e6);

/** The tone repeats each second: whether these frames are as the music was in its first second. */
function isMusic({ pcm, format }: Heard, from: number, to: number): boolean {
  const second = format.rateHz * format.frameBytes;
  for (let at = from * format.frameBytes; at < to * format.frameBytes; ) {
    const place = at % second;
    const bytes = Math.min(second - place, to * format.frameBytes - at);
    if (pcm.compare(pcm, place, place + bytes, at, at + bytes) !== 0) return false;
    at += bytes;
  }
  return true;
}

const framesIn = (format: SampleFormat, ms: number) => (format.rateHz * ms) / 1000;

describe('a mix over whole streams', () => {
  it('begins at one time in all of them, whatever their codecs and rates, and leaves no trace', async () => {
    await start(tone('one', 'pcm'), tone('two', 'flac', '44100:16:2'), tone('three', 'opus'));
    const clients = [];
    for (const id of ['one', 'two', 'three']) clients.push(await player(id, id));
    for (const client of clients) await client.until(() => client.chunks.length > 60, 'music');
    const { startUs } = await mix({ streamIds: new Set(['one', 'two', 'three']) });
    await until(() => ends.reasons.length > 0);
    for (const client of clients) {
      const count = client.chunks.length;
      await client.until(() => client.chunks.length > count + 30, 'music again');
    }
    expect(ends.reasons).toEqual(['ended']);
    for (const [index, client] of clients.entries()) {
      const heard = await heardBy(client);
      expect(heard).toMatchObject({ gaps: [], headers: 1 });
      expect(decibels(level(heard, 440, startUs, 100) / music)).toBeCloseTo(-15, 0.5);
      expect(level(heard, 1000, startUs, 100)).toBeCloseTo(0.25, 1.5);
      expect(level(heard, 1000, startUs, -52)).toBeLessThan(0.003);
      if (index === 2) continue;
      const first = frameOf(heard, startUs);
      const { format, pcm } = heard;
      expect(isMusic(heard, 0, first - framesIn(format, 100) - 2)).toBe(true);
      expect(isMusic(heard, first, first + 100)).toBe(false);
      const end = first + framesIn(format, 655) + 128;
      expect(isMusic(heard, end, pcm.length / format.frameBytes)).toBe(true);
    }
  });

  it('is refused when none of them is there', async () => {
    await start(tone('one', 'pcm'));
    await expect(mix({ streamIds: new Set(['two']) })).rejects.toThrow(/no stream/);
  });

  it('is gone with its stream, and closed', async () => {
    await start(tone('one', 'pcm'), tone('two', 'pcm'));
    await player('a', 'two');
    await mix({ streamIds: new Set(['two']) });
    await rig.streams.remove('two');
    expect(ends.reasons).toEqual(['gone']);
  });
});
