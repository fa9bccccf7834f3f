import { messageType } from '../../../src/protocol/layout.ts';
import { encodeHello, encodeTimeRequest } from '../../../src/protocol/messages.ts';
import { playerMessage, textBody } from '../../support/player-messages.ts';
import type { Random } from '../../support/random.ts';
import { helloOf } from '../../support/scripted-client.ts';
import { action, type Sizes } from '../action.ts';
import type { Player } from '../player.ts';
import type { World } from '../world.ts';

/** Places of the crew, drawn before anybody knows who is connected. */
function drawPlaces(random: Random, { victims }: Sizes, most: number): readonly number[] {
  const count = random.between(1, Math.min(most, victims));
  return Array.from({ length: count }, () => random.between(0, victims - 1));
}

/** An action on every player of `places` that is connected. */
function onEach({ crew }: World, places: readonly number[], work: (player: Player) => void): void {
  for (const place of places) {
    const player = crew.at(place);
    if (player) work(player);
  }
}

function resumeLater({ later }: World, player: Player, ms: number): void {
  player.pause();
  later(ms, () => player.resume());
}

/** What players do, and what becomes of them. */
export const playerActions = {
  connect: action({
    weight: 10,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 40),
      browserShare: random.pick([0, 0, 0.2]),
      seed: random.between(0, 2 ** 31),
    }),
    run({ crew, randomOf }, { places, browserShare, seed }) {
      const random = randomOf(seed);
      for (const place of places) {
        const isBrowser = random.chance(browserShare);
        if (!crew.at(place)) crew.connect(place, { isBrowser });
      }
    },
  }),
  reset: action({
    weight: 4,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 25) }),
    run: (world, { places }) => onEach(world, places, (player) => player.reset()),
  }),
  leave: action({
    weight: 3,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 15) }),
    run: (world, { places }) => onEach(world, places, (player) => player.close()),
  }),
  halfClose: action({
    weight: 3,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 8) }),
    run: (world, { places }) => onEach(world, places, (player) => player.halfClose()),
  }),
  stall: action({
    weight: 4,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 12),
      ms: random.pick([300, 2000, 5000, 12_000]),
    }),
    run: (world, { places, ms }) =>
      onEach(world, places, (player) => resumeLater(world, player, ms)),
  }),
  readSlowly: action({
    weight: 3,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 8) }),
    run: (world, { places }) =>
      onEach(world, places, (player) => {
        for (let round = 0; round < 10; round += 1) {
          world.later(round * 700, () => resumeLater(world, player, 600));
        }
      }),
  }),
  sameId: action({
    weight: 3,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 6),
      times: random.between(1, 4),
      isSilent: random.chance(0.5),
      ms: random.pick([0, 500, 4000, 20_000]),
    }),
    run({ crew, later }, { places, times, isSilent, ms }) {
      for (const place of places) {
        for (let time = 0; time < times; time += 1) {
          const older = crew.connect(place);
          // Either the same player, whose old connection hangs, or another one, which leaves later.
          if (isSilent) older?.fallSilent();
          else later(ms, () => older?.close());
        }
      }
    },
  }),
  joinSwelling: action({
    weight: 3,
    draw: (random) => ({ apartMs: random.between(100, 1500) }),
    run: ({ joiners }, { apartMs }) => joiners.begin(apartMs),
  }),
  helloAgain: action({
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 4),
      times: random.between(1, 12),
      ownId: random.chance(0.7),
    }),
    run: (world, { places, times, ownId }) =>
      onEach(world, places, (player) => {
        for (let time = 0; time < times; time += 1) {
          const id = ownId ? player.id : `${player.id}-${time}`;
          player.send(encodeHello(helloOf(id), 100 + time));
        }
      }),
  }),
  floodTime: action({
    weight: 3,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 3),
      times: random.between(100, 4000),
      isDeaf: random.chance(0.4),
    }),
    run: (world, { places, times, isDeaf }) =>
      onEach(world, places, (player) => {
        if (isDeaf) resumeLater(world, player, 2500);
        const requests = Array.from({ length: times }, (_, index) => encodeTimeRequest(index));
        player.send(Buffer.concat(requests));
      }),
  }),
  reportVolume: action({
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 4),
      volume: random.pick([0, 50, 100, 101, -1, 1e9]),
    }),
    run: (world, { places, volume }) =>
      onEach(world, places, (player) => {
        const body = textBody(JSON.stringify({ volume, muted: false }));
        player.send(playerMessage({ type: messageType.clientInfo, id: 1, body }));
      }),
  }),
  wrongSize: action({
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 2),
      type: random.pick([messageType.time, messageType.hello, 7, 2, 200]),
      size: random.pick([0, 1, 7, 9, 65_537, 2 ** 31, 2 ** 32 - 1]),
    }),
    run: (world, { places, type, size }) =>
      onEach(world, places, (player) =>
        player.send(playerMessage({ type, id: 9, body: Buffer.alloc(64), size })),
      ),
  }),
};
