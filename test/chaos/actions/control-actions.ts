import type { Random } from '../../support/random.ts';
import { action, type Sizes } from '../action.ts';
import { Crew } from '../crew.ts';
import {
  addedStream,
  addedStreamNames,
  harmedStreams,
  mixableNames,
  steadyStreams,
  streamAddress,
} from '../streams.ts';
import type { World } from '../world.ts';

const streamNames = [...steadyStreams, ...harmedStreams].map(({ name }) => name);
const harmedNames = harmedStreams.map(({ name }) => name);

/** The group of a victim, in which only victims are. */
async function groupOf({ mischief }: World, place: number): Promise<string | undefined> {
  const { groups } = await mischief.status();
  return groups.find(({ clients }) => clients.some(({ id }) => id === Crew.idOf(place)))?.id;
}

const drawPlace = (random: Random, { victims }: Sizes) => random.between(0, victims - 1);

/** An action on the group of one victim. */
async function onGroup(world: World, place: number, [method, params]: [string, object]) {
  const id = await groupOf(world, place);
  if (id !== undefined) await world.ask(method, { id, ...params });
}

/** What controllers ask for, of victims and of streams that come and go. */
export const controlActions = {
  setVolume: action({
    weight: 4,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      percent: random.between(0, 100),
      muted: random.chance(0.3),
    }),
    run: ({ ask }, { place, percent, muted }) =>
      ask('Client.SetVolume', { id: Crew.idOf(place), volume: { percent, muted } }),
  }),
  setLatency: action({
    weight: 1,
    draw: (random, sizes) => ({ place: drawPlace(random, sizes), latency: random.between(0, 500) }),
    run: ({ ask }, { place, latency }) =>
      ask('Client.SetLatency', { id: Crew.idOf(place), latency }),
  }),
  setName: action({
    weight: 2,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      name: random.pick(['kitchen', '', 'ä\u0000\ud83d\ude00"\\', 'x'.repeat(2000)]),
    }),
    run: ({ ask }, { place, name }) => ask('Client.SetName', { id: Crew.idOf(place), name }),
  }),
  setStream: action({
    weight: 6,
    draw: (random, sizes) => {
      const place = drawPlace(random, sizes);
      const others = [...streamNames, 'Added0', 'Added1', 'Spare'];
      const names = Crew.isAddressed(place) ? mixableNames : others;
      return { place, stream: random.pick([...names, 'nothing']) };
    },
    run: (world, { place, stream }) =>
      onGroup(world, place, ['Group.SetStream', { stream_id: stream }]),
  }),
  setMute: action({
    weight: 3,
    draw: (random, sizes) => ({ place: drawPlace(random, sizes), mute: random.chance(0.5) }),
    run: (world, { place, mute }) => onGroup(world, place, ['Group.SetMute', { mute }]),
  }),
  setClients: action({
    weight: 4,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      others: Array.from({ length: random.between(0, 10) }, () => drawPlace(random, sizes)),
    }),
    run: (world, { place, others }) =>
      onGroup(world, place, [
        'Group.SetClients',
        { clients: others.filter((other) => Crew.isLike(other, place)).map(Crew.idOf) },
      ]),
  }),
  deleteClient: action({
    weight: 2,
    draw: (random, sizes) => ({ place: drawPlace(random, sizes) }),
    run: ({ ask }, { place }) => ask('Server.DeleteClient', { id: Crew.idOf(place) }),
  }),
  addStream: action({
    weight: 6,
    draw: (random) => ({ index: random.between(0, addedStreamNames.length - 1) }),
    run: ({ ask, places }, { index }) =>
      ask('Stream.AddStream', { streamUri: streamAddress(addedStream(index), places) }),
  }),
  removeStream: action({
    weight: 4,
    draw: (random) => ({ index: random.between(0, addedStreamNames.length - 1) }),
    run: ({ ask }, { index }) => ask('Stream.RemoveStream', { id: addedStream(index).name }),
  }),
  addBadStream: action({
    weight: 1,
    draw: (random) => ({
      streamUri: random.pick([
        'file:///nowhere?name=Bad',
        'nothing:///?name=Bad',
        'pipe:///dev/null?name=Bad',
        'process:///bin/sh?name=Bad',
        `tone:///?name=Bad&sampleformat=${'9'.repeat(300)}`,
        '',
      ]),
    }),
    run: ({ ask }, { streamUri }) => ask('Stream.AddStream', { streamUri }),
  }),
  addOwnFile: action({
    weight: 2,
    draw: (random) => ({
      scheme: random.pick(['file', 'pipe']),
      name: random.pick([
        'server.json',
        'server.json.lock',
        '.server.json.1.tmp',
        'streams.json',
        'x',
      ]),
    }),
    run: async ({ ask, places }, { scheme, name }) => {
      const streamUri = `${scheme}://${places.data}/${name}?name=Own`;
      const answer = await ask('Stream.AddStream', { streamUri });
      if (answer?.result) throw new Error(`a controller may have ${streamUri} played`);
    },
  }),
  controlStream: action({
    weight: 2,
    draw: (random) => ({
      id: random.pick(harmedNames),
      command: random.pick(['play', 'pause', 'next', 'nonsense']),
    }),
    run: ({ ask }, { id, command }) => ask('Stream.Control', { id, command, params: {} }),
  }),
};
