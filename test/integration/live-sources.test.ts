import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it, type TestContext } from 'vitest';
import type { InputQueue } from '../../src/audio/sources/stream-source.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { openInputQueue } from '../../src/transport/input-queue.ts';
import { makeFifoAt, scratchFolder } from '../support/fifo.ts';
import { LiveProducer } from '../support/live-producer.ts';
import { type Published, StreamRig } from '../support/stream-rig.ts';
import { until } from '../support/waiting.ts';

const chunkFrames = 960;
const chunkUs = 20_000;
const usPerSecond = 1_000_000;
/** Usual. */
const toleranceMs = 250;
/** So that a pipe has room for more. */
const shortToleranceMs = 150;
/** Of somebody who writes as fast as he can. */
const unhurriedSpeed = 1000;
/** What timestamps may follow the clock of a source by. */
const maxSlew = 400e-6;
/** Less than the test itself may take. */
const patienceMs = 45_000;
/** An event loop that stood still for longer is late itself. */
const mostDelayMs = 70;

interface Habits {
  readonly via: 'pipe' | 'tcp';
  readonly speed: number;
  readonly queue: InputQueue | undefined;
  readonly resyncToleranceMs: number;
}

/** A producer and the stream that plays it. */
class Scene {
  readonly rig: StreamRig;
  readonly producer: LiveProducer;
  readonly #skip: TestContext['skip'];
  readonly #delay = monitorEventLoopDelay({ resolution: 5 });

  static async open(
    { via, speed, queue, resyncToleranceMs }: Habits,
    { onTestFinished, skip }: TestContext,
  ): Promise<Scene> {
    const folder = scratchFolder();
    const fifo = join(folder.path, 'fifo');
    makeFifoAt(fifo);
    const address = via === 'pipe' ? `pipe://${fifo}?name=L&mode=read` : 'tcp://127.0.0.1:0?name=L';
    const rig = new StreamRig(address, { resyncToleranceMs }, undefined, { inputQueue: queue });
    await rig.play();
    const line = () => rig.log.with('waiting for a producer')[0];
    await until(() => via === 'pipe' || line() !== undefined, 'it listens');
    const port = Number(String(line()?.fields.address).split(':')[1]);
    const producer =
      via === 'pipe' ? await LiveProducer.intoFifo(fifo, speed) : LiveProducer.intoTcp(port, speed);
    onTestFinished(async () => {
      producer.stop();
      await rig.close();
      folder.remove();
    });
    return new Scene(rig, producer, skip);
  }

  private constructor(rig: StreamRig, producer: LiveProducer, skip: TestContext['skip']) {
    this.rig = rig;
    this.producer = producer;
    this.#skip = skip;
    this.#delay.enable();
  }

  get playedUs(): number {
    return this.rig.endUs - (this.rig.published[0]?.timestampUs ?? this.rig.endUs);
  }

  async until(condition: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    while (!condition() && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (!condition()) this.#skipWhenBusy();
    expect(condition(), String(condition)).toBe(true);
  }

  /** A busy machine makes jumps, also of the producer, which lives in this process. */
  #skipWhenBusy(): void {
    this.#skip(this.#delay.max / 1e6 > mostDelayMs, 'the machine is too busy');
  }

  /** All jumps are `kind`, and the fault of the source. */
  expectBlamed(kind: string): void {
    this.#skipWhenBusy();
    const { log } = this.rig;
    const blamed = log.with(kind).filter(({ fields }) => fields.late === 'source');
    expect(blamed).toEqual(log.with('resync'));
  }

  /** Frames that are missing between neighbouring chunks. */
  get skippedFrames(): number {
    const frames = this.rig.published.map(({ payload }) => payload.readUInt32LE(0));
    const steps = frames.slice(1).map((frame, index) => frame - frames[index]!);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(chunkFrames);
    return steps.reduce((sum, step) => sum + step - chunkFrames, 0);
  }

  /** Gaps in the time of what was published. */
  get gapsUs(): number[] {
    const { published } = this.rig;
    const gapUs = ({ timestampUs }: Published, index: number) =>
      timestampUs - published[index]!.timestampUs - chunkUs;
    return published
      .slice(1)
      .map(gapUs)
      .filter((us) => Math.abs(us) > chunkUs * maxSlew);
  }

  /** How much older the audio became in comparison with the beginning. */
  get agedUs(): number {
    const ages = this.rig.published.map(({ payload, timestampUs }) =>
      this.producer.ageUs(payload, timestampUs),
    );
    return Math.max(...ages) - ages[0]!;
  }
}

describe.each([
  ['told by the system what waits', openInputQueue(loadNativeAddon())],
  ['reading ahead', undefined],
] as const)('a source, %s,', (_, queue) => {
  it.concurrent('is the one that is blamed when it is slow, and loses nothing', async (context) => {
    const scene = await Scene.open(
      { via: 'pipe', speed: 47_000 / 48_000, queue, resyncToleranceMs: toleranceMs },
      context,
    );
    const { log } = scene.rig;
    await scene.until(() => log.with('resync').length > 0 && scene.playedUs > 8 * usPerSecond);
    scene.expectBlamed('audio came too late');
    expect(log.with('dropped')).toEqual([]);
    expect(scene.skippedFrames).toBe(0);
    expect(scene.gapsUs.length).toBe(log.with('resync').length);
    for (const gapUs of scene.gapsUs) expect(gapUs).toBeLessThan(1000 * toleranceMs + 4 * chunkUs);
  });

  for (const via of ['tcp', 'pipe'] as const) {
    it.concurrent(`skips what it is ahead when it is fast, by ${via}`, async (context) => {
      const scene = await Scene.open(
        { via, speed: 1.05, queue, resyncToleranceMs: shortToleranceMs },
        context,
      );
      await scene.until(() => scene.rig.log.with('resync').length >= 2);
      scene.expectBlamed('the source is too fast');
      expect(scene.gapsUs).toEqual([]);
      expect(scene.agedUs).toBeLessThan(1000 * shortToleranceMs + usPerSecond / 10);
      const skipped = scene.skippedFrames / 48_000;
      expect(skipped).toBeGreaterThan(0.2);
      expect(skipped).toBeLessThan((1.2 * 0.05 * scene.playedUs) / usPerSecond);
      expect(scene.rig.stream.driftPpm).toBeGreaterThan(30_000);
      expect(scene.rig.stream.driftPpm).toBeLessThan(70_000);
    });

    for (const speed of [1, unhurriedSpeed]) {
      it.concurrent(`plays every frame at the time of its count, by ${via} at ${speed} times real time`, async (context) => {
        const scene = await Scene.open(
          { via, speed, queue, resyncToleranceMs: toleranceMs },
          context,
        );
        await scene.until(() => scene.playedUs > 10 * usPerSecond);
        scene.expectBlamed('none');
        expect(scene.rig.log.with('resync')).toEqual([]);
        expect(scene.skippedFrames).toBe(0);
        const firstUs = scene.rig.published[0]!.timestampUs;
        const errorsUs = scene.rig.published.map(({ timestampUs }, index) =>
          Math.abs(timestampUs - firstUs - index * chunkUs),
        );
        expect(Math.max(...errorsUs)).toBeLessThan(0.001);
        const { backlogMs = 0 } = scene.rig.stream;
        const isHeldBack = speed === unhurriedSpeed;
        expect(backlogMs).toBeGreaterThanOrEqual(isHeldBack ? 100 : 0);
        // What the kernel keeps by TCP is limited to about the buffer of the players.
        expect(backlogMs).toBeLessThan(isHeldBack ? 3000 : 200);
      });
    }
  }
});
