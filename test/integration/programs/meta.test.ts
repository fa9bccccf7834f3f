import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { messageType } from '../../../src/protocol/layout.ts';
import { decodeWireChunk } from '../../../src/protocol/messages.ts';
import { ControlClient } from '../../support/control-client.ts';
import { FifoWriter, scratchFolder } from '../../support/fifo.ts';
import { longestExactRun } from '../../support/pcm-compare.ts';
import { ScriptedClient } from '../../support/scripted-client.ts';
import { Snapclient, snapclientIsMissing } from '../../support/snapclient.ts';
import { Snapserver, snapserverIsMissing } from '../../support/snapserver.ts';
import { TestServer } from '../../support/test-server.ts';
import { uniqueSignal } from '../../support/test-signal.ts';
import { until } from '../../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');

let folder: ReturnType<typeof scratchFolder>;
let closers: (() => unknown)[];

beforeEach(() => {
  folder = scratchFolder();
  closers = [];
});

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  folder.remove();
});

const sourcesIn = (place: string) => [
  `pipe://${join(folder.path, place)}-high?name=High&codec=null`,
  `pipe://${join(folder.path, place)}-low?name=Low&codec=null`,
  'meta:///High/Low?name=House&codec=pcm',
];

/** Bytes of one kind, in real time, until it is told to end. */
function drone(fifo: string, byte: number): () => void {
  // Open for both, as the original is not always there to read.
  const descriptor = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const pcm = Buffer.alloc(48_000 * 4, byte);
  const startMs = performance.now();
  let written = 0;
  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - startMs) * 48) * 4;
    const bytes = Math.min(due - written, pcm.length, 8192) & ~3;
    try {
      written += writeSync(descriptor, pcm, 0, bytes);
    } catch {
      // It is full.
    }
  }, 10);
  const stop = () => {
    clearInterval(timer);
    if (closers.includes(stop)) closeSync(descriptor);
    closers = closers.filter((one) => one !== stop);
  };
  closers.push(stop);
  return stop;
}

/** What a player heard, one after the other; silence does not count. */
function heardBy(player: ScriptedClient): string[] {
  const names = new Map([
    [0x11, 'Low'],
    [0x22, 'High'],
  ]);
  const all = player.of(messageType.wireChunk).flatMap(({ body }) => {
    const { payload } = decodeWireChunk(body);
    return names.get(payload[payload.length >> 1] ?? 0) ?? [];
  });
  return all.filter((name, index) => name !== all[index - 1]);
}

/** The same script for any server; tells what was heard and what the status said. */
async function playScript(place: string, streamPort: number, controlPort: number) {
  const player = await ScriptedClient.greet(streamPort, 'p');
  const controller = await ControlClient.connect(controlPort);
  closers.push(
    () => player.close(),
    () => controller.close(),
  );
  const told: string[] = [];
  const tell = async () => {
    const { streams } = await controller.status();
    told.push(streams.map(({ id, status }) => `${id} ${status}`).join(', '));
  };
  const hears = (...names: readonly string[]) =>
    player.until(() => heardBy(player).join() === names.join(), `${place} hears ${names}`);
  await tell();
  const endLow = drone(join(folder.path, `${place}-low`), 0x11);
  await hears('Low');
  await tell();
  const endHigh = drone(join(folder.path, `${place}-high`), 0x22);
  await hears('Low', 'High');
  endHigh();
  await hears('Low', 'High', 'Low');
  drone(join(folder.path, `${place}-high`), 0x22);
  await hears('Low', 'High', 'Low', 'High');
  endLow();
  await tell();
  return { heard: heardBy(player), told };
}

describe('a meta stream', () => {
  it.skipIf(snapserverIsMissing)('plays what that of the original server plays', async () => {
    const original = await Snapserver.start(sourcesIn('theirs'));
    closers.push(() => original.kill());
    const ours = await TestServer.start(
      ...sourcesIn('ours').map((source) => `stream.source=${source}`),
    );
    closers.push(() => ours.stop());
    const [theirs, mine] = await Promise.all([
      playScript('theirs', original.streamPort, original.controlPort),
      playScript('ours', ours.port, ours.controlPort),
    ]);
    expect(mine).toEqual(theirs);
    expect(mine.told).toEqual(['House idle', 'House playing', 'House playing']);
  });

  it.skipIf(snapclientIsMissing)(
    'is heard in step with its child, sample by sample',
    { retry: 2 },
    async () => {
      const fifo = join(folder.path, 'music');
      const server = await TestServer.start(
        `stream.source=pipe://${fifo}?name=Music&codec=pcm`,
        'stream.source=meta:///Doorbell/Music?name=House&codec=flac',
        'stream.default_source=House',
      );
      closers.push(() => server.stop());
      const onMeta = await Snapclient.start({ port: server.port, hostId: 'meta' });
      closers.push(() => onMeta.kill());
      const onChild = await Snapclient.start({ port: server.port, hostId: 'child' });
      closers.push(() => onChild.kill());
      const { registry } = server.application;
      await until(() => registry.clients.has('child') && registry.clients.has('meta'));
      const { id } = registry.clients.get('child')!.group;
      await server.application.request('Group.SetStream', { id, stream_id: 'Music' });
      const fed = uniqueSignal({ format, seconds: 5 });
      const writer = new FifoWriter(fifo);
      closers.push(() => writer.close());
      const startMs = performance.now();
      for (let written = 0; written < fed.length; ) {
        const due = Math.floor((performance.now() - startMs + 100) * 48) * 4;
        written += writer.write(fed.subarray(written, Math.min(due, fed.length)));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Promise.all([onMeta.playedOut(format), onChild.playedOut(format)]);
      const recordings = [await onMeta.stop(format), await onChild.stop(format)];
      const heard = recordings.map(({ pcm, heardAtMs }) => {
        const run = longestExactRun({ fed, recorded: pcm, format });
        expect(run.share).toBeGreaterThan(0.9);
        return heardAtMs(run.recordedFrame) - (run.fedFrame / format.rateHz) * 1000;
      });
      // Their files grow by 50 ms at a time.
      expect(Math.abs(heard[0]! - heard[1]!)).toBeLessThan(50);
    },
  );
});
