import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { messageType } from '../../src/protocol/layout.ts';
import type { PeerKind, RefusalReason } from '../../src/transport/connection-limits.ts';
import { AdmissionRig } from '../support/admission-rig.ts';
import { basic } from '../support/http-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

let server: TestServer | undefined;
const sockets: Socket[] = [];
const webSockets: WebSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const webSocket of webSockets.splice(0)) webSocket.terminate();
  await server?.stop();
  server = undefined;
});

async function start(...settings: string[]): Promise<TestServer> {
  server = await TestServer.start('stream.source=tone:///?name=Tone&codec=pcm', ...settings);
  return server;
}

interface Visitor {
  readonly socket: Socket;
  readonly text: () => string;
  readonly isClosed: () => boolean;
}

async function visit(port: number, say: string | Buffer = ''): Promise<Visitor> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: false });
  sockets.push(socket);
  const heard: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (data) => heard.push(data));
  await once(socket, 'connect');
  socket.write(say);
  return {
    socket,
    text: () => Buffer.concat(heard).toString(),
    isClosed: () => socket.closed,
  };
}

/** A WebSocket, or the status that it was refused with. */
async function upgrade(port: number, path: string): Promise<WebSocket | number> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  webSockets.push(webSocket);
  webSocket.on('error', () => {});
  return new Promise((resolve) => {
    webSocket.once('open', () => resolve(webSocket));
    webSocket.once('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
  });
}

function refusals({ log }: TestServer, phrase: string) {
  return log.with(phrase).map(({ level, fields }) => ({ level, ...fields }));
}

async function counted(
  { httpPort: port }: TestServer,
  reason: RefusalReason,
  localAddress = '127.0.0.1',
): Promise<number> {
  const asking = get({ host: '127.0.0.1', port, path: '/metrics', localAddress, agent: false });
  const [response] = await once(asking, 'response');
  const line = `zerocast_refused_connections_total\\{reason="${reason}"\\} (\\d+)`;
  return Number(new RegExp(line).exec(await text(response))?.[1] ?? 0);
}

describe('one connection more than allowed', () => {
  it.each<[PeerKind, string, (server: TestServer) => number]>([
    ['player', 'max_players', ({ port }) => port],
    ['controller', 'max_controllers', ({ controlPort }) => controlPort],
  ])(
    'of a %s is closed at once, logged with a limiter and counted',
    async (kind, setting, portOf) => {
      const started = await start(`limits.${setting}=2`);
      const first = [await visit(portOf(started)), await visit(portOf(started))];
      const more = [await visit(portOf(started)), await visit(portOf(started))];
      await until(() => more.every(({ isClosed }) => isClosed()));
      expect(more.map(({ text }) => text())).toEqual(['', '']);
      expect(refusals(started, `too many ${kind}s: refused one more`)).toEqual([
        { level: 'warn', address: '127.0.0.1', limit: 2, setting: `[limits] ${setting}` },
      ]);
      expect(await counted(started, kind)).toBe(2);
      expect(first.map(({ isClosed }) => isClosed())).toEqual([false, false]);
      first[0]?.socket.destroy();
      await until(
        () =>
          started.application.server.sessionCount + started.application.control.sessionCount === 1,
      );
      const next = await visit(portOf(started));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(next.isClosed()).toBe(false);
    },
  );

  it.each<[PeerKind, string, string, (server: TestServer) => number]>([
    ['player', '/stream', 'max_players', ({ port }) => port],
    ['controller', '/jsonrpc', 'max_controllers', ({ controlPort }) => controlPort],
  ])('of a %s is refused by 503 as a WebSocket', async (kind, path, setting, portOf) => {
    const started = await start(`limits.${setting}=2`);
    await visit(portOf(started));
    const webSocket = await upgrade(started.httpPort, path);
    expect(webSocket).toBeInstanceOf(WebSocket);
    expect(await upgrade(started.httpPort, path)).toBe(503);
    const late = await visit(portOf(started));
    await until(late.isClosed);
    expect(await counted(started, kind)).toBe(2);
    (webSocket as WebSocket).terminate();
    await until(
      () =>
        started.application.server.sessionCount + started.application.control.sessionCount === 1,
    );
    expect(await upgrade(started.httpPort, path)).toBeInstanceOf(WebSocket);
  });

  it('of HTTP is closed at once, WebSockets included', async () => {
    const started = await start('limits.max_http_connections=2');
    await upgrade(started.httpPort, '/stream');
    await visit(started.httpPort);
    const refused = await visit(started.httpPort, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(refused.isClosed);
    expect(refused.text()).toBe('');
    expect(refusals(started, 'too many HTTP connections: refused one more')).toHaveLength(1);
    // Others are not concerned.
    const player = await ScriptedClient.greet(started.port, 'player');
    await player.untilCount(messageType.wireChunk, 1);
    player.close();
  });

  it('of one address is closed at once, on whichever port', async () => {
    const started = await start(
      'limits.max_connections_per_address=3',
      'tcp-control.bind_to_address=127.0.0.2',
    );
    const { port, controlPort, httpPort } = started;
    for (const each of [port, controlPort, httpPort]) await visit(each);
    for (const each of [port, controlPort, httpPort]) {
      const refused = await visit(each);
      await until(refused.isClosed);
    }
    expect(refusals(started, 'too many connections of one address: refused one more')).toEqual([
      {
        level: 'warn',
        address: '127.0.0.1',
        limit: 3,
        setting: '[limits] max_connections_per_address',
      },
    ]);
    expect(await counted(started, 'address', '127.0.0.3')).toBe(3);
    // Another address is not concerned.
    const other = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.3' });
    sockets.push(other);
    await once(other, 'connect');
    await until(() => started.application.server.sessionCount === 2);
  });

  it('is let in as soon as the limit is another', async () => {
    const rig = new AdmissionRig();
    rig.limits.maxPlayers = 0;
    rig.admission.release();
    const admit = rig.admission.admitFor('player');
    let served = 0;
    const enter = () => {
      const socket = connect(1, '127.0.0.1').on('error', () => {});
      sockets.push(socket);
      admit(socket, () => {
        served += 1;
      });
    };
    enter();
    rig.limits.maxPlayers = 1;
    enter();
    expect(served).toBe(1);
    rig.limits.maxConnectionsPerAddress = 1;
    rig.limits.maxPlayers = 5;
    enter();
    expect(served).toBe(1);
    expect([...rig.admission.refusals]).toEqual([
      ['player', 1],
      ['address', 1],
    ]);
  });
});

describe('a controller that has to log in', () => {
  const settings = [
    'authorization.enabled=true',
    'authorization.role=all:*',
    'authorization.user=ann:secret:all',
  ];
  const login =
    '{"id":1,"jsonrpc":"2.0","method":"Server.Authenticate","params":{"scheme":"Plain","param":"ann:secret"}}';

  it('and does not is closed after a while, whoever does is not', async () => {
    const started = await start(...settings, 'limits.login_timeout=300');
    const silent = await visit(started.controlPort);
    const ann = await visit(started.controlPort, `${login}\r\n`);
    const webSocket = await upgrade(started.httpPort, '/jsonrpc');
    await until(
      () => silent.isClosed() && (webSocket as WebSocket).readyState === WebSocket.CLOSED,
    );
    expect(started.log.with('no login within 300 ms')).toHaveLength(2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(ann.isClosed()).toBe(false);
    expect(ann.text()).toContain('"result":"ok"');
  });

  it('may not say much before, over TCP', async () => {
    const started = await start(...settings);
    const early = await visit(started.controlPort, 'x'.repeat(64 * 1024 + 1));
    await until(early.isClosed);
    expect(early.text()).toContain('a line has at most 65536 bytes');
    const ann = await visit(started.controlPort, `${login}\r\n`);
    await until(() => ann.text().includes('ok'));
    ann.socket.write(`${'x'.repeat(70_000)}\r\n`);
    await until(() => ann.text().includes('Parse error'));
    expect(ann.isClosed()).toBe(false);
  });

  it('may not say much before, by WebSocket', async () => {
    const started = await start(...settings);
    const early = (await upgrade(started.httpPort, '/jsonrpc')) as WebSocket;
    const closed = once(early, 'close');
    early.send('x'.repeat(100_000));
    expect((await closed)[0]).toBe(1009);
    const ann = new WebSocket(`ws://127.0.0.1:${started.httpPort}/jsonrpc`, {
      headers: basic('ann', 'secret'),
    });
    webSockets.push(ann);
    await once(ann, 'open');
    ann.send('x'.repeat(100_000));
    const [answer] = await once(ann, 'message');
    expect(String(answer)).toContain('Parse error');
  });
});

describe('requests that are not complete', () => {
  const half = 'x'.repeat(600_000);

  it('share one memory, whichever way they come, and those without room are closed', async () => {
    const started = await start('limits.max_incomplete_requests=2048');
    const { controlPort, httpPort } = started;
    const idle = await visit(controlPort);
    // A line takes as much as its memory has grown to, which is up to double its length.
    const lines = [await visit(controlPort, half)];
    const webSocket = (await upgrade(httpPort, '/jsonrpc')) as WebSocket;
    webSocket.send(half, { fin: false });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const late = await visit(controlPort, half);
    await until(late.isClosed);
    expect(started.log.with('too many requests are incomplete').length).toBe(1);
    const head = `POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: ${half.length}\r\n\r\n`;
    const post = await visit(httpPort, head + half);
    await until(() => post.isClosed());
    expect(post.text()).toMatch(/^HTTP\/1.1 503 /);
    expect(lines.every(({ isClosed }) => !isClosed())).toBe(true);
    // Whoever sends whole requests is not concerned.
    idle.socket.write('{"id":1,"jsonrpc":"2.0","method":"Server.GetRPCVersion"}\r\n');
    await until(() => idle.text().includes('"major"'));
    // What was begun goes on.
    lines[0]?.socket.write('\r\n');
    await until(() => lines[0]?.text().includes('Parse error') === true);
    webSocket.send('x');
    const [answer] = await once(webSocket, 'message');
    expect(String(answer)).toContain('Parse error');
    const next = await visit(controlPort, `${half}\r\n`);
    await until(() => next.text().includes('Parse error'));
  });
});

describe('the sizes of [limits]', () => {
  it('hold for requests and heads', async () => {
    const { controlPort, httpPort } = await start(
      'limits.max_request=64',
      'limits.max_http_header=4',
    );
    const long = 'x'.repeat(64 * 1024 + 1);
    const line = await visit(controlPort, long);
    await until(line.isClosed);
    expect(line.text()).toContain('a line has at most 65536 bytes');
    const posted = await fetch(`http://127.0.0.1:${httpPort}/jsonrpc`, {
      method: 'POST',
      body: long,
    });
    expect(posted.status).toBe(413);
    const webSocket = (await upgrade(httpPort, '/jsonrpc')) as WebSocket;
    const closed = once(webSocket, 'close');
    webSocket.send(long);
    expect((await closed)[0]).toBe(1009);
    const headers = { 'X-Long': 'x'.repeat(5000) };
    expect((await fetch(`http://127.0.0.1:${httpPort}/healthz`, { headers })).status).toBe(431);
  });
});
