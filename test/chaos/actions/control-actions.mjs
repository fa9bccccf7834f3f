import { Crew } from '../crew.mjs';
import {
  addedStream,
  addedStreamNames,
  harmedStreams,
  steadyStreams,
  streamAddress,
} from '../streams.mjs';

const streamNames = [...steadyStreams, ...harmedStreams].map(({ name }) => name);
const harmedNames = harmedStreams.map(({ name }) => name);

/** The group of a victim, in which only victims are. */
async function groupOf({ ask }, place) {
  const status = await ask('Server.GetStatus');
  const id = Crew.idOf(place);
  return status?.result.server.groups.find(({ clients }) => clients.some((c) => c.id === id))?.id;
}

const drawPlace = (random, { victims }) => random.between(0, victims - 1);

/** An action on the group of one victim. */
function onGroup(method, paramsOf) {
  return async (world, args) => {
    const id = await groupOf(world, args.place);
    if (id !== undefined) await world.ask(method, { id, ...paramsOf(args) });
  };
}

/** What controllers ask for, of victims and of streams that come and go. */
export const controlActions = {
  setVolume: {
    weight: 4,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      percent: random.between(0, 100),
      muted: random.chance(0.3),
    }),
    run: ({ ask }, { place, percent, muted }) =>
      ask('Client.SetVolume', { id: Crew.idOf(place), volume: { percent, muted } }),
  },
  setLatency: {
    weight: 1,
    draw: (random, sizes) => ({ place: drawPlace(random, sizes), latency: random.between(0, 500) }),
    run: ({ ask }, { place, latency }) =>
      ask('Client.SetLatency', { id: Crew.idOf(place), latency }),
  },
  setName: {
    weight: 2,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      name: random.pick(['kitchen', '', 'ä\u0000\ud83d\ude00"\\', 'x'.repeat(2000)]),
    }),
    run: ({ ask }, { place, name }) => ask('Client.SetName', { id: Crew.idOf(place), name }),
  },
  setStream: {
    weight: 6,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      stream: random.pick([...streamNames, 'Added0', 'Added1', 'Spare', 'nothing']),
    }),
    run: onGroup('Group.SetStream', ({ stream }) => ({ stream_id: stream })),
  },
  setMute: {
    weight: 3,
    draw: (random, sizes) => ({ place: drawPlace(random, sizes), mute: random.chance(0.5) }),
    run: onGroup('Group.SetMute', ({ mute }) => ({ mute })),
  },
  setClients: {
    weight: 4,
    draw: (random, sizes) => ({
      place: drawPlace(random, sizes),
      others: Array.from({ length: random.between(0, 10) }, () => drawPlace(random, sizes)),
    }),
    run: onGroup('Group.SetClients', ({ others }) => ({ clients: others.map(Crew.idOf) })),
  },
  deleteClient: {
    weight: 2,
    draw: (random, sizes) => ({ place: drawPlace(random, sizes) }),
    run: ({ ask }, { place }) => ask('Server.DeleteClient', { id: Crew.idOf(place) }),
  },
  addStream: {
    weight: 6,
    draw: (random) => ({ index: random.between(0, addedStreamNames.length - 1) }),
    run: ({ ask, places }, { index }) =>
      ask('Stream.AddStream', { streamUri: streamAddress(addedStream(index), places) }),
  },
  removeStream: {
    weight: 4,
    draw: (random) => ({ index: random.between(0, addedStreamNames.length - 1) }),
    run: ({ ask }, { index }) => ask('Stream.RemoveStream', { id: addedStream(index).name }),
  },
  addBadStream: {
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
  },
  addOwnFile: {
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
  },
  controlStream: {
    weight: 2,
    draw: (random) => ({
      id: random.pick(harmedNames),
      command: random.pick(['play', 'pause', 'next', 'nonsense']),
    }),
    run: ({ ask }, { id, command }) => ask('Stream.Control', { id, command, params: {} }),
  },
};
