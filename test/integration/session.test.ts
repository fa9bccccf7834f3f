import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { monotonicClock } from '../../src/base/clock.ts';
import { maxHellos } from '../../src/players/session.ts';
import { baseHeaderBytes, messageType } from '../../src/protocol/layout.ts';
import {
  decodeCodecHeader,
  decodeServerSettings,
  decodeTimeLatencyUs,
  decodeWireChunk,
  encodeHello,
  encodeTimeRequest,
  stampSent,
} from '../../src/protocol/messages.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { timestampsOf } from '../support/stream-checks.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm';
let server: TestServer;

afterEach(async () => {
  await server.stop();
});

async function startTone(...settings: string[]): Promise<void> {
  server = await TestServer.start(tone, ...settings);
}

function jsonMessage(type: number, json: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(json));
  const message = Buffer.alloc(baseHeaderBytes + 4 + text.length);
  message.writeUInt16LE(type, 0);
  message.writeUInt32LE(4 + text.length, 22);
  message.writeUInt32LE(text.length, baseHeaderBytes);
  text.copy(message, baseHeaderBytes + 4);
  return message;
}

describe('the connect sequence', () => {
  it('is settings with the id of the Hello, then the codec header, then chunks', async () => {
    await startTone('stream.buffer=742');
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 3);
    const [settings, header, ...chunks] = client.received;
    expect(settings).toMatchObject({ type: messageType.serverSettings, id: 0, refersTo: 2 });
    expect(settings && decodeServerSettings(settings.body)).toEqual({
      bufferMs: 742,
      latencyMs: 0,
      muted: false,
      volume: 100,
    });
    expect(header).toMatchObject({ type: messageType.codecHeader, id: 0, refersTo: 0 });
    expect(header && decodeCodecHeader(header.body).codec).toBe('pcm');
    for (const chunk of chunks) {
      expect(chunk).toMatchObject({ type: messageType.wireChunk, id: 0, refersTo: 0 });
    }
    client.close();
  });

  it('is the last thing that is logged while all goes well', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    const lines = [...server.log.lines];
    client.requestTime(1);
    await client.untilCount(messageType.wireChunk, 100);
    expect(server.log.lines).toEqual(lines);
    client.close();
  });

  it('counts a request for the time as a sign of life', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    const record = server.application.registry.clients.get('a');
    const joinedMs = record?.lastSeenMs ?? 0;
    await until(() => Date.now() > joinedMs);
    await client.untilCount(messageType.wireChunk, 3);
    expect(record?.lastSeenMs).toBe(joinedMs);
    client.requestTime(3);
    await client.untilCount(messageType.time, 1);
    expect(record?.lastSeenMs).toBeGreaterThan(joinedMs);
    client.close();
  });

  it('gives new clients the initial volume', async () => {
    await startTone('streaming_client.initial_volume=33');
    const client = await ScriptedClient.greet(server.port, 'a');
    const [settings] = await client.untilCount(messageType.serverSettings, 1);
    expect(settings && decodeServerSettings(settings.body).volume).toBe(33);
    client.close();
  });

  it('accepts a Hello whose header and body come byte by byte', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    for (const byte of encodeHello(helloOf('a'), 77)) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [settings] = await client.untilCount(messageType.serverSettings, 1);
    expect(settings?.refersTo).toBe(77);
    client.close();
  });

  it('neither looks at credentials that nobody asks for, nor logs them', async () => {
    await startTone();
    const auth = { scheme: 'Basic', param: 'c2VjcmV0' };
    const client = await ScriptedClient.greet(server.port, 'a', { auth });
    await client.untilCount(messageType.wireChunk, 1);
    const { hello } = server.application.registry.clients.get('a') ?? {};
    expect(hello).toEqual(helloOf('a'));
    expect(JSON.stringify(server.log.lines)).not.toContain(auth.param);
    client.close();
  });

  it('accepts a Hello that says almost nothing', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    client.send(jsonMessage(messageType.hello, {}));
    await client.untilCount(messageType.codecHeader, 1);
    client.close();
  });

  it('answers a second Hello on the same connection as if it were the first', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    client.send(encodeHello(helloOf('b'), 9));
    await client.untilCount(messageType.codecHeader, 2);
    const order = client.received.filter(({ type }) => type !== messageType.wireChunk);
    expect(order.map(({ type, refersTo }) => [type, refersTo])).toEqual([
      [3, 2],
      [1, 0],
      [3, 9],
      [1, 0],
    ]);
    client.close();
  });

  it('is not repeated for ever: one Hello too many ends the connection', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    for (let index = 1; index <= maxHellos; index += 1) {
      client.send(encodeHello(helloOf(`id ${index}`), index));
      await client.untilCount(messageType.serverSettings, index);
    }
    client.send(encodeHello(helloOf('one more'), maxHellos + 1));
    await client.untilClosed();
    await server.untilSessions(0);
    expect(server.log.with(`more than ${maxHellos} Hellos`)).toHaveLength(1);
    expect(server.log.with('Hello from')).toHaveLength(maxHellos);
    expect(client.of(messageType.serverSettings)).toHaveLength(maxHellos);
  });

  it('sends settings and waits when no stream exists', async () => {
    server = await TestServer.start('stream.source=file:///does/not/exist?name=x');
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.serverSettings, 1);
    client.requestTime(5);
    await client.untilCount(messageType.time, 1);
    expect(client.received.map(({ type }) => type)).toEqual([3, 4]);
    client.close();
  });
});

describe('a connection without a Hello', () => {
  it('gets answers to Time requests and no audio', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    for (let id = 1; id <= 5; id += 1) client.requestTime(id);
    await client.untilCount(messageType.time, 5);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(client.received.every(({ type }) => type === messageType.time)).toBe(true);
    client.close();
  });

  it('is closed when the deadline has passed, with one line that says why', async () => {
    await startTone('tcp-streaming.hello_timeout=150');
    const client = await ScriptedClient.connect(server.port);
    await client.untilClosed();
    expect(server.log.with('session closed')).toHaveLength(1);
    expect(server.log.with('no Hello within 150 ms')).toHaveLength(1);
  });

  it('is not heard when it reports a volume', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    client.send(jsonMessage(messageType.clientInfo, { volume: 5, muted: true }));
    client.send(encodeHello(helloOf('a'), 2));
    const [settings] = await client.untilCount(messageType.serverSettings, 1);
    expect(settings && decodeServerSettings(settings.body)).toMatchObject({
      volume: 100,
      muted: false,
    });
    client.close();
  });
});

describe('the Time exchange', () => {
  it('repeats the id, and measures with one clock that also stamps the chunks', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    const request = encodeTimeRequest(0x1234);
    stampSent(request, 4_000_000_000);
    client.send(request);
    const [reply] = await client.untilCount(messageType.time, 1);
    if (!reply) throw new Error('no reply');
    expect(reply).toMatchObject({ id: 0x1234, refersTo: 0x1234 });
    const receivedUs = decodeTimeLatencyUs(reply.body) + 4_000_000_000;
    expect(reply.sentUs).toBeGreaterThanOrEqual(receivedUs);
    expect(reply.sentUs - receivedUs).toBeLessThan(1_000_000);
    const newest = client.chunks.at(-1);
    const ageUs = reply.sentUs - (newest ? decodeWireChunk(newest.body).timestampUs : 0);
    expect(ageUs).toBeGreaterThan(0);
    expect(ageUs).toBeLessThan(2_000_000);
    client.close();
  });

  it('writes a negative latency with microseconds from 0 to 999999', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    const request = encodeTimeRequest(1);
    stampSent(request, 2_000_000_000_000_000);
    client.send(request);
    const [reply] = await client.untilCount(messageType.time, 1);
    expect(reply?.body.readInt32LE(0)).toBeLessThan(0);
    expect(reply?.body.readInt32LE(4)).toBeGreaterThanOrEqual(0);
    expect(reply?.body.readInt32LE(4)).toBeLessThan(1_000_000);
    client.close();
  });

  it('fills the field "received", from which browsers take the time', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    const raw: Buffer[] = [];
    client.socket.on('data', (data: Buffer) => raw.push(data));
    client.requestTime(1);
    const [reply] = await client.untilCount(messageType.time, 1);
    const header = Buffer.concat(raw);
    const receivedUs = header.readInt32LE(14) * 1e6 + header.readInt32LE(18);
    expect(receivedUs).toBe(reply && decodeTimeLatencyUs(reply.body));
    client.close();
  });

  it('answers fifty requests back to back, in order', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    client.send(
      Buffer.concat(Array.from({ length: 50 }, (_, index) => encodeTimeRequest(index + 10))),
    );
    const replies = await client.untilCount(messageType.time, 50);
    expect(replies.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, n) => n + 10));
    client.close();
  });

  it('lets replies overtake audio that waits for a slow reader', async () => {
    await startTone('stream.sampleformat=192000:32:8', 'stream.send_interval=0');
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    client.socket.pause();
    const [session] = server.application.server.sessions;
    await until(() => session?.connection.busySinceUs !== undefined, 'the kernel takes no more');
    const busySinceUs = session?.connection.busySinceUs ?? 0;
    const laterUs = busySinceUs + 400_000;
    await until(() => monotonicClock.nowUs() > laterUs, 'more audio waits');
    client.requestTime(1);
    client.socket.resume();
    await client.untilCount(messageType.time, 1);
    await client.until(() => timestampsOf(client).some((time) => time > laterUs), 'audio goes on');
    const position = client.received.findIndex(({ type }) => type === messageType.time);
    const before = client.received.slice(0, position);
    const chunks = before.filter(({ type }) => type === messageType.wireChunk);
    // What the kernel or the write under way had when it was asked, and nothing of what came later.
    expect(chunks.length).toBeGreaterThan(10);
    for (const { body } of chunks) {
      expect(decodeWireChunk(body).timestampUs).toBeLessThanOrEqual(busySinceUs);
    }
    client.close();
  });
});

describe('a client with a mixer of its own', () => {
  it('is remembered by its volume, gets no echo, and no audio while it is muted', async () => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    client.send(jsonMessage(messageType.clientInfo, { volume: 40, muted: true }));
    client.requestTime(1);
    await client.untilCount(messageType.time, 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const silentFrom = client.chunks.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.chunks.length).toBe(silentFrom);
    client.send(jsonMessage(messageType.clientInfo, { volume: 40, muted: false }));
    await client.until(() => client.chunks.length > silentFrom + 10, 'audio resumes');
    expect(client.of(messageType.serverSettings)).toHaveLength(1);
    expect(client.of(messageType.codecHeader)).toHaveLength(1);
    client.close();
    const again = await ScriptedClient.greet(server.port, 'a');
    const [settings] = await again.untilCount(messageType.serverSettings, 1);
    expect(settings && decodeServerSettings(settings.body).volume).toBe(40);
    again.close();
  });

  it('gets audio although it is muted with send_to_muted', async () => {
    await startTone('stream.send_to_muted=true');
    const client = await ScriptedClient.greet(server.port, 'a');
    client.send(jsonMessage(messageType.clientInfo, { volume: 40, muted: true }));
    await client.untilCount(messageType.wireChunk, 60);
    client.close();
  });
});

describe('two connections with one host id', () => {
  it('are two clients when their instances differ', async () => {
    await startTone();
    const first = await ScriptedClient.greet(server.port, 'same');
    const second = await ScriptedClient.greet(server.port, 'same', { instance: 2 });
    await second.untilCount(messageType.wireChunk, 5);
    expect(first.isClosed).toBe(false);
    expect(server.log.with('Hello from same#2')).toHaveLength(1);
    first.close();
    second.close();
  });
});

describe('a violation', () => {
  it.each([
    ['a type that does not exist', Buffer.from(`0900${'00'.repeat(24)}`, 'hex'), /type 9/],
    [
      'a body beyond the limit',
      Buffer.from(`0500${'00'.repeat(20)}ffffffff`, 'hex'),
      /type 5 with 4294967295 bytes/,
    ],
    [
      'a Hello that is no JSON',
      Buffer.from(`0500${'00'.repeat(20)}0500000001000000${'7b'}`, 'hex'),
      /Hello is not JSON/,
    ],
  ])('by %s closes that session alone, with one line', async (_, bytes, reason) => {
    await startTone();
    const healthy = await ScriptedClient.greet(server.port, 'healthy');
    const broken = await ScriptedClient.connect(server.port);
    broken.send(bytes);
    await broken.untilClosed();
    const lines = server.log.with('protocol violation');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'warn', phrase: 'session closed' });
    expect(lines[0]?.fields.reason).toMatch(reason);
    const seen = healthy.chunks.length;
    await healthy.untilCount(messageType.wireChunk, seen + 20);
    healthy.close();
  });

  it.each([0, 1, 2, 3, 6, 8])('is not what an unexpected message of type %i is', async (type) => {
    await startTone();
    const client = await ScriptedClient.greet(server.port, 'a');
    const message = Buffer.alloc(baseHeaderBytes + 1000);
    message.writeUInt16LE(type, 0);
    message.writeUInt32LE(1000, 22);
    client.send(message);
    client.requestTime(3);
    await client.untilCount(messageType.time, 1);
    client.close();
  });
});

describe.runIf(process.platform === 'linux')('a client that says nothing', () => {
  it('is asked by the kernel within seconds whether it still lives', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    client.requestTime(1);
    await client.untilCount(messageType.time, 1);
    await client.until(() => keepAliveTimer(server.port) !== undefined, 'a timer of the kernel');
    // In hundredths of a second; without keepalive there is none, Linux's own default is two hours.
    expect(keepAliveTimer(server.port)).toBeLessThanOrEqual(500);
    client.close();
  });
});

/** Time until the kernel asks, for the established connection at `port`. */
function keepAliveTimer(port: number): number | undefined {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  // Kernel proc_net_tcp.rst: "02" is a timer that is not about retransmission.
  const pattern = new RegExp(` ${local} \\S+ 01 \\S+ 02:([0-9A-F]{8})`);
  const [, when] = pattern.exec(readFileSync('/proc/net/tcp', 'utf8')) ?? [];
  return when === undefined ? undefined : Number.parseInt(when, 16);
}

describe('a client that reads nothing', () => {
  it('is closed after the stall time-out, and costs the others nothing', async () => {
    server = await TestServer.start(
      'stream.source=tone:///?name=Big&codec=pcm&sampleformat=192000:32:8',
      'tcp-streaming.stall_timeout=1000',
    );
    const healthy = await ScriptedClient.greet(server.port, 'healthy');
    const stalled = await ScriptedClient.greet(server.port, 'stalled');
    await stalled.untilCount(messageType.wireChunk, 1);
    stalled.socket.pause();
    await healthy.until(
      () => server.log.with('took no data for 1000 ms').length > 0,
      'closed',
      20_000,
    );
    await server.untilSessions(1);
    const times = healthy.chunks.map(({ body }) => decodeWireChunk(body).timestampUs);
    for (let index = 1; index < times.length; index += 1) {
      expect(Math.abs((times[index] ?? 0) - (times[index - 1] ?? 0) - 20_000)).toBeLessThan(2);
    }
    healthy.close();
    stalled.close();
  });

  it('falls behind alone, and goes on with current audio when it reads again', async () => {
    server = await TestServer.start(
      'stream.source=tone:///?name=Big&codec=pcm&sampleformat=192000:32:8',
      'tcp-streaming.stall_timeout=60000',
      // Clients and server share one thread, which must not look like a late source.
      'stream.buffer=2000',
      'stream.resync_tolerance=1500',
    );
    const { application, port } = server;
    const healthy = await ScriptedClient.greet(port, 'healthy');
    const stalled = await ScriptedClient.greet(port, 'stalled');
    await healthy.untilCount(messageType.wireChunk, 100);
    const sessions = () => [...application.server.sessions];
    const lost = () => sessions().map(({ path }) => path.totals.lostChunks);
    const usedSlots = () => {
      const { totalSlots, availableSlots } = application.pool.statistics;
      return totalSlots - availableSlots;
    };
    const usual = usedSlots();
    stalled.socket.pause();
    await until(() => sessions().some(({ connection }) => connection.busySinceUs !== undefined));
    await healthy.untilCount(messageType.wireChunk, healthy.chunks.length + 100);
    // The ring keeps what it always keeps; a cut message or two wait for the one that is stalled.
    expect(usedSlots()).toBeLessThan(usual + 10);
    stalled.socket.resume();
    const newest = (client: ScriptedClient) =>
      decodeWireChunk(client.chunks.at(-1)?.body ?? Buffer.alloc(0)).timestampUs;
    await stalled.until(
      () => newest(healthy) - newest(stalled) < 500_000,
      'it has caught up',
      20_000,
    );
    expect(lost().filter((chunks) => chunks > 0)).toHaveLength(1);
    expect(sessions()).toHaveLength(2);
    const times = healthy.chunks.map(({ body }) => decodeWireChunk(body).timestampUs);
    for (let index = 1; index < times.length; index += 1) {
      expect(Math.abs((times[index] ?? 0) - (times[index - 1] ?? 0) - 20_000)).toBeLessThan(2);
    }
    healthy.close();
    stalled.close();
  });

  it('is closed when it goes on asking for the time', async () => {
    await startTone();
    const client = await ScriptedClient.connect(server.port);
    client.socket.pause();
    const many = Buffer.concat(Array.from({ length: 2000 }, (_, id) => encodeTimeRequest(id)));
    const isNoticed = () => server.log.with('asks without reading').length > 0;
    for (let round = 0; round < 2000 && !isNoticed(); round += 1) {
      client.send(many);
      await pause(1);
    }
    expect(server.log.with('asks without reading')).toHaveLength(1);
    client.close();
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
