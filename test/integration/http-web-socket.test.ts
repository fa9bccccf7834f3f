import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import type { Login } from '../../src/auth/access.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import type { HttpServerOptions } from '../../src/http/http-server.ts';
import { LiveServer } from '../../src/live/live-server.ts';
import { controlLimits } from '../support/control-limits.ts';
import { basic, closedAccess, HttpRig, upgradeRequest } from '../support/http-rig.ts';
import { LogLines } from '../support/log-lines.ts';
import { until } from '../support/waiting.ts';

const { maxRequestBytes: maxBodyBytes } = controlLimits;

let rig: HttpRig;
const clients: WebSocket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await rig.close();
});

async function start(options: Partial<HttpServerOptions> = {}): Promise<void> {
  rig = await HttpRig.open(options);
}

function dial(path: string, headers: ClientOptions['headers'] = {}): WebSocket {
  const client = new WebSocket(`ws://127.0.0.1:${rig.port}${path}`, { headers });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

/** 101 when the connection became a WebSocket, else the status of the refusal. */
async function statusOf(path: string, headers: ClientOptions['headers'] = {}): Promise<number> {
  const client = dial(path, headers);
  return new Promise((resolve) => {
    client.on('open', () => resolve(101));
    client.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
  });
}

describe('an upgrade', () => {
  it.each(['/stream', '/stream?x=1'])('of %s becomes a link', async (path) => {
    await start();
    expect(await statusOf(path)).toBe(101);
    expect(rig.links).toMatchObject([{ framing: 'websocket' }]);
    expect(rig.sessions).toHaveLength(0);
  });

  it.each(['/jsonrpc', '/jsonrpc?x=1'])('of %s becomes a control session', async (path) => {
    await start();
    expect(await statusOf(path)).toBe(101);
    expect(rig.sessions).toMatchObject([
      { peer: { transport: 'WebSocket', remoteAddress: '127.0.0.1' } },
    ]);
    expect(rig.sessions[0]?.login).toBeUndefined();
    expect(rig.links).toHaveLength(0);
  });

  it('is not waited for without end while its login is looked at', async () => {
    await start({ access: { anonymous: undefined, login: () => new Promise(() => {}) } });
    const client = dial('/jsonrpc', basic('ann', 'pw'));
    const startMs = performance.now();
    let endMs = 0;
    client.on('close', () => {
      endMs = performance.now();
    });
    await until(() => endMs > 0);
    expect(endMs - startMs).toBeGreaterThan(4000);
  });

  it.each(['/jsonrpc', '/live'])(
    'of %s is refused if the server has stopped meanwhile',
    async (path) => {
      let logIn = (_login: Login) => {};
      const login = new Promise<Login>((resolve) => {
        logIn = resolve;
      });
      let asked = 0;
      const access = {
        anonymous: undefined,
        login: () => {
          asked += 1;
          return login;
        },
      };
      const live = new LiveServer({
        access,
        topics: [],
        clock: monotonicClock,
        logger: new LogLines(),
        settings: () => ({ loginTimeoutMs: 5000 }),
      });
      await start({ access, live: async () => live });
      const status = statusOf(path, basic('ann', 'pw'));
      await until(() => asked === 1);
      const closed = rig.server.close();
      logIn({ user: 'ann', permits: () => true });
      expect(await status).toBe(503);
      await closed;
      expect([rig.sessions.length, live.sessionCount]).toEqual([0, 0]);
    },
  );

  it.each(['/', '/jsonrpc/', '/stream/', '/STREAM', '//stream', '/%73tream', '/healthz'])(
    'of %s is refused',
    async (path) => {
      await start();
      const answer = await rig.exchange(upgradeRequest(path));
      expect(answer).toMatch(/^HTTP\/1.1 404 Not Found\r\n/);
      expect(answer).toMatch(/\r\nConnection: close\r\n/);
      expect(answer.endsWith(`\r\n\r\nThe resource '${path}' was not found.`)).toBe(true);
      expect(rig.links.length + rig.sessions.length).toBe(0);
    },
  );

  it.each([
    ['without a key', { 'Sec-WebSocket-Key': 'short' }],
    ['to something else', { Upgrade: 'h2c' }],
    ['of another version', { 'Sec-WebSocket-Version': '7' }],
  ])('%s is refused', async (_, headers) => {
    await start();
    for (const path of ['/stream', '/jsonrpc']) {
      expect(await rig.exchange(upgradeRequest(path, headers))).toMatch(/^HTTP\/1.1 400 /);
    }
    expect(rig.links.length + rig.sessions.length).toBe(0);
  });

  it.each(['/stream', '/jsonrpc'])('of %s agrees on no extras', async (path) => {
    await start();
    const socket = connect(rig.port, '127.0.0.1');
    const extras = {
      'Sec-WebSocket-Extensions': 'permessage-deflate',
      'Sec-WebSocket-Protocol': 'snap',
    };
    socket.write(upgradeRequest(path, extras));
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1.1 101 /);
    expect(data.toString()).not.toMatch(/extensions|protocol:/i);
    socket.destroy();
  });

  it.each(['/stream', '/jsonrpc'])('of %s is not for pages of others', async (path) => {
    await start({ settings: () => ({ allowedOrigins: ['http://mopidy:6680'] }) });
    expect(await statusOf(path, { Origin: 'http://evil.example' })).toBe(403);
    expect(await statusOf(path, { Origin: 'null' })).toBe(403);
    expect(await statusOf(path, { Origin: 'http://mopidy:6680' })).toBe(101);
    expect(await statusOf(path, { Origin: `http://127.0.0.1:8123` })).toBe(101);
    const answer = await rig.exchange(upgradeRequest(path, { Origin: 'http://evil.example' }));
    expect(answer).toContain('add the origin to [http] allowed_origin');
  });

  it('may follow another request on the same connection', async () => {
    await start();
    const socket = connect(rig.port, '127.0.0.1');
    for (let turn = 0; turn < 3; turn += 1) {
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 200 /);
    }
    socket.write(upgradeRequest('/stream'));
    expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 101 /);
    expect(rig.links).toHaveLength(1);
    socket.destroy();
  });

  it('ends the connection when an answer before it is not complete', async () => {
    await start();
    rig.reply = () => new Promise(() => {});
    const request = 'POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    expect(await rig.exchange(request + upgradeRequest('/stream'))).toBe('');
    expect(rig.links).toHaveLength(0);
  });

  it('ends the connection when it is refused behind an answer of Node itself', async () => {
    await start();
    const request = 'GET / HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\n\r\n';
    expect(await rig.exchange(request + upgradeRequest('/nope'))).not.toContain('404');
    expect(await statusOf('/stream')).toBe(101);
  });

  it('keeps what came with it for the control session', async () => {
    await start();
    const frame = Buffer.concat([Buffer.from('818200000000', 'hex'), Buffer.from('{}')]);
    const socket = connect(rig.port, '127.0.0.1');
    socket.write(Buffer.concat([Buffer.from(upgradeRequest('/jsonrpc')), frame]));
    await until(() => rig.sessions[0]?.texts.length === 1);
    expect(rig.sessions[0]?.texts).toEqual(['{}']);
    socket.destroy();
  });
});

describe('a login by the upgrade', () => {
  it('makes a session of the user', async () => {
    await start({ access: await closedAccess() });
    expect(await statusOf('/jsonrpc', basic('ann', 'secret'))).toBe(101);
    expect(rig.sessions[0]?.login?.user).toBe('ann');
  });

  it('may come later', async () => {
    await start({ access: await closedAccess() });
    expect(await statusOf('/jsonrpc')).toBe(101);
    expect(rig.sessions).toMatchObject([{ login: undefined }]);
  });

  it('that is wrong is refused', async () => {
    await start({ access: await closedAccess() });
    expect(await statusOf('/jsonrpc', basic('ann', 'wrong'))).toBe(401);
    expect(rig.sessions).toHaveLength(0);
    expect(rig.log.with('login refused')).toHaveLength(1);
  });

  it('is no matter of players, who log in by their Hello', async () => {
    await start({ access: await closedAccess() });
    expect(await statusOf('/stream', basic('ann', 'wrong'))).toBe(101);
  });

  it('loses nothing of what comes while it is checked', async () => {
    await start({ access: await closedAccess() });
    const frame = Buffer.concat([Buffer.from('818200000000', 'hex'), Buffer.from('{}')]);
    const socket = connect(rig.port, '127.0.0.1');
    const head = upgradeRequest('/jsonrpc', {
      Authorization: String(basic('ann', 'secret').Authorization),
    });
    socket.write(Buffer.concat([Buffer.from(head), frame]));
    socket.write(frame);
    await until(() => rig.sessions[0]?.texts.length === 2);
    expect(rig.sessions[0]?.login?.user).toBe('ann');
    socket.destroy();
  });

  it('is not waited for at the end of the server', async () => {
    let release: () => void = () => {};
    const checked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const access = await closedAccess();
    const slow = {
      ...access,
      login: () => checked.then(() => access.login({ scheme: 'plain', param: 'ann:secret' })),
    };
    await start({ access: slow });
    const answer = rig.exchange(upgradeRequest('/jsonrpc', { Authorization: 'Plain x' }));
    await once(dial('/stream'), 'open');
    await rig.server.close();
    release();
    expect(await answer).toMatch(/^HTTP\/1.1 503 /);
    expect(rig.sessions).toHaveLength(0);
  });
});

describe('a control session over WebSocket', () => {
  it('takes a text of the largest size, and not one byte more', async () => {
    await start();
    const client = dial('/jsonrpc');
    await once(client, 'open');
    const texts = rig.sessions[0]?.texts ?? [];
    client.send(`"${'x'.repeat(maxBodyBytes - 2)}"`);
    await until(() => texts.length === 1);
    expect(texts[0]).toHaveLength(maxBodyBytes);
    client.send(`"${'x'.repeat(maxBodyBytes - 1)}"`);
    const [code] = await once(client, 'close');
    expect(code).toBe(1009);
  });

  it('answers pings', async () => {
    await start();
    const client = dial('/jsonrpc');
    await once(client, 'open');
    client.ping('are you there');
    expect(String((await once(client, 'pong'))[0])).toBe('are you there');
  });

  it('does not gather pongs for who does not read', async () => {
    await start();
    const socket = connect(rig.port, '127.0.0.1');
    socket.write(upgradeRequest('/jsonrpc'));
    await once(socket, 'data');
    socket.pause();
    // Each is a masked frame of 131 bytes.
    const pings = Buffer.concat(
      Array(1000).fill(Buffer.alloc(131, '89fd00000000', 'hex').fill(0, 6)),
    );
    let mostBytes = 0;
    for (let round = 0; round < 200; round += 1) {
      socket.write(pings);
      await until(() => socket.writableLength === 0);
      mostBytes = Math.max(mostBytes, rig.sessions[0]?.peer.queuedBytes ?? 0);
    }
    expect(mostBytes).toBeGreaterThan(0);
    expect(mostBytes).toBeLessThan(100 * 1024);
    socket.destroy();
  });
});

describe('the end of the server', () => {
  it('leaves the WebSockets to their owners', async () => {
    await start();
    const stream = dial('/stream');
    const control = dial('/jsonrpc');
    await Promise.all([once(stream, 'open'), once(control, 'open')]);
    await rig.server.close();
    const pong = once(control, 'pong');
    control.ping();
    await pong;
    expect(stream.readyState).toBe(WebSocket.OPEN);
  });

  it('refuses what comes later', async () => {
    await start();
    const socket = connect(rig.port, '127.0.0.1');
    await once(socket, 'connect');
    const closing = rig.server.close();
    socket.on('error', () => {});
    socket.write(upgradeRequest('/stream'));
    expect(await text(socket).catch(() => '')).toBe('');
    await closing;
    expect(rig.links).toHaveLength(0);
  });
});
