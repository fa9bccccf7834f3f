import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { createSource } from '../../../src/audio/sources/sources.ts';
import type { StreamSource } from '../../../src/audio/sources/stream-source.ts';
import { parseStreamOptions } from '../../../src/audio/stream-options.ts';
import { DirectoryRig } from '../../support/directory-rig.ts';
import { FakeTime } from '../../support/fake-time.ts';
import { scratchFolder } from '../../support/fifo.ts';
import { LogLines } from '../../support/log-lines.ts';
import { numberedBytes, wavFile } from '../../support/pcm-fixtures.ts';
import { distancesUs, streamDefaults } from '../../support/reader-rig.ts';
import { type Published, StreamRig } from '../../support/stream-rig.ts';
import { until } from '../../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');
const pastMs = 850;

const endUs = ({ timestampUs, durationUs }: Published) => timestampUs + durationUs;

let folder: ReturnType<typeof scratchFolder>;

beforeEach(() => {
  folder = scratchFolder();
  // 0.37 s, and half a frame that is never heard.
  writeFileSync(join(folder.path, 'loop.raw'), numberedBytes(17_777 * 4 + 2));
  writeFileSync(join(folder.path, 'loop.wav'), wavFile(numberedBytes(17_777 * 4)));
});

afterEach(() => folder.remove());

const addresses = [
  ['a tone', () => 'tone:///?name=T&freq=997'],
  ['a metronome', () => 'tone:///?name=T&pattern=metronome'],
  ['a file', () => `file://${folder.path}/loop.raw?name=T`],
  ['a WAV file', () => `file://${folder.path}/loop.wav?name=T`],
] as const;

function open(address: string, onFilled: () => void): StreamSource {
  const options = parseStreamOptions(address, streamDefaults);
  const source = createSource({ ...options, logger: new LogLines() });
  source.start({
    filled: onFilled,
    interrupted: () => undefined,
    properties: () => undefined,
    failed: (error) => {
      throw error;
    },
  });
  return source;
}

/** What a source gives from its beginning on. */
async function audioOf(address: string, frames: number): Promise<Buffer> {
  const target = Buffer.alloc(frames * format.frameBytes);
  await new Promise<void>((resolve) => {
    const source = open(address, () => void source.stop().then(resolve));
    source.read(target);
  });
  return target;
}

describe.each(addresses)('%s that nobody listens to', (_, address) => {
  let time: FakeTime;
  let rig: StreamRig;
  let beginUs: number;
  let audio: Buffer;

  beforeEach(async () => {
    audio = await audioOf(address(), 10 * format.rateHz);
    time = FakeTime.install();
    rig = new StreamRig(address(), { pastMs }, time);
    await rig.stream.start();
    await time.until(() => rig.stream.state === 'playing', 'its first chunk is there');
    beginUs = time.nowUs() - 20_000;
  });

  afterEach(async () => {
    await rig.stream.stop();
    time.remove();
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  });

  /** Lets time pass, and files be read, however long that takes. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      await time.pass(10);
      do await sleep(1);
      while (isFileRead());
    }
  }

  const isFileRead = () =>
    process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'));

  const bytesOf = (published: readonly Published[]) =>
    Buffer.concat(published.map(({ payload }) => payload));

  /** What belongs to the time of these chunks, when the source has played from the beginning on. */
  function expectedOf(published: readonly Published[]): Buffer {
    return Buffer.concat(
      published.map(({ timestampUs, payload }) => {
        const frame = Math.round(((timestampUs - beginUs) * format.rateHz) / 1e6);
        const start = frame * format.frameBytes;
        return audio.subarray(start, start + payload.length);
      }),
    );
  }

  it('sets no timer, keeps no memory and plays on by name', async () => {
    await pass(1100);
    expect(time.timers).toBe(0);
    const { totalSlots, availableSlots } = rig.pool.statistics;
    expect(totalSlots - availableSlots).toBe(0);
    expect(rig.stream.state).toBe('playing');
    expect(rig.published).toEqual([]);
  });

  it('gives who joins the past at once, as if it had played all the time', async () => {
    await pass(3210);
    const joinedUs = time.nowUs();
    rig.stream.activate();
    await time.until(
      () => (rig.published.at(-1)?.timestampUs ?? 0) > joinedUs - 45_000,
      'the past',
    );
    const fresh = rig.published.findIndex(({ timestampUs }) => timestampUs > joinedUs - 1_000_000);
    const aheadMs = (joinedUs - rig.published[fresh]!.timestampUs) / 1000;
    expect(aheadMs).toBeGreaterThan(pastMs - 25);
    expect(aheadMs).toBeLessThan(pastMs + 25);
    await pass(500);
    const recent = rig.published.slice(fresh);
    for (const distance of distancesUs(recent)) expect(distance).toBeCloseTo(20_000, 3);
    expect(endUs(recent.at(-1)!)).toBeGreaterThan(time.nowUs() - 45_000);
    expect(bytesOf(rig.published)).toEqual(expectedOf(rig.published));
    expect(rig.log.with('resync')).toEqual([]);
  });

  it.each([100, 5000])(
    'goes on where it would be when somebody comes back after %d ms',
    async (ms) => {
      rig.stream.activate();
      await pass(500);
      rig.stream.deactivate();
      const before = rig.published.length;
      await pass(ms);
      expect(rig.published).toHaveLength(before);
      rig.stream.activate();
      await pass(500);
      const jumps = distancesUs(rig.published).filter((distance) => distance > 20_001);
      expect(jumps).toHaveLength(ms > pastMs ? 1 : 0);
      expect(endUs(rig.published.at(-1)!)).toBeGreaterThan(time.nowUs() - 45_000);
      expect(bytesOf(rig.published)).toEqual(expectedOf(rig.published));
      expect(rig.log.with('resync')).toEqual([]);
    },
  );
});

it('many that begin at one time all play, though nobody listens and one turn is too short', async () => {
  const rig = new DirectoryRig({ maxStreams: 50 });
  const name = (index: number) => `T${index}`;
  const address = (index: number) =>
    `tone:///?name=${name(index)}&codec=pcm&sampleformat=96000:32:8&chunk_ms=200`;
  const indices = Array.from({ length: 30 }, (_, index) => index);
  await Promise.all(indices.map((index) => rig.directory.add(address(index))));
  const states = () =>
    indices.map((index) => rig.directory.channels.get(name(index))?.stream.state);
  await until(() => states().every((state) => state === 'playing'), 'all play');
  await rig.directory.close();
  expect(rig.pool.isFull).toBe(true);
  rig.pool.close();
});

describe.each(addresses)('%s that skips', (_, address) => {
  let source: StreamSource;
  let filled = 0;

  const openAgain = () => {
    source = open(address(), () => {
      filled += 1;
    });
  };

  beforeEach(() => openAgain());
  afterEach(() => source.stop());

  async function read(frames: number): Promise<Buffer> {
    const target = Buffer.alloc(frames * format.frameBytes);
    const before = filled;
    source.read(target);
    await until(() => filled > before, 'it fills the target');
    return target;
  }

  it.each([1, 17_776, 17_777, 30_000, 48_000 * 7 + 5])(
    'gives after %d frames what it would have given',
    async (frames) => {
      await read(1000);
      await read(frames);
      const expected = await read(5000);
      await source.stop();
      openAgain();
      await read(1000);
      source.skip?.(frames - 1);
      source.skip?.(1);
      expect(await read(5000)).toEqual(expected);
    },
  );

  it('is exact after a year', async () => {
    const frames = 48_000 * 86_400 * 365;
    const period = 17_777 * 48_000;
    await read(1000);
    source.skip?.(frames - (frames % period));
    const there = await read(2000);
    source.skip?.(period - 2000);
    expect(await read(2000)).toEqual(there);
  });
});
