import { encodeHello, encodeTimeRequest } from '../../../src/protocol/messages.ts';
import { playerMessage } from '../../support/player-messages.ts';
import { helloOf } from '../../support/scripted-client.ts';
import { action } from '../action.ts';

const hello = (id: string) => encodeHello(helloOf(id), 1);

const ports = ['streamPort', 'controlPort', 'httpPort', 'producerPort'] as const;
/** The TCP source takes all bytes for audio, so garbage there is a matter of its own. */
const talkingPorts = ['streamPort', 'controlPort', 'httpPort'] as const;

const upgrade = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n';

const getStatus = '{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"}\r\n';

const httpPieces = [
  'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n{',
  'POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n',
  'GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20),
  `GET / HTTP/1.1\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`,
  'NONSENSE\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
];

const controlPieces = [
  'not json\r\n',
  '{"id":1,"jsonrpc":"2.0","method":"Nothing"}\r\n',
  '[]\r\n',
  `[${'1,'.repeat(2000)}1]\r\n`,
  `${'['.repeat(100_000)}\r\n`,
  '{"id":{},"jsonrpc":"2.0","method":"Server.GetStatus","params":[[[]]]}\r\n',
  '{"id":1,"jsonrpc":"2.0","method":"Client.SetVolume","params":{"id":"nobody","volume":{}}}\r\n',
  '\r\n\r\n\r\n',
  '\0\0\0\0',
  'GET / HTTP/1.1\r\n\r\n',
];

/** Connections that nobody wants. */
export const intruderActions = {
  garbage: action({
    weight: 5,
    draw: (random) => ({
      port: random.pick(talkingPorts),
      bytes: random.between(1, 60_000),
      seed: random.between(0, 2 ** 31),
      isReset: random.chance(0.5),
    }),
    run({ intruders, places, randomOf }, { port, bytes, seed, isReset }) {
      const socket = intruders.open(places[port], { lifeMs: 2000, isReset });
      intruders.write(socket, randomOf(seed).bytes(bytes));
    },
  }),
  randomHeaders: action({
    weight: 5,
    draw: (random) => ({
      seed: random.between(0, 2 ** 31),
      count: random.between(1, 40),
      greets: random.chance(0.5),
    }),
    run({ intruders, places, randomOf }, { seed, count, greets }) {
      const random = randomOf(seed);
      const socket = intruders.open(places.streamPort, { lifeMs: 3000 });
      if (greets) intruders.write(socket, hello(`intruder-${seed % 16}`));
      for (let index = 0; index < count; index += 1) {
        const body = random.bytes(random.between(0, 300));
        const size = random.pick([body.length, body.length, random.between(0, 2 ** 32 - 1)]);
        const type = random.between(0, 10);
        intruders.write(socket, playerMessage({ type, id: index, body, size }));
      }
    },
  }),
  floodHello: action({
    weight: 3,
    draw: (random) => ({ sockets: random.between(1, 30), ids: random.between(1, 200) }),
    run({ intruders, places }, { sockets, ids }) {
      for (let index = 0; index < sockets; index += 1) {
        const socket = intruders.open(places.streamPort, { lifeMs: 1500, isReset: true });
        intruders.write(socket, hello(`intruder-${(index * 7) % ids}`));
      }
    },
  }),
  deafPlayer: action({
    weight: 2,
    draw: (random) => ({ requests: random.between(0, 3000), lifeMs: random.between(500, 15_000) }),
    run({ intruders, places }, { requests, lifeMs }) {
      const socket = intruders.open(places.streamPort, { isDeaf: true, lifeMs });
      intruders.write(socket, hello('intruder-deaf'));
      for (let index = 0; index < requests; index += 1)
        intruders.write(socket, encodeTimeRequest(index));
    },
  }),
  manyConnections: action({
    weight: 2,
    draw: (random) => ({
      port: random.pick(ports),
      count: random.between(50, 450),
      lifeMs: random.between(300, 4000),
    }),
    run({ intruders, places }, { port, count, lifeMs }) {
      for (let index = 0; index < count; index += 1) intruders.open(places[port], { lifeMs });
    },
  }),
  controlGarbage: action({
    weight: 4,
    draw: (random) => ({
      pieces: Array.from({ length: random.between(1, 6) }, () =>
        random.between(0, controlPieces.length - 1),
      ),
      isReset: random.chance(0.5),
    }),
    run({ intruders, places }, { pieces, isReset }) {
      const socket = intruders.open(places.controlPort, { lifeMs: 2500, isReset });
      for (const piece of pieces) intruders.write(socket, controlPieces[piece]!);
    },
  }),
  endlessLine: action({
    weight: 2,
    draw: (random) => ({ kilobytes: random.between(100, 3000) }),
    run({ intruders, places }, { kilobytes }) {
      const socket = intruders.open(places.controlPort, { lifeMs: 3000 });
      intruders.write(socket, Buffer.alloc(kilobytes * 1024, 0x7b));
    },
  }),
  deafController: action({
    weight: 2,
    draw: (random) => ({ requests: random.between(10, 400), lifeMs: random.between(500, 6000) }),
    run({ intruders, places }, { requests, lifeMs }) {
      const socket = intruders.open(places.controlPort, { isDeaf: true, lifeMs });
      intruders.write(socket, getStatus.repeat(requests));
    },
  }),
  httpGarbage: action({
    weight: 4,
    draw: (random) => ({
      pieces: Array.from({ length: random.between(1, 4) }, () =>
        random.between(0, httpPieces.length - 1),
      ),
      isDeaf: random.chance(0.3),
      lifeMs: random.between(100, 8000),
    }),
    run({ intruders, places }, { pieces, isDeaf, lifeMs }) {
      const socket = intruders.open(places.httpPort, { isDeaf, lifeMs });
      for (const piece of pieces) intruders.write(socket, httpPieces[piece]!);
    },
  }),
  webSocketGarbage: action({
    weight: 4,
    draw: (random) => ({
      path: random.pick(['/stream', '/jsonrpc', '/nowhere']),
      bytes: random.between(1, 5000),
      seed: random.between(0, 2 ** 31),
      isReset: random.chance(0.5),
    }),
    run({ intruders, places, randomOf }, { path, bytes, seed, isReset }) {
      const socket = intruders.open(places.httpPort, { lifeMs: 2500, isReset });
      intruders.write(socket, upgrade(path));
      intruders.write(socket, randomOf(seed).bytes(bytes));
    },
  }),
  slowHeader: action({
    weight: 2,
    draw: (random) => ({ port: random.pick(talkingPorts), pieces: random.between(2, 12) }),
    run({ intruders, places, later }, { port, pieces }) {
      const socket = intruders.open(places[port], { lifeMs: 9000 });
      for (let piece = 0; piece < pieces; piece += 1) {
        later(piece * 500, () => intruders.write(socket, 'G'));
      }
    },
  }),
};
