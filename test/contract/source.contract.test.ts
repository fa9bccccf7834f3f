import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { iterableSource } from '../../src/audio/sources/iterable-source.ts';
import { createJackSource } from '../../src/audio/sources/jack-source.ts';
import { createPipeWireSource } from '../../src/audio/sources/pipewire-source.ts';
import { createRadioSource } from '../../src/audio/sources/radio/radio-source.ts';
import { createNetworkSource } from '../../src/audio/sources/rtp/network-source.ts';
import { createSource } from '../../src/audio/sources/sources.ts';
import { parseStreamUri } from '../../src/audio/stream-uri.ts';
import { loadNativeAddon, type NativeAddonResult } from '../../src/base/native/native-addon.ts';
import { openInputQueue } from '../../src/transport/input-queue.ts';
import { AlsaDevices, alsaIsMissing, alsaWays } from '../support/alsa-devices.ts';
import { feedRtp, feedUdp } from '../support/feeder.ts';
import { openDescriptors, scratchFolder } from '../support/fifo.ts';
import { JackServer, jackIsMissing } from '../support/jack-server.ts';
import { longestNearRun } from '../support/near-run.ts';
import { numberedBytes, wavFile } from '../support/pcm-fixtures.ts';
import { PipeWireSession, pipeWireIsMissing } from '../support/pipewire-session.ts';
import { ffmpegIsMissing } from '../support/radio-station.ts';
import type { SideProgram } from '../support/side-program.ts';
import { recordingLogger, SourceHarness, sourceContext } from '../support/source-harness.ts';
import { rigKinds, type SourceRig } from '../support/source-producers.ts';
import { risingTone } from '../support/test-signal.ts';
import { until } from '../support/waiting.ts';

/** More than the kernel keeps on its way, so a producer must be held back. */
const floodBytes = 24_000_000;
const kernelBytes = 14_000_000;
/** What the kernel is to keep at most, where it can be told: one second. */
const bufferBytes = 48_000 * 4;

/** Sources that have their audio at hand, and what they will deliver. */
const sources = [
  {
    kind: 'raw file',
    create: (folder: string) => {
      writeFileSync(join(folder, 'audio.raw'), numberedBytes(100_000));
      return new SourceHarness(`file://${folder}/audio.raw`);
    },
    expected: () => numberedBytes(100_000),
  },
  {
    kind: 'WAV file',
    create: (folder: string) => {
      writeFileSync(join(folder, 'audio.wav'), wavFile(numberedBytes(100_000)));
      return new SourceHarness(`file://${folder}/audio.wav`);
    },
    expected: () => numberedBytes(100_000),
  },
  {
    kind: 'WAV clip',
    create: (folder: string) => {
      writeFileSync(join(folder, 'audio.wav'), wavFile(numberedBytes(100_000)));
      return clipHarness(join(folder, 'audio.wav'));
    },
    expected: () => numberedBytes(100_000),
  },
  {
    kind: 'tone',
    create: () => new SourceHarness('tone:///?freq=997'),
    expected: () => {
      const whole = Buffer.alloc(100_000);
      new SourceHarness('tone:///?freq=997').start().source.read(whole);
      return whole;
    },
  },
  {
    kind: 'RTP',
    create: () => networkHarness('rtp://127.0.0.1:0', feedRtp),
    expected: () => numberedBytes(100_000),
  },
  {
    kind: 'PCM in datagrams',
    create: () => networkHarness('udp://127.0.0.1:0', feedUdp),
    expected: () => numberedBytes(100_000),
  },
  ...(ffmpegIsMissing
    ? []
    : [{ kind: 'radio', create: () => radioHarness(), expected: () => numberedBytes(100_000) }]),
  {
    kind: 'async iterable',
    create: () => harnessOf(piecesInTime()),
    expected: () => numberedBytes(100_000),
  },
  {
    kind: 'readable',
    create: () => harnessOf(Readable.from(pieces(), { objectMode: false })),
    expected: () => numberedBytes(100_000),
  },
  ...(alsaIsMissing
    ? []
    : alsaWays.map(([way, environment]) => ({
        kind: `ALSA by ${way}`,
        create: (folder: string) => {
          for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
          const devices = new AlsaDevices(folder);
          devices.hears('mic', numberedBytes(100_000));
          vi.stubEnv('ALSA_CONFIG_PATH', devices.configuration);
          return SourceHarness.open('alsa:///?name=A&device=mic');
        },
        expected: () => numberedBytes(100_000),
      }))),
];

function* pieces(): Generator<Buffer> {
  const whole = numberedBytes(100_000);
  for (let at = 0, size = 1; at < whole.length; at += size, size = (size * 7) % 5003) {
    yield whole.subarray(at, at + size);
  }
}

async function* piecesInTime(): AsyncGenerator<Buffer> {
  for (const piece of pieces()) yield piece;
}

function harnessOf(input: AsyncIterable<Uint8Array>): SourceHarness {
  return new SourceHarness(iterableSource({ format: SampleFormat.parse('48000:16:2'), input }));
}

/** Is sent to as soon as it listens; more than is read, as some is held back. */
function networkHarness(
  address: string,
  feed: (port: number, pcm: Buffer) => Promise<void>,
): SourceHarness {
  const { logger, records } = recordingLogger();
  const source = createNetworkSource({
    ...{ uri: parseStreamUri(address), format: SampleFormat.parse('48000:16:2') },
    ...{ formatIsExplicit: false, packed24: false, bufferMs: 1000, resyncToleranceMs: 250 },
    ...{ chunkMs: 20, sendSilence: true },
    logger: {
      ...logger,
      info: (phrase, fields) => {
        logger.info(phrase, fields);
        const port = Number(String(fields?.address).split(':').at(-1));
        if (phrase === 'waiting for a sender') void feed(port, numberedBytes(120_000));
      },
    },
  });
  return new SourceHarness(source, undefined, undefined, records);
}

/** Sends longer than is read, as something is held back while more may come. */
const radio = createServer((socket) =>
  socket
    .on('error', () => undefined)
    .once('data', () => {
      socket.write('HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n');
      socket.write(wavFile(numberedBytes(1_000_000)));
    }),
);
radio.listen(0);
afterAll(() => void radio.close());

function radioHarness(): SourceHarness {
  const { port } = radio.address() as AddressInfo;
  const url = encodeURIComponent(`http://127.0.0.1:${port}/`);
  const source = createRadioSource({
    uri: parseStreamUri(`radio:///?name=R&on_demand=false&url=${url}`),
    ...{ format: SampleFormat.parse('48000:16:2'), formatIsExplicit: false, packed24: false },
    ...{ bufferMs: 1000, resyncToleranceMs: 250, chunkMs: 20, sendSilence: true },
    logger: recordingLogger().logger,
  });
  return new SourceHarness(source);
}

function clipHarness(clipFile: string): SourceHarness {
  const uri = parseStreamUri(`clip:///${basename(clipFile)}`);
  const format = SampleFormat.parse('48000:16:2');
  const options = {
    format,
    formatIsExplicit: false,
    packed24: false,
    chunkMs: 20,
    bufferMs: 1000,
    sendSilence: true,
  };
  const { logger } = recordingLogger();
  return new SourceHarness(
    createSource({ ...options, uri, resyncToleranceMs: 250, logger, clipFile }),
  );
}

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

/** Reads `bytes` in targets of changing size, each within memory that nobody else may touch. */
async function readInPieces(harness: SourceHarness, bytes: number): Promise<Buffer> {
  const sizes = [4, 3840, 400, 19_200, 8, 1028];
  const pieces: Buffer[] = [];
  let at = 0;
  for (let turn = 0; at < bytes; turn += 1) {
    const size = Math.min(sizes[turn % sizes.length] ?? 4, bytes - at);
    const memory = Buffer.alloc(size + 20, 0xa5);
    const count = harness.filledCount + 1;
    harness.source.read(memory.subarray(10, 10 + size));
    await harness.whenFilled(count);
    expect(memory.subarray(0, 10).every((byte) => byte === 0xa5)).toBe(true);
    expect(memory.subarray(10 + size).every((byte) => byte === 0xa5)).toBe(true);
    pieces.push(memory.subarray(10, 10 + size));
    at += size;
  }
  return Buffer.concat(pieces);
}

/** Stops while a read is outstanding; nothing may come after that and nothing may stay open. */
async function stopDuringRead(harness: SourceHarness, descriptorsBefore: number): Promise<void> {
  const memory = Buffer.alloc(40_000);
  harness.source.read(memory);
  const filled = harness.filledCount;
  await harness.source.stop();
  const told = [harness.filledCount - filled, harness.failures.length];
  const content = Buffer.from(memory);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect([harness.filledCount - filled, harness.failures.length]).toEqual(told);
  expect(memory.equals(content)).toBe(true);
  await until(() => openDescriptors() <= descriptorsBefore, 'all descriptors are closed');
}

describe.each(sources)('the contract of sources: $kind', ({ create, expected }) => {
  it('fills targets of any size with exactly its bytes, in order', async () => {
    const harness = (await create(folder.path)).start();
    expect((await readInPieces(harness, 100_000)).equals(expected())).toBe(true);
    expect(harness.interruptions).toEqual([]);
    await harness.source.stop();
  });

  it('releases everything when it is stopped during a read', async () => {
    const before = openDescriptors();
    await stopDuringRead((await create(folder.path)).start(), before);
  });

  it('can be stopped before it was started, and twice', async () => {
    const before = openDescriptors();
    const harness = await create(folder.path);
    await harness.source.stop();
    await harness.source.stop();
    expect(openDescriptors()).toBe(before);
    expect(harness.failures).toEqual([]);
  });
});

/** The same by reading ahead, as where there is no addon. */
const seers = [
  ['told by the system what waits', openInputQueue(loadNativeAddon())],
  ['reading ahead', undefined],
] as const;
const kinds = rigKinds.flatMap(({ kind, open }) =>
  seers.map(([how, queue]) => ({ kind, how, open, queue })),
);

describe.each(kinds)('the contract of sources: $kind, $how', ({ open, queue }) => {
  let rig: SourceRig;
  let harness: SourceHarness;
  beforeEach(async () => {
    rig = await open(folder.path, queue);
    harness = rig.harness;
  });
  afterEach(async () => {
    await harness.source.stop();
    await rig.close();
  });

  it('fills targets of any size with exactly its bytes, in order', async () => {
    harness.start();
    await rig.produce(numberedBytes(100_000), { stays: true });
    expect((await readInPieces(harness, 100_000)).equals(numberedBytes(100_000))).toBe(true);
    expect(harness.interruptions).toEqual([]);
  });

  it('loses nothing of what comes before it is read for the first time', async () => {
    harness.start();
    const audio = numberedBytes(4000);
    const producer = await rig.produce(audio, { stays: true });
    await until(() => producer.accepted() === audio.length, 'the kernel has the audio');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await readInPieces(harness, 4000)).equals(audio)).toBe(true);
  });

  it('holds its producer back while it is not read, and loses nothing', async () => {
    harness.start();
    const audio = numberedBytes(floodBytes);
    const producer = await rig.produce(audio);
    expect((await harness.read(4)).equals(audio.subarray(0, 4))).toBe(true);
    let before = -1;
    while (before < producer.accepted()) {
      before = producer.accepted();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(before).toBeGreaterThan(4);
    expect(before).toBeLessThan(kernelBytes);
    const rest = await harness.read(floodBytes - 4);
    expect(rest.equals(audio.subarray(4))).toBe(true);
  });

  it('fills up what came last with silence, and begins the next run with a target of its own', async () => {
    harness.start();
    const target = harness.ask(40_000);
    await rig.produce(numberedBytes(30_001));
    await until(() => harness.interruptions.length === 1, 'the run is broken');
    const tail = Buffer.concat([numberedBytes(30_000), Buffer.alloc(10_000)]);
    expect([harness.filledCount, target.equals(tail)]).toEqual([1, true]);
    const audio = numberedBytes(40_000, 100_000);
    const next = harness.ask(40_000);
    await rig.produce(audio, { stays: true });
    await harness.whenFilled(2);
    expect(next.equals(audio)).toBe(true);
    expect(harness.interruptions.length).toBe(1);
  });

  it('begins the next run at the beginning of the target when the last one left less than a frame', async () => {
    harness.start();
    const target = harness.ask(4000);
    await rig.produce(numberedBytes(3));
    await until(() => harness.interruptions.length === 1, 'the run is broken');
    const audio = numberedBytes(4000, 100_000);
    await rig.produce(audio, { stays: true });
    await harness.whenFilled(1);
    expect(target.equals(audio)).toBe(true);
  });

  it('gives away whole frames on demand, and nothing else', async () => {
    harness.start();
    const audio = numberedBytes(4000);
    const target = harness.ask(4000);
    const producer = await rig.produce(audio.subarray(0, 1002), { stays: true });
    await until(() => target.subarray(0, 1002).equals(audio.subarray(0, 1002)), 'bytes are read');
    const partial = Buffer.alloc(4000);
    expect(harness.source.takePartial?.(partial)).toBe(1000);
    expect(harness.source.takePartial?.(partial)).toBe(0);
    expect(partial.subarray(0, 1000).equals(audio.subarray(0, 1000))).toBe(true);
    producer.add(audio.subarray(1002));
    producer.add(audio.subarray(0, 1000));
    await harness.whenFilled(1);
    const expected = Buffer.concat([audio.subarray(1000), audio.subarray(0, 1000)]);
    expect(target.equals(expected)).toBe(true);
    expect(harness.interruptions).toEqual([]);
  });

  it('tells what has arrived, and not more than that', async () => {
    harness.start();
    const producer = await rig.produce(numberedBytes(10_000), { stays: true });
    await harness.read(4000);
    await until(() => harness.source.backlogBytes?.() === 6000, 'the rest has arrived');
    harness.ask(8000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(harness.source.backlogBytes?.()).toBe(6000);
    producer.add(numberedBytes(3000));
    await harness.whenFilled(2);
    await until(() => harness.source.backlogBytes?.() === 1000, 'the rest has arrived');
  });

  it('has no more room made for its producer than for the buffer', async () => {
    harness.start();
    await rig.produce(numberedBytes(40_000), { stays: true });
    await readInPieces(harness, 40_000);
    const before = harness.source.capacityBytes?.() ?? 0;
    harness.source.widen?.(2 ** 20);
    // Pipes grow to the next power of two.
    const most = Math.max(before, 2 * bufferBytes);
    expect(harness.source.capacityBytes?.() ?? 0).toBeLessThanOrEqual(most);
  });

  it('gives all that a producer has left behind before it turns to the next one', async () => {
    harness.start();
    await rig.produce(numberedBytes(9001));
    expect((await harness.read(4000)).equals(numberedBytes(4000))).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(harness.interruptions).toEqual([]);
    expect((await harness.read(4000)).equals(numberedBytes(8000).subarray(4000))).toBe(true);
    const tail = Buffer.concat([numberedBytes(9000).subarray(8000), Buffer.alloc(3000)]);
    expect((await harness.read(4000)).equals(tail)).toBe(true);
    await until(() => harness.interruptions.length === 1, 'the run is broken');
    const audio = numberedBytes(4000, 50_000);
    await rig.produce(audio, { stays: true });
    expect((await harness.read(4000)).equals(audio)).toBe(true);
    expect(harness.interruptions.length).toBe(1);
  });

  it('releases everything when it is stopped during a read', async () => {
    const before = openDescriptors();
    harness.start();
    const producer = await rig.produce(numberedBytes(10_000), { stays: true });
    await harness.read(8000);
    producer.leave();
    await stopDuringRead(harness, before);
  });

  it('can be stopped at once, before it was started, and twice', async () => {
    const before = openDescriptors();
    await harness.source.stop();
    await harness.source.stop();
    const other = rig.another().start();
    other.ask(100);
    await other.source.stop();
    await until(() => openDescriptors() <= before, 'all descriptors are closed');
    expect(other.failures).toEqual([]);
  });
});

/** What is heard in real time, and the means to play to it. */
interface DeviceRig {
  create(): SourceHarness;
  play(pcm: Buffer): Promise<SideProgram>;
  close(): Promise<void>;
}

const cd = SampleFormat.parse('48000:16:2');
const systemQueue = openInputQueue(loadNativeAddon());

async function openJack(native: NativeAddonResult): Promise<DeviceRig> {
  const server = await new JackServer().start();
  const address = `jack:///?name=Jack&server_name=${server.name}&autoconnect=jack-play`;
  return {
    create: () => deviceHarness(address, (context) => createJackSource(context, native)),
    play: async (pcm) => (await server.play(pcm, cd)).program,
    close: () => server.close(),
  };
}

async function openPipeWire(): Promise<DeviceRig> {
  const session = await new PipeWireSession().start();
  const address = `pipewire://?name=Pipe&runtime_dir=${session.folder}`;
  return {
    create: () => deviceHarness(address, createPipeWireSource),
    play: async (pcm) => {
      await session.hasNode('Pipe');
      return session.play(pcm, { format: cd, target: 'Pipe' });
    },
    close: () => session.close(),
  };
}

function deviceHarness(address: string, create: typeof createPipeWireSource): SourceHarness {
  const { logger, records } = recordingLogger();
  const context = sourceContext(address, logger, undefined, systemQueue);
  return new SourceHarness(create(context), undefined, undefined, records);
}

/**
 * Devices play on whatever their reader does: no producer is held back, and what they play before they
 * are heard is lost. Their samples are rounded, as they are floats in between.
 */
const devices = [
  {
    kind: 'JACK by libjack',
    ...{ isMissing: jackIsMissing, tellsOverruns: true },
    open: () => openJack(loadNativeAddon()),
  },
  {
    kind: 'JACK by jack-stdout',
    ...{ isMissing: jackIsMissing, tellsOverruns: false },
    open: () => openJack({ reason: 'not wanted' }),
  },
  {
    kind: 'PipeWire',
    ...{ isMissing: pipeWireIsMissing, tellsOverruns: false },
    open: openPipeWire,
  },
];
const roundingSteps = 2;
/** On a busy machine they lose periods now and then. */
const maxAttempts = 6;

for (const { kind, isMissing, tellsOverruns, open } of devices) {
  describe.skipIf(isMissing)(`the contract of sources: ${kind}`, () => {
    let rig: DeviceRig;
    beforeAll(async () => {
      rig = await open();
    });
    afterAll(() => rig.close());

    it('fills targets of any size with what is played, in order', async () => {
      const harness = rig.create().start();
      const fed = risingTone({ format: cd, seconds: 3 });
      let frames = 0;
      for (let attempt = 0; attempt < maxAttempts && frames < cd.rateHz / 2; attempt += 1) {
        const player = await rig.play(fed);
        const recorded = await readInPieces(harness, 1.5 * cd.rateHz * cd.frameBytes);
        frames = longestNearRun({ fed, recorded, format: cd, steps: roundingSteps });
        await player.stop();
      }
      expect(frames).toBeGreaterThanOrEqual(cd.rateHz / 2);
      expect(harness.interruptions).toEqual([]);
      await harness.source.stop();
    });

    it('releases everything when it is stopped during a read', async () => {
      const before = openDescriptors();
      await stopDuringRead(rig.create().start(), before);
    });

    it('can be stopped at once, before it was started, and twice', async () => {
      const before = openDescriptors();
      const harness = rig.create();
      await harness.source.stop();
      await harness.source.stop();
      const other = rig.create().start();
      other.ask(100);
      await other.source.stop();
      await until(() => openDescriptors() <= before, 'all descriptors are closed');
      expect([...harness.failures, ...other.failures]).toEqual([]);
    });

    it.runIf(tellsOverruns)('counts what it loses while it is not read, and goes on', async () => {
      const harness = rig.create().start();
      await harness.read(4000);
      expect(harness.source.overruns).toBe(0);
      await until(() => (harness.source.overruns ?? 0) > 0, 'audio is lost');
      await readInPieces(harness, 3 * cd.rateHz * cd.frameBytes);
      await harness.source.stop();
      expect(harness.source.overruns).toBeGreaterThan(0);
    });
  });
}
