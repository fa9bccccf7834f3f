import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHello } from '../../../src/protocol/messages.ts';
import { helloOf } from '../../support/scripted-client.ts';
import { action } from '../action.ts';
import { AnswerTimes } from '../answer-times.ts';
import {
  type ChaosStream,
  slowStream,
  streamAddress,
  tooLargeStream,
  unheardStreams,
} from '../streams.ts';
import type { World } from '../world.ts';

const listener = 'intruder-slow';
const listenerLimitMs = 3000;
/** Names that somebody might guess. */
const temporaryNames = ['server.json', 'streams.json'].flatMap((file) => [
  (pid: number) => `.${file}.${pid}.tmp`,
  () => `.${file}.tmp`,
  () => `${file}.tmp`,
]);
/** The buffer fills up by a half of what comes, or less; a second of audio has to be dropped then. */
const givenUpBuffers = 4;
const givenUpMs = 2000;
const lookAfterMs = 1500;

const limitsOfStreams = /\[limits\] max_(?:added_samples|streams)/;

const add = ({ ask, places }: World, stream: ChaosStream) =>
  ask('Stream.AddStream', { streamUri: streamAddress(stream, places) });

/** Looks some time later, unless there is a quiet point before. */
function lookLater(world: World, ms: number, look: () => Promise<void>): void {
  const endMs = performance.now() + ms;
  world.later(ms, () => {
    if (performance.now() < endMs) return;
    look().catch((error) => world.problem(error.message));
  });
}

async function judge(world: World, times: AnswerTimes): Promise<void> {
  const fault = await times.fault();
  if (fault !== undefined) world.problem(fault);
}

async function groupOfListener({ mischief, sleep }: World): Promise<string | undefined> {
  const deadlineMs = performance.now() + listenerLimitMs;
  while (performance.now() < deadlineMs) {
    const { groups } = await mischief.status();
    const group = groups.find(({ clients }) =>
      clients.some(({ id, connected }) => id === listener && connected),
    );
    if (group) return group.id;
    await sleep(100);
  }
  return undefined;
}

/** What the server might write to, and what it has to keep to itself. */
const plantedPaths: readonly {
  readonly scheme: 'pipe' | 'file';
  readonly place: 'data' | 'media' | 'wayToData' | 'configFile' | 'certificateKey';
  readonly name: (pid: number) => string;
}[] = [
  ...temporaryNames.map((name) => ({ scheme: 'pipe', place: 'data', name }) as const),
  { scheme: 'pipe', place: 'data', name: () => 'planted.fifo' },
  { scheme: 'pipe', place: 'media', name: () => '../data/planted.fifo' },
  { scheme: 'pipe', place: 'wayToData', name: () => 'planted.fifo' },
  { scheme: 'file', place: 'data', name: () => 'server.json' },
  { scheme: 'file', place: 'wayToData', name: () => 'streams.json' },
  { scheme: 'file', place: 'configFile', name: () => '' },
  { scheme: 'file', place: 'certificateKey', name: () => '' },
];

/** What controllers ask for that takes more than others can spare. */
export const demandingActions = {
  unheardStreams: action({
    weight: 2,
    draw: (random) => ({
      count: random.between(1, unheardStreams.length),
      ms: random.between(500, 4000),
    }),
    async run(world, { count, ms }) {
      const times = await AnswerTimes.before(world);
      const streams = unheardStreams.slice(0, count);
      const refusals: string[] = [];
      for (const stream of streams) {
        const { error } = await add(world, stream);
        const reason = String(error?.data);
        if (error && !/already exists/.test(reason)) refusals.push(reason);
      }
      for (const reason of refusals.filter((text) => !limitsOfStreams.test(text))) {
        world.problem(`an added stream is refused: ${reason}`);
      }
      if (count === unheardStreams.length && refusals.length === 0) {
        world.problem('controllers may add streams without end');
      }
      lookLater(world, Math.min(ms, lookAfterMs), () => judge(world, times));
      world.later(ms, () => {
        for (const { name } of streams)
          world.ask('Stream.RemoveStream', { id: name }).catch(() => {});
      });
    },
  }),
  tooLargeStream: action({
    weight: 1,
    draw: () => ({}),
    async run(world) {
      const { error } = await add(world, tooLargeStream);
      if (limitsOfStreams.test(String(error?.data))) return;
      world.problem(`the answer to a stream that is too large is ${JSON.stringify(error)}`);
    },
  }),
  slowEncoder: action({
    weight: 2,
    draw: () => ({}),
    async run(world) {
      const { intruders, places, options, server, ask } = world;
      const times = await AnswerTimes.before(world);
      const { error } = await add(world, slowStream);
      // It is there already, or there is no room.
      if (error) return;
      const lookMs = givenUpBuffers * options.bufferMs + givenUpMs;
      const socket = intruders.open(places.streamPort);
      intruders.write(socket, encodeHello(helloOf(listener), 1));
      let wasLost = false;
      socket.once('close', () => {
        wasLost = true;
      });
      const id = await groupOfListener(world);
      // In a flood nobody gets in.
      if (id === undefined) return;
      server.log.disabled.delete(slowStream.name);
      await ask('Group.SetStream', { id, stream_id: slowStream.name });
      let bytesBefore = 0;
      lookLater(world, lookAfterMs, () => {
        bytesBefore = socket.bytesRead;
        return judge(world, times);
      });
      lookLater(world, lookMs, async () => {
        // Without a listener nothing is encoded.
        if (wasLost) return;
        socket.destroy();
        const reason = server.log.disabled.get(slowStream.name);
        if (reason?.includes('cannot keep up with real time')) return;
        if (options.hasAddon && options.flacLibrary === 'system') {
          if (socket.bytesRead === bytesBefore) world.problem('nothing of a large stream comes');
          return;
        }
        world.problem(`an encoder that is too slow goes on, its fault: ${reason}`);
      });
    },
  }),
  plantStream: action({
    weight: 3,
    draw: (random) => ({ index: random.between(0, plantedPaths.length - 1) }),
    async run(world, { index }) {
      const { ask, places, server, disk } = world;
      const { scheme, place, name } = plantedPaths[index]!;
      const path = join(places[place], name(server.pid));
      const before = disk.names();
      const { error } = await ask('Stream.AddStream', {
        streamUri: `${scheme}://${path}?name=Planted&sampleformat=8000:16:2`,
      });
      if (!error) world.problem(`a controller may have ${scheme}://${path} read`);
      const planted = disk.names().filter((file) => /fifo/.test(file) && !before.includes(file));
      if (planted.length > 0) world.problem(`a controller has made ${planted.join(', ')}`);
    },
  }),
  /** Whoever may write into the data folder. */
  plantFile: action({
    weight: 2,
    draw: (random) => ({
      index: random.between(0, temporaryNames.length - 1),
      isLink: random.chance(0.3),
    }),
    run({ places, server, disk }, { index, isLink }) {
      const name = temporaryNames[index]!(server.pid);
      if (disk.names().includes(name)) return;
      const path = join(places.data, name);
      try {
        if (isLink) symlinkSync(places.astray, path);
        else execFileSync('mkfifo', ['-m', '666', path], { stdio: 'pipe' });
      } catch {
        // The disk is full.
      }
    },
  }),
};
