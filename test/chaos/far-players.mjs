// Players behind the bad network: a process in a network namespace of its own, forked by
// far-crew.mjs, which tells it what to do.

import { raiseLoopback } from './network.mjs';
import { Player } from './player.mjs';
import { StreamTruths } from './truths.mjs';

const comeBackMs = 700;

let settings;
let truths;
let isHere = false;
const players = new Map();

function connect(index) {
  if (!isHere || players.has(index)) return;
  const player = new Player({
    id: `far-${index}`,
    host: settings.host,
    port: settings.port,
    truths,
    isStrict: false,
    onProblem: (text) => process.send({ kind: 'problem', text }),
    onClosed: () => {
      totalChunks += player.listening.chunks;
      players.delete(index);
      setTimeout(() => connect(index), comeBackMs);
    },
  });
  players.set(index, player);
}

let totalChunks = 0;

const orders = {
  async prepare(message) {
    settings = message;
    raiseLoopback();
    truths = await StreamTruths.load(message);
    process.send({ kind: 'prepared' });
  },
  join() {
    if (isHere) return;
    isHere = true;
    for (let index = 0; index < settings.count; index += 1) connect(index);
  },
  leave() {
    isHere = false;
    for (const player of players.values()) player.reset();
  },
  stall({ index, ms }) {
    const player = players.get(index % settings.count);
    player?.pause();
    setTimeout(() => player?.resume(), ms);
  },
  report() {
    const chunks = [...players.values()].reduce((sum, { listening }) => sum + listening.chunks, 0);
    const connected = [...players.values()].filter(({ listening }) => listening.headers > 0).length;
    process.send({ kind: 'report', chunks: totalChunks + chunks, connected });
  },
};

process.on('message', (message) => orders[message.kind](message));
process.on('disconnect', () => process.exit(0));
