import { hello, message, messageType, timeRequest } from '../wire.mjs';

/** Places of the crew, drawn before anybody knows who is connected. */
function drawPlaces(random, { victims }, most) {
  const count = random.between(1, Math.min(most, victims));
  return Array.from({ length: count }, () => random.between(0, victims - 1));
}

/** An action on every player of `places` that is connected. */
function onEach(work) {
  return ({ crew, ...world }, args) => {
    for (const place of args.places) {
      const player = crew.at(place);
      if (player) work(player, args, { crew, ...world });
    }
  };
}

function resumeLater({ later }, player, ms) {
  player.pause();
  later(ms, () => player.resume());
}

/** What players do, and what becomes of them. */
export const playerActions = {
  connect: {
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
  },
  reset: {
    weight: 4,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 25) }),
    run: onEach((player) => player.reset()),
  },
  leave: {
    weight: 3,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 15) }),
    run: onEach((player) => player.close()),
  },
  halfClose: {
    weight: 3,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 8) }),
    run: onEach((player) => player.halfClose()),
  },
  stall: {
    weight: 4,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 12),
      ms: random.pick([300, 2000, 5000, 12_000]),
    }),
    run: onEach((player, { ms }, world) => resumeLater(world, player, ms)),
  },
  readSlowly: {
    weight: 3,
    draw: (random, sizes) => ({ places: drawPlaces(random, sizes, 8) }),
    run: onEach((player, _, world) => {
      for (let round = 0; round < 10; round += 1) {
        world.later(round * 700, () => resumeLater(world, player, 600));
      }
    }),
  },
  sameId: {
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
  },
  joinSwelling: {
    weight: 3,
    draw: (random) => ({ apartMs: random.between(100, 1500) }),
    run: ({ joiners }, { apartMs }) => joiners.begin(apartMs),
  },
  helloAgain: {
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 4),
      times: random.between(1, 12),
      ownId: random.chance(0.7),
    }),
    run: onEach((player, { times, ownId }) => {
      for (let time = 0; time < times; time += 1) {
        player.send(hello(ownId ? player.id : `${player.id}-${time}`, 100 + time));
      }
    }),
  },
  floodTime: {
    weight: 3,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 3),
      times: random.between(100, 4000),
      isDeaf: random.chance(0.4),
    }),
    run: onEach((player, { times, isDeaf }, world) => {
      if (isDeaf) resumeLater(world, player, 2500);
      const requests = Array.from({ length: times }, (_, index) => timeRequest(index));
      player.send(Buffer.concat(requests));
    }),
  },
  reportVolume: {
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 4),
      volume: random.pick([0, 50, 100, 101, -1, 1e9]),
    }),
    run: onEach((player, { volume }) => {
      const text = JSON.stringify({ volume, muted: false });
      const body = Buffer.alloc(4 + text.length);
      body.writeUInt32LE(text.length);
      body.write(text, 4);
      player.send(message(7, 1, body));
    }),
  },
  wrongSize: {
    weight: 2,
    draw: (random, sizes) => ({
      places: drawPlaces(random, sizes, 2),
      type: random.pick([messageType.time, messageType.hello, 7, 2, 200]),
      size: random.pick([0, 1, 7, 9, 65_537, 2 ** 31, 2 ** 32 - 1]),
    }),
    run: onEach((player, { type, size }) => player.send(message(type, 9, Buffer.alloc(64), size))),
  },
};
