import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { readTimeUs } from '../../../src/protocol/layout.ts';
import { encodeTimeReply, encodeTimeRequest } from '../../../src/protocol/messages.ts';
import type { DirectSocket } from '../../../src/transport/connection.ts';
import { Cursor } from '../../../src/transport/cursor.ts';
import { NodeFanOut } from '../../../src/transport/node-fan-out.ts';
import { messageTypes, type Peer, SocketPairs } from '../../support/socket-pairs.ts';
import { turn, until } from '../../support/waiting.ts';

/** A clock that moves by one second whenever it is read, so that each reading can be told. */
class CountingClock implements Clock {
  readings = 0;

  nowUs(): number {
    this.readings += 1;
    return this.readings * 1_000_000;
  }
}

let pairs: SocketPairs;
let pool: ChunkPool;
let fanOut: NodeFanOut;

beforeEach(async () => {
  pool = new ChunkPool({ verifySeals: true });
  fanOut = new NodeFanOut(pool);
  pairs = await SocketPairs.open(fanOut);
});

afterEach(async () => {
  pairs.close();
  await until(() => pool.isFull);
  expect(pool.isFull).toBe(true);
  pool.close();
});

function reply(requestId: number): Buffer {
  return encodeTimeReply({ requestId, receivedUs: 0, latencyUs: 0 });
}

/** Sends one chunk of `bytes` as the fan-out does. */
function sendAudio(peer: Peer, bytes: number): void {
  const chunk = pool.acquire(bytes, 'test');
  chunk.payloadBytes = bytes;
  chunk.seal({ timestampUs: 0, durationUs: 20_000 });
  expect(peer.connection.reservation.tryHold()).toBe(true);
  new Cursor(peer.path, 0, 0).write(chunk.tcpMessage, chunk);
  chunk.release();
}

/** A shorter way for what is written only. */
function writing(write: DirectSocket['write']): DirectSocket {
  return { write, read: () => false, stopAnswering: () => {}, answeredUs: 0, askedUs: 0 };
}

const { EAGAIN } = constants.errno;

/** More than the kernel takes from somebody whose peer does not read. */
const muchAudioBytes = 16 * 1024 * 1024;

describe('messages', () => {
  it('are stamped when they are written, each on its own', async () => {
    pairs.close();
    pairs = await SocketPairs.open(fanOut, new CountingClock());
    const peer = await pairs.join();
    for (const id of [1, 2, 3]) peer.connection.send(reply(id));
    await until(() => peer.heard().length === 3 * 34);
    const stamps = [0, 34, 68].map((offset) => readTimeUs(peer.heard(), offset + 6));
    expect(stamps[0]).toBeGreaterThan(0);
    expect(stamps[1]).toBeGreaterThan(stamps[0] ?? 0);
    expect(stamps[2]).toBeGreaterThan(stamps[1] ?? 0);
  });

  it('are written at once while the socket takes what it gets', async () => {
    const peer = await pairs.join();
    sendAudio(peer, 1000);
    peer.connection.send(reply(1));
    expect(peer.connection.reservation.isFree).toBe(true);
    expect(peer.connection.busySinceUs).toBeUndefined();
    sendAudio(peer, 1000);
    await until(() => messageTypes(peer.heard()).length === 3);
    expect(messageTypes(peer.heard())).toEqual([2, 4, 2]);
  });

  it('wait for the audio that is under way, and go before all that comes later', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    peer.connection.send(reply(1));
    expect(peer.connection.reservation.tryHold()).toBe(false);
    const pieces: Buffer[] = [];
    peer.remote.on('data', (data: Buffer) => pieces.push(data));
    await until(() => peer.connection.reservation.isFree);
    sendAudio(peer, 1000);
    const heard = () => messageTypes(Buffer.concat(pieces));
    await until(() => heard().length === 3);
    expect(heard()).toEqual([2, 4, 2]);
  });

  it('keep the fan-out away while the socket does not take them', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    peer.connection.send(reply(1));
    expect(peer.connection.reservation.tryRaise()).toBe(false);
    peer.remote.resume();
    await until(() => peer.connection.reservation.isFree);
    expect(peer.connection.reservation.isFree).toBe(true);
    expect(peer.connection.busySinceUs).toBeUndefined();
  });

  it('are answered again when a peer takes what it left for a while', async () => {
    const peer = await pairs.join(false);
    let sent = 0;
    while (peer.connection.busySinceUs === undefined && !peer.connection.isClosed) {
      peer.connection.send(reply(0));
      sent += 1;
    }
    expect(peer.closedFor()).toBeUndefined();
    peer.read();
    await until(() => peer.connection.busySinceUs === undefined);
    peer.connection.send(reply(0));
    await until(() => peer.heard().length === (sent + 1) * 34);
    expect(peer.connection.reservation.isFree).toBe(true);
  });

  it('are not collected for a peer that asks without reading', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    for (let id = 0; id < 256; id += 1) peer.connection.send(reply(id));
    expect(peer.closedFor()).toBeUndefined();
    peer.connection.send(reply(256));
    expect(peer.closedFor()).toContain('asks without reading: 256 replies are waiting');
    expect(peer.connection.isClosed).toBe(true);
  });

  it('go nowhere after the end', async () => {
    const peer = await pairs.join();
    peer.connection.close('enough');
    peer.connection.send(reply(1));
    await turn();
    expect(peer.heard()).toHaveLength(0);
  });
});

describe('a shorter way into the socket', () => {
  it.each([
    ['all of it', (fd: number, message: Buffer) => writeSync(fd, message)],
    ['a part of it', (fd: number, message: Buffer) => writeSync(fd, message, 0, 5)],
    ['nothing', () => -EAGAIN],
  ])('takes a single message; what is left of it goes by Node: %s', async (_, write) => {
    const peer = await pairs.join();
    const { connection } = peer;
    const taken: number[] = [];
    connection.use(
      writing((message) => {
        taken.push(write(connection.descriptor, message));
        return taken.at(-1) ?? 0;
      }),
    );
    for (const id of [1, 2, 3]) connection.send(reply(id));
    await until(() => peer.heard().length === 3 * 34);
    expect(messageTypes(peer.heard())).toEqual([4, 4, 4]);
    expect([0, 34, 68].map((offset) => peer.heard().readUInt16LE(offset + 4))).toEqual([1, 2, 3]);
    expect(taken).toHaveLength(3);
    expect(connection.reservation.isFree).toBe(true);
  });

  it('is not taken while something is under way', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    let writes = 0;
    peer.connection.use(
      writing((message) => {
        writes += 1;
        return message.length;
      }),
    );
    peer.connection.send(reply(1));
    expect(writes).toBe(0);
  });
});

describe('a peer that takes nothing', () => {
  it('is busy since the write that it does not take', async () => {
    const peer = await pairs.join(false);
    expect(peer.connection.busySinceUs).toBeUndefined();
    sendAudio(peer, muchAudioBytes);
    const sinceUs = peer.connection.busySinceUs;
    expect(sinceUs).toBeGreaterThan(0);
    peer.connection.send(reply(1));
    await turn();
    expect(peer.connection.busySinceUs).toBe(sinceUs);
  });

  it('is busy no more when it reads after all', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    peer.remote.resume();
    await until(() => peer.connection.busySinceUs === undefined);
    expect(peer.connection.busySinceUs).toBeUndefined();
    expect(peer.connection.reservation.isFree).toBe(true);
  });

  it('gives the memory back when it is closed with audio under way', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    await turn();
    expect(pool.isFull).toBe(false);
    peer.connection.close('stalled');
    await until(() => pool.isFull);
    expect(pool.isFull).toBe(true);
  });
});

describe('the reason of the end', () => {
  const half = encodeTimeRequest(1).subarray(0, 20);
  const body = encodeTimeRequest(1).subarray(0, 30);

  it.each([
    ['a peer that closes', (peer: Peer) => peer.remote.destroy(), /^closed by the client$/],
    ['a peer that says no more', (peer: Peer) => peer.remote.end(), /^closed by the client$/],
    [
      'a peer that closes within a header',
      (peer: Peer) => peer.remote.end(half),
      /^closed by the client in the middle of a message$/,
    ],
    [
      'a peer that closes within a body',
      (peer: Peer) => peer.remote.end(body),
      /^closed by the client in the middle of a message$/,
    ],
    ['a reset', (peer: Peer) => peer.remote.resetAndDestroy(), /^connection failed: .*ECONNRESET/],
    [
      'a violation',
      (peer: Peer) => peer.remote.write(Buffer.alloc(26, 0xff)),
      /^protocol violation: message type 65535/,
    ],
    ['our own end', (peer: Peer) => peer.connection.close('for a test'), /^for a test$/],
  ])('names %s', async (_, end, reason) => {
    const peer = await pairs.join();
    end(peer);
    await until(() => peer.closedFor() !== undefined);
    expect(peer.closedFor()).toMatch(reason);
    expect(peer.connection.isClosed).toBe(true);
  });

  it('is the first one, and is told once', async () => {
    const peer = await pairs.join();
    peer.connection.close('first');
    peer.connection.close('second');
    peer.remote.resetAndDestroy();
    await turn();
    await turn();
    expect(peer.closedFor()).toBe('first');
  });

  it('is the end of the peer, at once, although it never read what is under way', async () => {
    const peer = await pairs.join(false);
    sendAudio(peer, muchAudioBytes);
    await turn();
    peer.remote.end();
    await until(() => peer.connection.isClosed);
    expect(peer.closedFor()).toBe('closed by the client');
  });
});

it('shows IPv4 peers of dual-stack sockets as such', async () => {
  const peer = await pairs.join();
  expect(peer.connection.remoteAddress).toBe('127.0.0.1');
});
