import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { maxFrameBytes } from '../../src/http/web-socket-upgrades.ts';
import { baseHeaderBytes, baseOffset, messageType } from '../../src/protocol/layout.ts';
import {
  decodeServerSettings,
  decodeTimeLatencyUs,
  decodeWireChunk,
  encodeHello,
  encodeTimeRequest,
  stampSent,
} from '../../src/protocol/messages.ts';
import { upgradeRequest } from '../support/http-rig.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm';
const byWebSocket = { transport: 'WebSocket' } as const;
let server: TestServer;

afterEach(async () => {
  await server.stop();
});

async function startTone(...settings: string[]): Promise<void> {
  server = await TestServer.start(tone, ...settings);
}

describe('a client over WebSocket', () => {
  it('gets settings, the codec header, then chunks: each message in a frame of its own', async () => {
    await startTone('stream.buffer=742');
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    await client.untilCount(messageType.wireChunk, 60);
    const [settings, header, ...chunks] = client.received;
    expect(settings).toMatchObject({ type: messageType.serverSettings, refersTo: 2 });
    expect(settings && decodeServerSettings(settings.body).bufferMs).toBe(742);
    expect(header).toMatchObject({ type: messageType.codecHeader, refersTo: 0 });
    expect(chunks.every(({ type }) => type === messageType.wireChunk)).toBe(true);
    expect(client.frames).toHaveLength(client.received.length);
    expect(server.log.with('Creating regular WebSocket session for 127.0.0.1')).toHaveLength(1);
    client.close();
  });

  it('gets the same chunks as a client over TCP, byte by byte', async () => {
    await startTone();
    const browser = await ScriptedClient.greet(server.httpPort, 'browser', byWebSocket);
    const player = await ScriptedClient.greet(server.port, 'player');
    const raw: Buffer[] = [];
    player.socket.on('data', (data: Buffer) => raw.push(data));
    await player.untilCount(messageType.wireChunk, 80);
    await browser.untilCount(messageType.wireChunk, 80);
    const overTcp = Buffer.concat(raw);
    const times = new Map(
      player.chunks.map(({ body }) => [decodeWireChunk(body).timestampUs, body.toString('hex')]),
    );
    const common = browser
      .of(messageType.wireChunk)
      .filter(({ body }) => times.has(decodeWireChunk(body).timestampUs));
    expect(common.length).toBeGreaterThan(40);
    for (const { body } of common) {
      expect(body.toString('hex')).toBe(times.get(decodeWireChunk(body).timestampUs));
    }
    // The headers of the messages, too.
    const newest = browser.frames.filter((frame) => frame.readUInt16LE(0) === 2).at(-10);
    expect(newest && overTcp.includes(newest)).toBe(true);
    browser.close();
    player.close();
  });

  it('is understood although it counts the header as part of the body, as snapweb does', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.httpPort, byWebSocket);
    const hello = encodeHello(helloOf('snapweb'), 7);
    hello.writeUInt32LE(hello.length, baseOffset.size);
    const time = encodeTimeRequest(8);
    time.writeUInt32LE(time.length, baseOffset.size);
    client.send(hello);
    client.send(time);
    const [settings] = await client.untilCount(messageType.serverSettings, 1);
    expect(settings?.refersTo).toBe(7);
    const [reply] = await client.untilCount(messageType.time, 1);
    expect(reply).toMatchObject({ id: 8, refersTo: 8 });
    client.close();
  });

  it('is understood when its Hello comes in several frames', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.httpPort, byWebSocket);
    const hello = encodeHello(helloOf('a'), 3);
    client.webSocket?.send(hello.subarray(0, 10), { fin: false });
    client.webSocket?.send(hello.subarray(10, 40), { fin: false });
    client.webSocket?.send(hello.subarray(40));
    await client.untilCount(messageType.wireChunk, 1);
    client.close();
  });

  it('is answered when it asks for the time, in order and with the time of arrival', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    await client.untilCount(messageType.wireChunk, 1);
    for (let id = 10; id < 60; id += 1) {
      const question = encodeTimeRequest(id);
      stampSent(question, 4_000_000_000);
      client.send(question);
    }
    const replies = await client.untilCount(messageType.time, 50);
    expect(replies.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, n) => n + 10));
    for (const { body, sentUs } of replies) {
      const receivedUs = decodeTimeLatencyUs(body) + 4_000_000_000;
      expect(sentUs).toBeGreaterThanOrEqual(receivedUs);
      expect(sentUs - receivedUs).toBeLessThan(1_000_000);
    }
    const frame = client.frames.find((one) => one.readUInt16LE(0) === messageType.time);
    const fieldUs = (frame?.readInt32LE(14) ?? 0) * 1e6 + (frame?.readInt32LE(18) ?? 0);
    const [first] = replies;
    expect(fieldUs).toBe(first && decodeTimeLatencyUs(first.body) + 4_000_000_000);
    client.close();
  });

  it('gets a pong for each ping, with its content, while audio flows', async () => {
    await startTone('stream.send_interval=0');
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    for (let round = 0; round < 30; round += 1) {
      const seen = client.of(messageType.wireChunk).length;
      await client.untilCount(messageType.wireChunk, seen + 1);
      client.webSocket?.ping(`ping ${round}`);
      await until(() => client.pongs.length > round);
    }
    expect(client.pongs).toEqual(Array.from({ length: 30 }, (_, round) => `ping ${round}`));
    client.webSocket?.ping();
    await until(() => client.pongs.length === 31);
    expect(client.pongs.at(-1)).toBe('');
    client.close();
  });

  it('is offered neither compression nor a subprotocol', async () => {
    await startTone();
    const socket = connect(server.httpPort, '127.0.0.1');
    socket.write(
      upgradeRequest('/stream', {
        'Sec-WebSocket-Extensions': 'permessage-deflate',
        'Sec-WebSocket-Protocol': 'snap',
      }),
    );
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1.1 101 /);
    expect(data.toString()).not.toMatch(/extensions|protocol:/i);
    socket.destroy();
  });

  it('is heard when its first frame comes together with the upgrade', async () => {
    await startTone();
    const socket = connect(server.httpPort, '127.0.0.1');
    const hello = maskedFrame(0x82, encodeHello(helloOf('eager'), 2));
    socket.write(Buffer.concat([Buffer.from(upgradeRequest('/stream')), hello]));
    socket.resume();
    await until(() => server.log.with('Hello from eager').length === 1);
    socket.destroy();
  });
});

describe('the end of a WebSocket', () => {
  it('is answered when the client closes it, with the code of the client', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    await client.untilCount(messageType.wireChunk, 5);
    client.webSocket?.close(4000, 'enough');
    expect(await client.untilClosed()).toBe(4000);
    await server.untilSessions(0);
    expect(server.log.with('closed by the client')).toHaveLength(1);
    expect(server.log.with('protocol violation')).toHaveLength(0);
  });

  it('is answered when the client closes it without a code', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    client.webSocket?.close();
    expect(await client.untilClosed()).toBe(1005);
    await server.untilSessions(0);
  });

  it.each([
    ['resets', (client: ScriptedClient) => client.socket.resetAndDestroy()],
    ['vanishes', (client: ScriptedClient) => client.socket.destroy()],
    ['says no more', (client: ScriptedClient) => client.socket.end()],
    [
      'vanishes within a frame',
      (client: ScriptedClient) => client.socket.end(Buffer.from('82ff', 'hex')),
    ],
  ])('is noticed when the client %s', async (_, leave) => {
    await startTone();
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    await client.untilCount(messageType.wireChunk, 5);
    leave(client);
    await server.untilSessions(0);
    expect(server.log.with('session closed')).toHaveLength(1);
  });

  it('comes when no Hello does, and says that it is not the fault of the frames', async () => {
    await startTone('tcp-streaming.hello_timeout=150');
    const client = await ScriptedClient.connect(server.httpPort, byWebSocket);
    expect(await client.untilClosed()).toBe(1001);
    expect(server.log.with('no Hello within 150 ms')).toHaveLength(1);
  });

  it('comes with the end of the server', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    await client.untilCount(messageType.wireChunk, 5);
    await server.application.close();
    expect(await client.untilClosed()).toBe(1001);
    await startTone();
  });
});

describe('a violation over WebSocket', () => {
  const time = encodeTimeRequest(1);

  it.each([
    ['a text frame', maskedFrame(0x81, Buffer.from('{}')), 1003, /text frame/],
    ['a frame without a message', maskedFrame(0x82, Buffer.alloc(25)), 1002, /frame of 25 bytes/],
    ['an empty frame', maskedFrame(0x82, Buffer.alloc(0)), 1002, /frame of 0 bytes/],
    ['a frame beyond the limit', frameOfLength(maxFrameBytes + 1), 1009, /Max payload size/],
    ['a frame of absurd length', frameOfLength(2 ** 52), 1009, /Max payload size/],
    ['a frame that is not masked', Buffer.concat([Buffer.from('8222', 'hex'), time]), 1002, /MASK/],
    ['an opcode that does not exist', maskedFrame(0x83, time), 1002, /invalid opcode 3/],
    ['a frame said to be compressed', maskedFrame(0xc2, time), 1002, /RSV1/],
    ['a ping that is too long', maskedFrame(0x89, Buffer.alloc(126)), 1002, /payload length 126/],
    ['random bytes', Buffer.from('HELO this is no WebSocket at all\r\n\r\n'), 1002, /Invalid/],
    ['a plain message', encodeHello(helloOf('plain'), 2), 1002, /Invalid/],
    ['an unknown type', maskedFrame(0x82, Buffer.alloc(26, 0xff)), 1002, /type 65535/],
    [
      'endless fragments',
      Buffer.concat([
        maskedFrame(0x02, Buffer.alloc(1)),
        ...Array.from({ length: 100 }, () => maskedFrame(0x00, Buffer.alloc(1))),
      ]),
      1008,
      /Too many message fragments/,
    ],
  ])('by %s ends that session alone, with one line and a code', async (_, bytes, code, reason) => {
    await startTone();
    const healthy = await ScriptedClient.greet(server.httpPort, 'healthy', byWebSocket);
    const broken = await ScriptedClient.greet(server.httpPort, 'broken', byWebSocket);
    await broken.untilCount(messageType.wireChunk, 2);
    broken.socket.write(bytes);
    expect(await broken.untilClosed()).toBe(code);
    await server.untilSessions(1);
    const lines = server.log.with('protocol violation');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'warn', phrase: 'session closed' });
    expect(lines[0]?.fields.reason).toMatch(reason);
    const seen = healthy.of(messageType.wireChunk).length;
    await healthy.untilCount(messageType.wireChunk, seen + 10);
    healthy.close();
  });

  it('is not what a message of the largest size is that nobody reads', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    client.send(Buffer.alloc(maxFrameBytes));
    client.send(encodeTimeRequest(3));
    await client.untilCount(messageType.time, 1);
    client.close();
  });
});

describe('the HTTP port', () => {
  it('does not hold up the end of the server', async () => {
    await startTone();
    const silent = connect(server.httpPort, '127.0.0.1');
    await once(silent, 'connect');
    const closed = once(silent, 'close');
    silent.resume();
    await server.application.close();
    await closed;
    await startTone();
  });

  it('does not take part when it is disabled', async () => {
    await startTone('http.enabled=false');
    expect(server.httpPort).toBe(0);
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    client.close();
  });

  it('serves alone when streaming over TCP is disabled', async () => {
    await startTone('tcp-streaming.enabled=false');
    const client = await ScriptedClient.greet(server.httpPort, 'a', byWebSocket);
    await client.untilCount(messageType.wireChunk, 1);
    client.close();
  });

  it('ends the start of the server when it is taken, and leaves nothing open', async () => {
    await startTone();
    const { httpPort } = server;
    await expect(TestServer.start(tone, `http.port=${httpPort}`)).rejects.toThrow(
      `[http] cannot listen on 127.0.0.1 port ${httpPort} (EADDRINUSE)`,
    );
  });
});

/** A frame as a client sends it; its mask is 0, so that the payload stays readable. */
function maskedFrame(first: number, payload: Buffer): Buffer {
  const isShort = payload.length < 126;
  const header = Buffer.alloc(isShort ? 6 : 8);
  header[0] = first;
  header[1] = 0x80 | (isShort ? payload.length : 126);
  if (!isShort) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}

/** The beginning of a frame that is said to have `bytes` bytes. */
function frameOfLength(bytes: number): Buffer {
  const header = Buffer.alloc(14 + baseHeaderBytes);
  header[0] = 0x82;
  header[1] = 0xff;
  header.writeBigUInt64BE(BigInt(bytes), 2);
  return header;
}
