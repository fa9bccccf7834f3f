import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeTime } from '../../support/fake-time.ts';
import { openDescriptors, scratchFolder } from '../../support/fifo.ts';
import { type HeardFrame, MetaRig, piecesOf } from '../../support/meta-rig.ts';
import { until } from '../../support/waiting.ts';

const chunkUs = 20_000;
const frameUs = 1_000_000 / 48_000;

let folder: ReturnType<typeof scratchFolder>;
let time: FakeTime;
let meta: MetaRig;
let descriptors: number;

beforeEach(() => {
  descriptors = openDescriptors();
  folder = scratchFolder();
  time = FakeTime.install();
});

afterEach(async () => {
  await meta.close();
  const { timers } = time;
  time.remove();
  expect(timers).toBe(0);
  folder.remove();
  await until(() => openDescriptors() <= descriptors);
});

async function open(options: ConstructorParameters<typeof MetaRig>[2] = {}): Promise<void> {
  meta = await new MetaRig(folder.path, time, options).play();
}

const start = (index: number) => {
  meta.children[index]!.isPlaying = true;
};
const stop = (index: number) => {
  meta.children[index]!.isPlaying = false;
};

/** What is heard lies, to the microsecond, where it lies in the stream of the child. */
function expectTimesOfChildren(heard: readonly HeardFrame[]): void {
  const times = new Map<number, number>();
  for (const { rig } of meta.children) {
    for (const { word, us } of meta.heard(rig)) times.set(word, us);
  }
  const late = heard.filter(({ child, word, us }) => {
    return child >= 0 && Math.abs((times.get(word) ?? 0) - us) > 1;
  });
  expect(late).toEqual([]);
}

/** Never back, and no gap within what is heard but those named. */
function gapsOf(heard: readonly HeardFrame[]): readonly number[] {
  const distances = heard.slice(1).map(({ us }, index) => us - heard[index]!.us);
  expect(Math.min(...distances)).toBeGreaterThan(0);
  return distances.filter((us) => us > 1.6 * frameUs);
}

describe('a meta stream', () => {
  it.each([0, 100])(
    'hears the first that plays, sample by sample (groups of %i ms)',
    async (ms) => {
      await open({ query: 'fade_ms=0', groupMs: ms });
      start(1);
      await meta.pass(600);
      await time.pass(7);
      start(0);
      await meta.pass(600);
      stop(0);
      await meta.pass(800);
      const heard = meta.heard();
      const pieces = piecesOf(heard).filter(({ child }) => child >= 0);
      expect(pieces.map(({ child }) => child)).toEqual([1, 0, 1]);
      expectTimesOfChildren(heard);
      const [before, during, after] = pieces;
      expect(during!.fromUs - before!.toUs).toBeLessThan(2 * frameUs);
      // Idle is what has been silent for 100 ms.
      const backUs = after!.fromUs - during!.toUs;
      expect(backUs).toBeGreaterThan(100_000 - 2 * chunkUs);
      expect(backUs).toBeLessThan(100_000 + 3 * chunkUs);
      expect(gapsOf(heard).length).toBeLessThanOrEqual(1);
      expect(meta.rig.states).toEqual(['playing']);
    },
  );
});
