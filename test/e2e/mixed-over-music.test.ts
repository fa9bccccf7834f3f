import { afterEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { MixEnds, plainMix, sine, TestSound } from '../support/mix-rig.ts';
import { firstAudibleFrame } from '../support/pcm-compare.ts';
import { PlayerRig } from '../support/player-rig.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { until } from '../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');
const { rateHz } = format;

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
        open: ({ channels }) => new TestSound(channels, rateHz / 5, sine(rateHz, 1000, 0.25)),
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
});
