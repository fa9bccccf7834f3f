import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { monotonicClock } from '../../../src/base/clock.ts';
import { encodeTimeReply } from '../../../src/protocol/messages.ts';
import {
  encodeClose,
  encodeFrame,
  frameHeader,
  opcode,
} from '../../../src/protocol/web-socket-frame.ts';
import { Connection } from '../../../src/transport/connection.ts';
import { Cursor } from '../../../src/transport/cursor.ts';
import type { Link } from '../../../src/transport/link.ts';
import { NodeFanOut } from '../../../src/transport/node-fan-out.ts';
import { HttpRig } from '../../support/http-rig.ts';
import { webSocketEnd } from '../../support/remote-ends.ts';
import { messageTypes, type Peer, SocketPairs } from '../../support/socket-pairs.ts';
import { turn, until } from '../../support/waiting.ts';

/** More than the kernel takes from somebody whose peer does not read. */
const muchBytes = 16 * 1024 * 1024;

let pool: ChunkPool;
let pairs: SocketPairs;

beforeEach(async () => {
  pool = new ChunkPool({ verifySeals: true });
  pairs = await SocketPairs.open(new NodeFanOut(pool), monotonicClock, 'websocket');
});

afterEach(async () => {
  pairs.close();
  await until(() => pool.isFull);
  expect(pool.isFull).toBe(true);
  pool.close();
});

/** Sends one chunk of `bytes` as the fan-out does. */
function sendAudio(peer: Peer, bytes: number): void {
  const chunk = pool.acquire(bytes, 'test');
  chunk.payloadBytes = bytes;
  chunk.seal({ timestampUs: 0, durationUs: 20_000 });
  expect(peer.connection.reservation.tryHold()).toBe(true);
  new Cursor(peer.path, 0, 0).write(chunk.webSocketFrame, chunk);
  chunk.release();
}

/** A ping as a client sends it: masked, with a mask of 0. */
function ping(content: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x89, 0x80 | content.length, 0, 0, 0, 0]),
    Buffer.from(content),
  ]);
}

describe('pings', () => {
  it('are answered after the audio that is under way, the newest one only', async () => {
    const peer = await pairs.join(false);
    const { pongs } = peer;
    sendAudio(peer, muchBytes);
    for (const content of ['a', 'b', 'c']) {
      peer.remote.write(ping(content));
      await turn();
    }
    peer.connection.send(encodeTimeReply({ requestId: 1, receivedUs: 0, latencyUs: 0 }));
    expect(peer.connection.reservation.tryHold()).toBe(false);
    peer.read();
    await until(() => messageTypes(peer.heard()).length === 2);
    await until(() => peer.connection.reservation.isFree);
    sendAudio(peer, 1000);
    await until(() => messageTypes(peer.heard()).length === 3);
    expect(messageTypes(peer.heard())).toEqual([2, 4, 2]);
    expect(pongs.at(-1)).toBe('c');
    expect(pongs.length).toBeLessThan(3);
  });

  it('that come with one read are answered by one pong', async () => {
    const peer = await pairs.join();
    const { pongs } = peer;
    peer.remote.write(Buffer.concat(Array.from({ length: 1000 }, (_, n) => ping(String(n)))));
    await until(() => pongs.includes('999'));
    expect(pongs.length).toBeLessThan(20);
  });

  it('keep the fan-out away only as long as it takes to answer them', async () => {
    const peer = await pairs.join();
    const { pongs } = peer;
    peer.remote.write(ping('x'));
    await until(() => pongs.length === 1);
    expect(peer.connection.reservation.isFree).toBe(true);
  });

  it('go unanswered after the end', async () => {
    const peer = await pairs.join();
    const { pongs } = peer;
    peer.connection.close('enough');
    peer.remote.write(ping('x'));
    await turn();
    expect(pongs).toEqual([]);
  });
});

describe('the close frame', () => {
  it('is written when nobody else writes', async () => {
    const peer = await pairs.join();
    const bytes = rawBytesOf(peer.remote);
    peer.connection.close('enough');
    await once(peer.remote, 'close');
    expect(bytes().toString('hex')).toBe(encodeClose(1001).toString('hex'));
  });

  it.each([
    ['we close', (peer: Peer) => peer.connection.close('enough')],
    ['the peer closes', (peer: Peer) => peer.remote.write(Buffer.from('888000000000', 'hex'))],
    ['the peer sends a bad frame', (peer: Peer) => peer.remote.write(Buffer.from('8f00', 'hex'))],
  ])('is left out while the fan-out holds the socket: %s', async (_, end) => {
    const peer = await pairs.join();
    const bytes = rawBytesOf(peer.remote);
    expect(peer.connection.reservation.tryHold()).toBe(true);
    end(peer);
    await once(peer.remote, 'close');
    expect(peer.connection.isClosed).toBe(true);
    expect(bytes()).toHaveLength(0);
  });
});

describe('a connection on a socket to which something is under way', () => {
  it('lets that out first, and keeps the fan-out away until then', async () => {
    const links: Link[] = [];
    const http = await HttpRig.open({ onStream: (link) => links.push(link) });
    onTestFinished(() => http.close());
    const remote = await webSocketEnd(http.port);
    onTestFinished(() => void remote.socket.destroy());
    await until(() => links.length > 0);
    const link = links[0]!;
    link.socket.write(encodeFrame(opcode.binary, Buffer.alloc(muchBytes)));
    const handler = { onMessage: () => {}, onClose: () => {} };
    const connection = new Connection({ link, clock: monotonicClock }, handler);
    connection.open();
    expect(connection.reservation.tryHold()).toBe(false);
    expect(connection.busySinceUs).toBeGreaterThan(0);
    connection.send(encodeTimeReply({ requestId: 1, receivedUs: 0, latencyUs: 0 }));
    remote.read();
    await until(() => remote.pieces.length === 2);
    expect(remote.pieces.map(({ length }) => length)).toEqual([muchBytes, 34]);
    await until(() => connection.reservation.isFree);
    expect(connection.busySinceUs).toBeUndefined();
    connection.close('end of test');
  });
});

describe('the header of a frame', () => {
  it.each([
    [0, '8200'],
    [125, '827d'],
    [126, '827e007e'],
    [65_535, '827effff'],
    [65_536, '827f0000000000010000'],
  ])('of %i bytes is %s', (bytes, header) => {
    expect(frameHeader(opcode.binary, bytes).toString('hex')).toBe(header);
  });

  it('is followed by the payload', () => {
    expect(encodeFrame(opcode.pong, Buffer.from('hi')).toString('hex')).toBe('8a026869');
    expect(encodeClose(1002).toString('hex')).toBe('880203ea');
    expect(encodeClose(1005).toString('hex')).toBe('8800');
  });
});

/** All bytes that arrive from now on, frames and all. */
function rawBytesOf(socket: Socket): () => Buffer {
  const pieces: Buffer[] = [];
  socket.on('data', (data: Buffer) => pieces.push(data));
  return () => Buffer.concat(pieces);
}
