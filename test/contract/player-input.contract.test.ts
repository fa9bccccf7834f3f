import { afterEach, assert, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ChunkPool } from '../../src/audio/chunk-pool.ts';
import type { Access } from '../../src/auth/access.ts';
import { RpcError } from '../../src/base/errors.ts';
import { baseHeaderBytes, baseOffset, messageType } from '../../src/protocol/layout.ts';
import { encodeHello, encodeTimeRequest } from '../../src/protocol/messages.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { TcpLink } from '../../src/transport/tcp-link.ts';
import { nativeFanOut } from '../support/native.ts';
import { PlayerRig } from '../support/player-rig.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { turn, until } from '../support/waiting.ts';

const implementations: [string, (pool: ChunkPool) => FanOut][] = [
  ['Node', (pool) => new NodeFanOut(pool)],
  ['the addon', (pool) => nativeFanOut(pool)],
  ['the addon with zero-copy', (pool) => nativeFanOut(pool, { minBytes: 1, mode: 'always' })],
];

const { clientInfo, codecHeader, hello, serverSettings, time, wireChunk } = messageType;

function messageOf(type: number, body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.alloc(baseHeaderBytes), body]);
  message.writeUInt16LE(type, baseOffset.type);
  message.writeUInt32LE(body.length, baseOffset.size);
  return message;
}

function volumeMessage(volume: number): Buffer {
  const text = Buffer.from(JSON.stringify({ volume, muted: false }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return messageOf(clientInfo, Buffer.concat([length, text]));
}

function requests(first: number, count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => encodeTimeRequest((first + index) % 65_536)),
  );
}

function idsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

describe.each(implementations)('a player that is read by %s', (name, fanOut) => {
  let rig: PlayerRig;

  afterEach(async () => {
    expect(await rig.close(), 'the pool is full').toBe(true);
  });

  async function open(access?: Access): Promise<void> {
    rig = await PlayerRig.open(['tone:///?name=Tone&codec=pcm'], {
      fanOut,
      // Some have said nothing yet, and are slow on a busy machine.
      helloTimeoutMs: 170_000,
      ...(access && { access }),
    });
  }

  async function playing(): Promise<ScriptedClient> {
    await open();
    return rig.playing('a');
  }

  /** One that has said nothing yet. */
  async function silent(): Promise<ScriptedClient> {
    const client = rig.keep(await ScriptedClient.connect(rig.port));
    await until(() => rig.server.sessionCount === 1, 'it is accepted');
    return client;
  }

  /** Why the only session that has ended did so. */
  async function closeReason(): Promise<unknown> {
    await until(() => rig.log.with('session closed').length > 0, 'a session is closed');
    expect(rig.log.with('session closed')).toHaveLength(1);
    return rig.log.with('session closed')[0]?.fields.reason;
  }

  const timesOf = (client: ScriptedClient) => client.of(time).map(({ refersTo }) => refersTo);
  const typesOf = (client: ScriptedClient) =>
    client.received.map(({ type }) => type).filter((type) => type !== wireChunk);

  it('is read by nothing else', async () => {
    const readByNode = vi.spyOn(TcpLink.prototype, 'open');
    onTestFinished(() => readByNode.mockRestore());
    await playing();
    expect(readByNode).toHaveBeenCalledTimes(name === 'Node' ? 1 : 0);
  });

  it('gets answers to a thousand requests in one write, in order', async () => {
    const client = await playing();
    client.send(requests(1, 1000));
    await client.untilCount(time, 1000);
    expect(timesOf(client)).toEqual(idsFrom(1, 1000));
  });

  it('may cut a request at any byte', async () => {
    const client = await playing();
    const request = encodeTimeRequest(7);
    for (let cut = 1; cut < request.length; cut += 1) {
      client.send(request.subarray(0, cut));
      await turn();
      expect(client.of(time)).toHaveLength(cut - 1);
      client.send(request.subarray(cut));
      await client.untilCount(time, cut);
    }
    expect(timesOf(client).every((id) => id === 7)).toBe(true);
  });

  it('may cut other messages, too, with a request behind', async () => {
    const client = await playing();
    const volume = volumeMessage(42);
    client.send(volume.subarray(0, 11));
    await turn();
    client.send(volume.subarray(11, 40));
    await turn();
    client.send(Buffer.concat([volume.subarray(40), encodeTimeRequest(1)]));
    await client.untilCount(time, 1);
    expect(rig.client('a').volume).toBe(42);
  });

  it('is answered in the order of its requests and messages', async () => {
    await open();
    const client = await silent();
    const greeting = encodeHello(helloOf('a'), 2);
    client.send(Buffer.concat([requests(1, 2), greeting, requests(3, 2)]));
    await client.untilCount(time, 4);
    expect(typesOf(client)).toEqual([time, time, serverSettings, codecHeader, time, time]);
    client.send(Buffer.concat([encodeHello(helloOf('b'), 3), requests(5, 1)]));
    await client.untilCount(time, 5);
    expect(typesOf(client).slice(6)).toEqual([serverSettings, codecHeader, time]);
    expect(timesOf(client)).toEqual(idsFrom(1, 5));
  });

  it.each([messageType.base, messageType.wireChunk, messageType.error])(
    'may say much that is ignored, of type %i',
    async (type) => {
      const client = await playing();
      client.send(Buffer.concat([messageOf(type, Buffer.alloc(90_000, 4)), requests(1, 3)]));
      await client.untilCount(time, 3);
      expect(timesOf(client)).toEqual([1, 2, 3]);
    },
  );

  it.each([0, 7, 9, 1024])('gets an answer to a request of %i bytes', async (bytes) => {
    const client = await playing();
    client.send(Buffer.concat([messageOf(time, Buffer.alloc(bytes)), requests(1, 1)]));
    await client.untilCount(time, 2);
    expect(timesOf(client)).toEqual([0, 1]);
  });

  it.each([
    [
      'a type that does not exist',
      messageOf(99, Buffer.alloc(0)),
      'message type 99 does not exist',
    ],
    [
      'a request that is too large',
      messageOf(time, Buffer.alloc(2000)),
      'larger than the 1024 allowed',
    ],
    ['a broken Hello', messageOf(hello, Buffer.from([1, 0, 0, 0, 0x7b])), 'a Hello is not JSON'],
  ])('is closed for %s, and nothing behind that is answered', async (_, message, reason) => {
    const client = await playing();
    client.send(Buffer.concat([requests(1, 1), message, requests(2, 1)]));
    await client.untilClosed();
    expect(await closeReason()).toMatch(`protocol violation: `);
    expect(await closeReason()).toMatch(reason);
    expect(timesOf(client)).not.toContain(2);
  });

  it('ends when it closes, behind all that it has said', async () => {
    const client = await playing();
    client.socket.end(Buffer.concat([volumeMessage(17), requests(1, 1)]));
    expect(await closeReason()).toBe('closed by the client');
    expect(rig.client('a').volume).toBe(17);
    await client.untilClosed();
  });

  it.each([
    ['a request', encodeTimeRequest(1)],
    ['a message', volumeMessage(3)],
    ['a Hello', encodeHello(helloOf('b'), 2)],
  ])('is known to have ended in the middle of %s', async (_, message) => {
    for (const cut of [1, 25, 26, message.length - 1]) {
      await open();
      const client = await rig.playing('a');
      client.socket.end(message.subarray(0, cut));
      expect(await closeReason()).toBe('closed by the client in the middle of a message');
      if (cut < message.length - 1) await rig.close();
    }
  });

  it('ends when its connection is reset', async () => {
    const client = await playing();
    client.socket.resetAndDestroy();
    expect(await closeReason()).toBe('connection failed: read ECONNRESET');
  });

  it('is closed when it asks and does not read', async () => {
    await open();
    const client = await silent();
    client.socket.pause();
    const ask = () => client.send(requests(1, 300));
    await until(() => {
      ask();
      return rig.server.sessionCount === 0;
    });
    expect(await closeReason()).toBe('asks without reading: 256 replies are waiting');
  });

  it('gets all answers in order when it reads after all', async () => {
    await open();
    const client = await silent();
    const [session] = rig.server.sessions;
    assert(session !== undefined);
    const { connection } = session;
    client.socket.pause();
    let asked = 0;
    // The kernel takes megabytes; what has gathered for one read must not be too much for it.
    while (connection.busySinceUs === undefined) {
      const { receivedUs } = session.newestRequest;
      client.send(requests(asked, 100));
      asked += 100;
      await until(() => session.newestRequest.receivedUs > receivedUs, 'they are read');
    }
    client.socket.resume();
    client.requestTime(asked % 65_536);
    asked += 1;
    await client.untilCount(time, asked);
    expect(timesOf(client)).toEqual(idsFrom(0, asked).map((id) => id % 65_536));
    await until(() => connection.reservation.isFree);
  }, 180_000);

  it('waits for its answer while something else is under way', async () => {
    const client = await playing();
    const { connection } = rig.session('a');
    await until(() => connection.reservation.tryHold());
    client.send(Buffer.concat([requests(1, 2), volumeMessage(5)]));
    await until(() => rig.client('a').volume === 5);
    expect(client.of(time)).toEqual([]);
    connection.audioWritten();
    await client.untilCount(time, 2);
    client.requestTime(3);
    await client.untilCount(time, 3);
    expect(timesOf(client)).toEqual([1, 2, 3]);
  });

  it('is answered until it is refused, and no longer', async () => {
    let decide = () => {};
    const decision = new Promise<void>((resolve) => {
      decide = resolve;
    });
    await open({
      anonymous: undefined,
      login: async () => {
        await decision;
        throw new RpcError(4, 'Wrong password');
      },
    });
    const client = await silent();
    const auth = { scheme: 'Basic', param: 'c2VjcmV0' };
    client.send(Buffer.concat([encodeHello(helloOf('a', { auth }), 2), requests(1, 1)]));
    await client.untilCount(time, 1);
    client.requestTime(2);
    await client.untilCount(time, 2);
    decide();
    await client.untilCount(messageType.error, 1);
    client.requestTime(3);
    await client.untilClosed();
    expect(typesOf(client)).toEqual([time, time, messageType.error]);
  });

  it('shows by each request that it is alive', async () => {
    const client = await playing();
    const session = rig.session('a');
    const record = rig.client('a');
    for (let id = 1; id <= 3; id += 1) {
      const { lastHeardUs } = session;
      const { lastSeenMs } = record;
      await until(() => Date.now() > lastSeenMs + 2);
      expect(record.lastSeenMs, 'audio is no sign of life').toBe(lastSeenMs);
      client.requestTime(id);
      await client.untilCount(time, id);
      expect(session.lastHeardUs).toBeGreaterThan(lastHeardUs);
      expect(record.lastSeenMs).toBeGreaterThan(lastSeenMs);
      expect(record.lastSeenMs).toBeLessThanOrEqual(Date.now());
    }
  });

  it('can come and go by the hundred, while one plays on', async () => {
    const stays = await playing();
    for (let round = 0; round < 5; round += 1) {
      const others = await Promise.all(
        idsFrom(0, 40).map((id) => ScriptedClient.greet(rig.port, `other ${id}`)),
      );
      for (const other of others) other.send(requests(1, 50));
      for (const [index, other] of others.entries()) {
        if (index % 3 > 0) await other.untilCount(time, 50);
        if (index % 2 > 0) other.socket.resetAndDestroy();
        else other.close();
      }
      stays.requestTime(round);
      await stays.untilCount(time, round + 1);
    }
    await until(() => rig.server.sessionCount === 1, 'the others have gone');
    expect(timesOf(stays)).toEqual(idsFrom(0, 5));
  });
});
