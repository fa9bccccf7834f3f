import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TimedPcm } from '../../../src/audio/stage.ts';
import { SourceError } from '../../../src/base/errors.ts';
import { FakeTime } from '../../support/fake-time.ts';
import { FifoWriter, makeFifoAt, openDescriptors, scratchFolder } from '../../support/fifo.ts';
import { numberedBytes, wavFile } from '../../support/pcm-fixtures.ts';
import { distancesUs } from '../../support/reader-rig.ts';
import { StreamRig } from '../../support/stream-rig.ts';
import { turn, until } from '../../support/waiting.ts';

const chunkBytes = 3840; // 20 ms of 48000:16:2
const chunkUs = 20_000;

let folder: ReturnType<typeof scratchFolder>;
let rig: StreamRig;
let writer: FifoWriter | undefined;
let descriptors: number;

beforeEach(() => {
  folder = scratchFolder();
  descriptors = openDescriptors();
});

async function tidy(): Promise<void> {
  await rig.stream.stop();
  writer?.close();
  writer = undefined;
  folder.remove();
  await until(() => openDescriptors() <= descriptors);
  expect(openDescriptors()).toBeLessThanOrEqual(descriptors);
  expect(rig.pool.isFull).toBe(true);
  rig.pool.close();
}

function program(script: string): string {
  const path = join(folder.path, 'program');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('a stream, with time in our hands', () => {
  let time: FakeTime;

  beforeEach(() => {
    time = FakeTime.install();
  });

  afterEach(async () => {
    await rig.stream.stop();
    const { timers } = time;
    time.remove();
    expect(timers).toBe(0);
    await tidy();
  });

  const open = (address: string) => {
    rig = new StreamRig(address, {}, time);
  };

  async function give(pcm: Buffer): Promise<void> {
    writer?.write(pcm);
    for (let turns = 0; turns < 5; turns += 1) await turn();
  }

  it('publishes nothing while nobody listens, and the last second to the first who does', async () => {
    open('tone:///?name=T&codec=flac');
    await rig.stream.start();
    await time.pass(3000);
    expect(rig.published).toEqual([]);
    const nowUs = time.nowUs();
    rig.stream.activate();
    // In slices of real time: any number of blocks may be there already.
    await time.until(() => rig.endUs > nowUs - 30_000, 'the past is encoded');
    expect(rig.published.length).toBeGreaterThanOrEqual(41);
    expect((rig.published[0]?.timestampUs ?? 0) - (nowUs - 1_000_000)).toBeLessThan(30_000);
    expect(rig.endUs).toBeGreaterThan(nowUs - 30_000);
    await time.pass(500);
    expect(rig.endUs).toBeGreaterThan(time.nowUs() - 30_000);
    expect(new Set(distancesUs(rig.published))).toEqual(new Set([24_000]));
  });

  it.each(['pcm', 'flac', 'opus'])(
    '%s goes on without a gap when a listener comes 300 ms after the last one left',
    async (codec) => {
      open(`tone:///?name=T&codec=${codec}`);
      await rig.play();
      await time.pass(500);
      rig.stream.deactivate();
      const { length } = rig.published;
      await time.pass(300);
      expect(rig.published).toHaveLength(length);
      rig.stream.activate();
      await time.pass(200);
      const us = codec === 'flac' ? 24_000 : chunkUs;
      for (const distance of distancesUs(rig.published)) expect(distance).toBeCloseTo(us, 5);
    },
  );

  it('is read and not encoded while only its PCM is listened to', async () => {
    open('tone:///?name=T&codec=flac');
    await rig.stream.start();
    let frames = 0;
    const observer = {
      take: ({ chunk }: TimedPcm) => {
        frames += chunk.payloadBytes / 4;
      },
      endRun: () => undefined,
    };
    rig.stream.stages?.observe(observer);
    await time.pass(500);
    expect(frames).toBe(0);
    rig.stream.addPcmListener();
    await time.pass(1000);
    expect(frames).toBeGreaterThanOrEqual(48_000);
    expect(rig.published).toEqual([]);
    rig.stream.activate();
    await time.until(() => rig.published.length > 20, 'a client gets audio');
    rig.stream.deactivate();
    const { length } = rig.published;
    const before = frames;
    await time.pass(500);
    expect(frames - before).toBeGreaterThan(20_000);
    expect(rig.published).toHaveLength(length);
    rig.stream.removePcmListener();
    const last = frames;
    await time.pass(500);
    expect(frames).toBe(last);
  });

  it('jumps, and never back, when a listener comes 5 s later', async () => {
    open('tone:///?name=T&codec=flac');
    await rig.play();
    await time.pass(500);
    rig.stream.deactivate();
    await time.pass(5000);
    rig.stream.activate();
    await time.pass(100);
    const distances = distancesUs(rig.published);
    expect(Math.min(...distances)).toBeGreaterThan(0);
    expect(distances.filter((distance) => distance > 24_000)).toHaveLength(1);
    expect(Math.max(...distances)).toBeGreaterThan(3_900_000);
  });

  it.each([
    ['flac', 0],
    ['opus', 2500],
  ])(
    '%s: a pause flushes the tail in its own time, and what follows is fresh',
    async (codec, delayUs) => {
      const fifo = join(folder.path, 'fifo');
      makeFifoAt(fifo);
      open(`pipe://${fifo}?name=F&codec=${codec}&mode=read`);
      await rig.play();
      const startUs = time.nowUs();
      writer = new FifoWriter(fifo);
      for (let chunk = 0; chunk < 4; chunk += 1) {
        await give(numberedBytes(chunkBytes));
        await time.pass(20);
      }
      const capturedUs = startUs + 3 * chunkUs;
      expect(rig.endUs).toBeLessThan(capturedUs);
      await time.pass(400);
      expect(rig.endUs).toBeGreaterThanOrEqual(capturedUs);
      expect(rig.endUs).toBeLessThan(capturedUs + chunkUs);
      expect(rig.states).toEqual(['playing', 'idle']);
      const { length } = rig.published;
      await time.pass(300);
      const freshUs = time.nowUs() - chunkUs - delayUs;
      await give(numberedBytes(2 * chunkBytes));
      await time.pass(40);
      expect(rig.published.length).toBeGreaterThan(length);
      expect(rig.published[length]?.timestampUs).toBeCloseTo(freshUs, 5);
      expect(rig.states).toEqual(['playing', 'idle', 'playing']);
      await time.pass(1400);
      expect(rig.outdated).toBe(1);
    },
  );

  it('is disabled, and loses nothing, when its encoder breaks in the middle', async () => {
    open('tone:///?name=T&codec=flac');
    await rig.play();
    rig.onChunk = () => {
      if (rig.published.length === 3) throw new SourceError('test', 'the encoder broke');
    };
    await time.pass(500);
    expect(rig.published).toHaveLength(3);
    expect(rig.states).toEqual(['playing', 'disabled']);
    expect(rig.log.with('stream disabled')).toMatchObject([
      { level: 'error', tag: 'Stream', fields: { stream: 'T', reason: 'the encoder broke' } },
    ]);
    expect(rig.stream.header).toBeUndefined();
    rig.stream.deactivate();
    rig.stream.activate();
  });

  it('is disabled when its encoder breaks on the audio that waited', async () => {
    open('tone:///?name=T');
    await rig.stream.start();
    await time.pass(500);
    rig.onChunk = () => {
      throw new SourceError('test', 'the encoder broke');
    };
    rig.stream.activate();
    expect(rig.stream.state).toBe('disabled');
    expect(rig.published).toHaveLength(1);
  });

  it('is disabled when its encoder breaks while it flushes a late run', async () => {
    const fifo = join(folder.path, 'fifo');
    makeFifoAt(fifo);
    open(`pipe://${fifo}?name=F&codec=flac&mode=read`);
    await rig.play();
    writer = new FifoWriter(fifo);
    await give(numberedBytes(chunkBytes));
    rig.onChunk = () => {
      throw new SourceError('test', 'the encoder broke');
    };
    await time.pass(272);
    await give(numberedBytes(chunkBytes));
    expect(rig.states).toEqual(['playing', 'idle', 'disabled']);
    expect(rig.log.with('stream disabled')).toHaveLength(1);
    await rig.stream.stop();
  });

  it.each([0, 1, 20, 500])('can be stopped %i ms after a listener joined', async (ms) => {
    for (const codec of ['pcm', 'flac', 'opus']) {
      open(`tone:///?name=T&codec=${codec}`);
      await rig.stream.start();
      await time.pass(100);
      rig.stream.activate();
      await time.pass(ms);
      await rig.stream.stop();
      const { length } = rig.published;
      await time.pass(100);
      expect(rig.published).toHaveLength(length);
      expect(rig.pool.isFull).toBe(true);
      expect(time.timers).toBe(0);
    }
  });
});

describe('a stream that cannot start', () => {
  afterEach(tidy);

  it.each([
    ['mp3:///?name=Bad', 'Unknown stream type: mp3'],
    ['tone:///?name=Bad&codec=mp3', '"mp3" is no codec'],
    ['tone:///?name=Bad&codec=flac:99', 'write a whole number of 0 to 8'],
    ['tone:///?name=Bad&codec=opus&sampleformat=48000:16:6', 'one or two channels'],
    ['tone:///?name=Bad&freq=high', 'freq=high cannot be used'],
    ['file:///does/not/exist?name=Bad', '/does/not/exist'],
    ['process:///does/not/exist?name=Bad', '/does/not/exist'],
    ['pipe:///etc/hostname?name=Bad', 'it is no fifo'],
    ['pipe:///does/not/exist?name=Bad', 'cannot be made'],
  ])('%s is disabled with one line that says why', async (address, why) => {
    rig = new StreamRig(address);
    await rig.stream.start();
    rig.stream.activate();
    await until(() => rig.states.length > 0);
    expect(rig.states).toEqual(['disabled']);
    const [line, ...more] = rig.log.lines.filter(({ level }) => level === 'error');
    expect(line).toMatchObject({ phrase: 'stream disabled', fields: { stream: 'Bad' } });
    expect(line?.fields.reason).toContain(why);
    expect(more).toEqual([]);
    expect(rig.published).toEqual([]);
  });

  it('is one whose port is taken', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    rig = new StreamRig(`tcp://127.0.0.1:${port}?name=Bad`);
    await rig.stream.start();
    await until(() => rig.states.length > 0);
    expect(rig.states).toEqual(['disabled']);
    expect(rig.log.with('stream disabled')).toHaveLength(1);
    expect(rig.log.with('choose another port')).toHaveLength(1);
    server.close();
    await once(server, 'close');
  });

  it('takes part in nothing when it is stopped before it has started', async () => {
    for (const codec of ['pcm', 'flac', 'opus']) {
      rig = new StreamRig(`pipe://${join(folder.path, codec)}?name=P&codec=${codec}`);
      let isOver = false;
      void rig.stream.start().then(() => {
        isOver = true;
      });
      await rig.stream.stop();
      expect(isOver).toBe(true);
      expect(existsSync(join(folder.path, codec))).toBe(false);
      expect(rig.states).toEqual([]);
      expect(rig.log.lines).toEqual([]);
    }
  });
});

describe('a stream with a producer', () => {
  const producers: net.Socket[] = [];

  afterEach(async () => {
    for (const producer of producers.splice(0)) producer.destroy();
    await tidy();
  });

  async function connect(): Promise<net.Socket> {
    await until(() => rig.log.with('waiting for a producer').length > 0);
    const [line] = rig.log.with('waiting for a producer');
    const port = Number(/:(\d+)$/.exec(String(line?.fields.address))?.[1]);
    const producer = net.connect(port, '127.0.0.1');
    producers.push(producer);
    await once(producer, 'connect');
    return producer;
  }

  it('widens packed 24-bit samples that come over TCP', async () => {
    rig = new StreamRig('tcp://127.0.0.1:0?name=T&sampleformat=48000:24:2&packed_s24le=true');
    await rig.play();
    const packed = numberedBytes(5 * 960 * 2 * 3);
    (await connect()).write(packed);
    await until(() => rig.published.length >= 5);
    const expected = Buffer.alloc((packed.length / 3) * 4);
    for (let index = 0; index < packed.length / 3; index += 1) {
      expected.writeInt32LE(packed.readIntLE(3 * index, 3), 4 * index);
    }
    expect(rig.audio).toEqual(expected);
    expect(new Set(distancesUs(rig.published))).toEqual(new Set([chunkUs]));
  });

  it('passes on 24-bit samples in 4-byte containers, with their sign in the fourth', async () => {
    rig = new StreamRig('tcp://127.0.0.1:0?name=T&sampleformat=96000:24:2');
    await rig.play();
    const audio = numberedBytes(3 * 1920 * 8);
    (await connect()).write(audio);
    await until(() => rig.published.length >= 3);
    for (let at = 0; at < audio.length; at += 4) audio.writeInt32LE(audio.readIntLE(at, 3), at);
    expect(rig.audio).toEqual(audio);
  });

  it('aligns frames anew when a producer leaves in the middle of one', async () => {
    rig = new StreamRig('tcp://127.0.0.1:0?name=T');
    await rig.play();
    const first = await connect();
    first.end(numberedBytes(2 * chunkBytes + 1001));
    await until(() => rig.states.includes('idle'));
    const audio = numberedBytes(2 * chunkBytes, 99_999);
    (await connect()).write(audio);
    await until(() => rig.published.length >= 5);
    const tail = Buffer.concat([
      numberedBytes(2 * chunkBytes + 1000),
      Buffer.alloc(chunkBytes - 1000),
    ]);
    expect(rig.audio).toEqual(Buffer.concat([tail, audio]));
    expect(Math.min(...distancesUs(rig.published))).toBeGreaterThanOrEqual(chunkUs);
  });

  it('aligns frames anew when its program dies and starts again', async () => {
    writeFileSync(join(folder.path, 'audio'), numberedBytes(2 * chunkBytes + 1001));
    rig = new StreamRig(`process://${program('cat audio; exit 3')}?name=P`);
    await rig.play();
    await until(() => rig.published.length >= 6);
    const tail = Buffer.concat([
      numberedBytes(2 * chunkBytes + 1000),
      Buffer.alloc(chunkBytes - 1000),
    ]);
    expect(rig.audio.subarray(0, 6 * chunkBytes)).toEqual(Buffer.concat([tail, tail]));
    expect(rig.log.with('restartMs')[0]).toMatchObject({ level: 'warn', fields: { code: 3 } });
    expect(rig.states.slice(0, 3)).toEqual(['playing', 'idle', 'playing']);
  });

  it('ends its program when it is stopped, at any moment', async () => {
    const pids = join(folder.path, 'pids');
    const path = program(`echo $$ >> ${pids}; exec cat /dev/zero`);
    for (const ms of [0, 5, 50]) {
      rig = new StreamRig(`process://${path}?name=P`);
      await rig.play();
      await new Promise((resolve) => setTimeout(resolve, ms));
      await rig.stream.stop();
      expect(rig.pool.isFull).toBe(true);
    }
    const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number);
    expect(started.length).toBeGreaterThan(0);
    for (const pid of started) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('takes the format from the header of a WAV file, whatever the default is', async () => {
    const path = join(folder.path, 'x.wav');
    const packed = numberedBytes(882 * 2 * 3 * 2);
    writeFileSync(path, wavFile(packed, { rateHz: 44_100, bits: 24 }));
    rig = new StreamRig(`file://${path}?name=W`);
    await rig.play();
    const header = Buffer.from(rig.stream.header ?? []);
    expect([header.readUInt32LE(24), header.readUInt16LE(34)]).toEqual([44_100, 24]);
    await until(() => rig.published.length >= 4);
    expect(rig.published[0]?.payload.length).toBe(882 * 8);
    expect(rig.published[0]?.payload.readInt32LE(0)).toBe(packed.readIntLE(0, 3));
    // Two chunks long, played over and over without a seam.
    expect(rig.published[2]?.payload).toEqual(rig.published[0]?.payload);
    expect(rig.published[3]?.payload).toEqual(rig.published[1]?.payload);
    expect(new Set(distancesUs(rig.published))).toEqual(new Set([chunkUs]));
  });

  it('lets go of a fifo although its writer is still there', async () => {
    const fifo = join(folder.path, 'fifo');
    makeFifoAt(fifo);
    rig = new StreamRig(`pipe://${fifo}?name=F`);
    await rig.play();
    writer = new FifoWriter(fifo);
    writer.write(numberedBytes(10 * chunkBytes));
    await until(() => rig.published.length >= 2);
    await rig.stream.stop();
    expect(() => writer?.write(numberedBytes(1))).toThrow('EPIPE');
    await rig.stream.stop();
  });
});
