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

/** A tone in all channels that goes on from piece to piece. */
function sines(
  hz: number,
  level: number,
  { rateHz = 48_000, bits = 16, channels = 2 } = {},
): (bytes: number) => Buffer {
  let frame = 0;
  const sampleBytes = bits === 16 ? 2 : 4;
  return (bytes) => {
    const pcm = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; at += sampleBytes * channels) {
      const sample = level * Math.sin((2 * Math.PI * hz * frame) / rateHz);
      const value = Math.round(sample * (2 ** (bits - 1) - 1));
      for (let channel = 0; channel < channels; channel += 1) {
        pcm.writeIntLE(value, at + channel * sampleBytes, sampleBytes);
      }
      frame += 1;
    }
    return pcm;
  };
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

  it('hears the one that began last with mode=recent, and then the last of those that still play', async () => {
    await open({ queries: ['', '', ''], query: 'mode=recent&fade_ms=0' });
    start(0);
    await meta.pass(300);
    start(2);
    await meta.pass(300);
    start(1);
    await meta.pass(300);
    stop(1);
    await meta.pass(400);
    stop(2);
    await meta.pass(400);
    const heard = piecesOf(meta.heard()).filter(({ child }) => child >= 0);
    expect(heard.map(({ child }) => child)).toEqual([0, 2, 1, 2, 0]);
    expectTimesOfChildren(meta.heard());
  });

  it('waits for hold_ms before it falls back, and for no more important one', async () => {
    await open({ queries: ['', '', ''], query: 'hold_ms=500&fade_ms=0' });
    start(1);
    start(2);
    await meta.pass(300);
    stop(1);
    await meta.pass(1000);
    const [, held] = piecesOf(meta.heard()).filter(({ child }) => child > 0);
    const [first] = piecesOf(meta.heard()).filter(({ child }) => child === 1);
    const waitedUs = held!.fromUs - first!.toUs;
    expect(waitedUs).toBeGreaterThan(600_000 - 2 * chunkUs);
    expect(waitedUs).toBeLessThan(600_000 + 3 * chunkUs);
    expect(meta.rig.states).toEqual(['playing', 'idle', 'playing']);
    start(1);
    await meta.pass(300);
    stop(1);
    await meta.pass(300);
    start(0);
    await meta.pass(200);
    expect(meta.heard().at(-1)!.child).toBe(0);
  });

  it('fades, so that no sample is a step', async () => {
    const steps = async (query: string) => {
      await open({ query });
      const [high, low] = meta.children;
      low!.nextPcm = sines(445.5, 0.4);
      high!.nextPcm = sines(1000, 0.4);
      start(1);
      await meta.pass(500);
      start(0);
      await meta.pass(500);
      stop(0);
      await meta.pass(600);
      const samples = Buffer.concat(meta.rig.published.map(({ payload }) => payload));
      const left = Array.from({ length: samples.length / 4 }, (_, at) =>
        samples.readInt16LE(at * 4),
      );
      // Where a producer has ended that is no doing of a switch.
      const end = left.findIndex(
        (_, at) => at > 30_000 && left.slice(at, at + 20).every((it) => it === 0),
      );
      const until = end < 0 ? left.length : end - 100;
      const most = left
        .slice(1, until)
        .reduce((most, it, at) => Math.max(most, Math.abs(it - left[at]!)), 0);
      await meta.close();
      return most / 32_768;
    };
    const largest = 0.4 * 2 * Math.PI * (1000 / 48_000) * 1.2;
    expect(await steps('fade_ms=10')).toBeLessThan(largest);
    folder.remove();
    folder = scratchFolder();
    expect(await steps('fade_ms=0')).toBeGreaterThan(largest);
    folder.remove();
    folder = scratchFolder();
    await open();
  });

  it.each([
    ['sampleformat=44100:16:2', 2],
    ['sampleformat=48000:24:1', 1],
    ['sampleformat=96000:32:6', 6],
  ])('converts %s', async (query, channels) => {
    await open({ queries: [query] });
    const [child] = meta.children;
    const { rateHz, bits } = child!.rig.stream.options.format;
    child!.nextPcm = sines(500, 0.5, { rateHz, bits, channels });
    // Its converter is made meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    await time.until(() => meta.feed.active !== undefined && meta.isReady, 'it can be converted');
    start(0);
    await meta.pass(1500);
    const { published } = meta.rig;
    expect(
      gapsOf(published.map(({ timestampUs }) => ({ us: timestampUs, child: 0, word: 0 }))).length,
    ).toBeGreaterThan(0);
    const pcm = Buffer.concat(published.map(({ payload }) => payload));
    const originUs = child!.rig.published[0]!.timestampUs;
    const startUs = published[0]!.timestampUs;
    let [product, own, wanted] = [0, 0, 0];
    // The filter has seen all that it looks at.
    for (let frame = 500; frame < 48_000; frame += 1) {
      const seconds = (startUs - originUs) / 1e6 + frame / 48_000;
      const tone = Math.sin(2 * Math.PI * 500 * seconds);
      for (const channel of channels === 1 ? [0, 1] : [0]) {
        const sample = pcm.readInt16LE(frame * 4 + 2 * channel) / 32_768;
        product += sample * tone;
        own += sample * sample;
        wanted += tone * tone;
      }
    }
    expect(product / Math.sqrt(own * wanted)).toBeGreaterThan(0.999);
    expect(Math.sqrt(own / wanted)).toBeCloseTo(0.5, 2);
  });

  it.each(['flac', 'opus', 'ogg'])(
    'encodes by %s what its child has sent as pcm',
    async (codec) => {
      await open({ query: `codec=${codec}` });
      start(1);
      await meta.pass(500);
      start(0);
      await meta.pass(500);
      const { published, stream } = meta.rig;
      await time.until(() => published.length > 0, 'it encodes');
      expect(stream.encodeFigures.droppedChunks).toBe(0);
      expect(meta.rig.endUs).toBeGreaterThan(time.nowUs() - 100_000);
      expect(
        gapsOf(published.map(({ timestampUs: us }) => ({ us, child: 0, word: 0 }))),
      ).toHaveLength(published.length - 1);
      for (const { rig } of meta.children) expect(rig.log.with('what follows')).toEqual([]);
    },
  );

  it('says that a format cannot be converted, and goes on with the others', async () => {
    await open({ queries: ['sampleformat=300000:16:2', ''] });
    start(0);
    start(1);
    await meta.pass(300);
    expect(new Set(meta.heard().map(({ child }) => child))).toEqual(new Set([1]));
    expect(meta.log.with('meta stream cannot use a stream')).toMatchObject([
      {
        level: 'notice',
        fields: { stream: 'M', child: '0', from: '300000:16:2', to: '48000:16:2' },
      },
    ]);
  });

  it('shares the chunks of a child that has its format', async () => {
    await open();
    start(0);
    await meta.pass(500);
    // Each child fills its own memory, and the meta stream none.
    expect(meta.acquired).toBe(0);
    expect(meta.heard()).toEqual(meta.heard(meta.children[0]!.rig));
  });

  it('is idle and shows the first child while none plays, or none is left', async () => {
    await open();
    expect(meta.feed.active).toBe(meta.children[0]!.rig.stream);
    start(1);
    await meta.pass(300);
    expect(meta.feed.active).toBe(meta.children[1]!.rig.stream);
    meta.link([meta.children[0]!]);
    expect(meta.rig.stream.state).toBe('idle');
    expect(meta.feed.active).toBe(meta.children[0]!.rig.stream);
    meta.link([]);
    expect(meta.feed.active).toBeUndefined();
    meta.link();
    await meta.pass(100);
    expect(meta.rig.states).toEqual(['playing', 'idle', 'playing']);
  });
});
