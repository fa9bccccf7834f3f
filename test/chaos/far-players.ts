// Players behind the bad network: a process in a network namespace of its own, forked by
// far-crew.ts, which tells it what to do.

import type { FarMessage, Order } from './far-crew.ts';
import { raiseLoopback } from './network.ts';
import { Player } from './player.ts';
import { StreamTruths } from './truths.ts';

const comeBackMs = 700;

let settings: Order & { kind: 'prepare' };
const truths = new StreamTruths();
let isHere = false;
const players = new Map<number, Player>();

function say(message: FarMessage): void {
  process.send?.(message);
}

function connect(index: number): void {
  if (!isHere || players.has(index)) return;
  const player = new Player({
    id: `far-${index}`,
    host: settings.host,
    port: settings.port,
    truths,
    isStrict: false,
    onProblem: (text) => say({ kind: 'problem', text }),
    onClosed: () => {
      totalChunks += player.listening.chunks;
      players.delete(index);
      setTimeout(() => connect(index), comeBackMs);
    },
  });
  players.set(index, player);
}

let totalChunks = 0;

function obey(order: Order): void {
  switch (order.kind) {
    case 'prepare':
      settings = order;
      raiseLoopback();
      say({ kind: 'prepared' });
      break;
    case 'join':
      if (isHere) return;
      isHere = true;
      for (let index = 0; index < settings.count; index += 1) connect(index);
      break;
    case 'leave':
      isHere = false;
      for (const player of players.values()) player.reset();
      break;
    case 'stall': {
      const player = players.get(order.index % settings.count);
      player?.pause();
      setTimeout(() => player?.resume(), order.ms);
      break;
    }
    case 'report': {
      const here = [...players.values()].reduce((sum, { listening }) => sum + listening.chunks, 0);
      say({ kind: 'report', chunks: totalChunks + here });
    }
  }
}

process.on('message', obey);
process.on('disconnect', () => process.exit(0));
