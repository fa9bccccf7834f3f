import type { Random } from '../../support/random.ts';
import { action, type Sizes } from '../action.ts';
import { addressedPlaces, Crew } from '../crew.ts';
import { mixableNames, unknownNames } from '../streams.ts';
import type { World } from '../world.ts';

const presenceLimitMs = 2000;
const priorities = ['low', 'normal', 'high'] as const;

/** Sounds that there are. */
const sounds: readonly object[] = [
  { chime: 'dingdong' },
  { chime: 'tick', repeat: 10, tag: 'door', replace: true },
  { chime: 'alert', pre: 'ding', gain_db: 20, duck_db: -60 },
  { chime: 'tick', attack_ms: 5, release_ms: 5, lead_ms: 500, tail_ms: 500 },
];

/** What cannot be played. */
const noSounds: readonly object[] = [
  { url: 'http://127.0.0.1:9/nothing' },
  { url: 'http://256.1.1.1/' },
  { file: '../../etc/passwd' },
  { text: 'x'.repeat(5000) },
  { chime: 'ding', repeat: 1e9 },
];

/** Why a sound may be refused: so many wait already, or what is done to players and streams. */
const expectedRefusals =
  /^(queue-full|unknown-target|nobody-listens|no-listeners|many-mixes|many-variants)\b/;

const drawPlaces = (random: Random, { victims }: Sizes) =>
  Array.from({ length: random.between(1, 5) }, () =>
    random.between(0, Math.min(addressedPlaces, victims) - 1),
  );

/** Connects those of these places that are away; resolves with the groups of all that came. */
async function gather(world: World, places: readonly number[]): Promise<readonly string[]> {
  const { crew, mischief, sleep } = world;
  for (const place of places) if (!crew.at(place)) crew.connect(place);
  const ids = places.map(Crew.idOf);
  const deadlineMs = performance.now() + presenceLimitMs;
  for (;;) {
    const { groups } = await mischief.status();
    const clients = groups.flatMap((group) => group.clients.map((client) => ({ group, client })));
    const present = clients.filter(({ client }) => client.connected && ids.includes(client.id));
    const isComplete = present.length === new Set(ids).size;
    // In a flood not all get in.
    if (isComplete || performance.now() > deadlineMs) return present.map(({ group }) => group.id);
    await sleep(50);
  }
}

/** Announcements: for victims whose bytes are not compared; nobody else may notice. */
export const announceActions = {
  announce: action({
    weight: 6,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes),
      stream: random.pick(mixableNames),
      params: random.pick(sounds),
      priority: random.pick(priorities),
    }),
    async run(world, { places, stream, params, priority }) {
      for (const id of await gather(world, places)) {
        await world.ask('Group.SetStream', { id, stream_id: stream });
      }
      await announce(world, { ...params, targets: { clients: places.map(Crew.idOf) }, priority });
    },
  }),
  announceToStream: action({
    weight: 2,
    draw: (random) => ({ stream: random.pick(unknownNames), params: random.pick(sounds) }),
    run: (world, { stream, params }) =>
      announce(world, { ...params, targets: { streams: [stream] } }),
  }),
  /** Fifty at once, which share some of their targets. */
  announceMuch: action({
    weight: 1,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes),
      streams: Array.from({ length: 3 }, () => random.pick(mixableNames)),
      seed: random.between(0, 2 ** 31),
    }),
    async run(world, { places, streams, seed }) {
      const random = world.randomOf(seed);
      for (const [index, id] of (await gather(world, places)).entries()) {
        const stream_id = streams[index % streams.length];
        await world.ask('Group.SetStream', { id, stream_id });
      }
      const all = Array.from({ length: 50 }, () => {
        const clients = places.filter(() => random.chance(0.5)).map(Crew.idOf);
        const params = { ...random.pick(sounds), priority: random.pick(priorities) };
        return announce(world, {
          ...params,
          targets: clients.length > 0 ? { clients } : { streams: [random.pick(unknownNames)] },
        });
      });
      await Promise.all(all);
    },
  }),
  announceNothing: action({
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes),
      params: random.pick(noSounds),
    }),
    run: ({ ask }, { places, params }) =>
      ask('Announce.Play', { ...params, targets: { clients: places.map(Crew.idOf) } }),
  }),
  stopAnnouncements: action({
    weight: 1,
    draw: (random) => ({ tag: random.pick(['door', 'nothing']) }),
    run: ({ ask }, { tag }) => ask('Announce.Stop', { tag }),
  }),
};

async function announce(world: World, params: object): Promise<void> {
  const { error } = await world.ask('Announce.Play', params);
  if (!error) world.announced += 1;
  else if (!expectedRefusals.test(String(error.data))) {
    world.problem(`an announcement is refused: ${JSON.stringify(error)}`);
  }
}
