import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type Server } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { maxWaitingRequests } from '../../src/http/answer-queue.ts';
import { metricsAgeMs } from '../../src/http/metrics-route.ts';
import { maxImageBytes } from '../../src/streams/image-store.ts';
import { controlLimits } from '../support/control-limits.ts';
import { FakeTime } from '../support/fake-time.ts';
import { basic, closedAccess, HttpRig, WebFolder } from '../support/http-rig.ts';
import { until } from '../support/waiting.ts';

const { maxRequestBytes: maxBodyBytes } = controlLimits;

let rig: HttpRig;

afterEach(() => {
  vi.useRealTimers();
  return rig.close();
});

const evil = { Origin: 'http://evil.example', Host: 'box:1780' };
const post = 'POST /jsonrpc HTTP/1.1\r\nHost: x\r\n';
const health = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

describe('POST /jsonrpc', () => {
  it('answers with the reply, once', async () => {
    rig = await HttpRig.open();
    const answer = await rig.exchange(`${post}Content-Length: 2\r\nConnection: close\r\n\r\n{}`);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\n\{"reply":true\}$/);
    expect(answer).toMatch(/content-type: application\/json\r\n/i);
    expect(answer).toMatch(/server: zerocast\r\n/i);
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
    expect(rig.requests).toMatchObject([{ text: '{}', caller: { remoteAddress: '127.0.0.1' } }]);
  });

  it.each([undefined, 'application/x-www-form-urlencoded', 'text/plain', 'nonsense'])(
    'does not care for the content type %s',
    async (type) => {
      rig = await HttpRig.open();
      const answer = await rig.post('{"é":1}', type === undefined ? {} : { 'Content-Type': type });
      expect(answer).toMatchObject({ status: 200, text: '{"reply":true}' });
      expect(rig.requests[0]?.text).toBe('{"é":1}');
    },
  );

  it('answers with nothing when there is no reply', async () => {
    rig = await HttpRig.open();
    rig.reply = () => undefined;
    const answer = await rig.post('{}');
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(answer.headers['content-length']).toBe('0');
  });

  it('waits for a reply that takes longer, in the order of the requests', async () => {
    rig = await HttpRig.open();
    const waiting: ((reply: string) => void)[] = [];
    rig.reply = () => new Promise((resolve) => waiting.push(resolve));
    const answers = rig.exchange(
      `${post}Content-Length: 1\r\n\r\n1${post}Content-Length: 1\r\nConnection: close\r\n\r\n2`,
    );
    await until(() => rig.requests.length === 1);
    // The next one has its turn when the one before is answered.
    waiting[0]?.('first');
    await until(() => rig.requests.length === 2);
    waiting[1]?.('second');
    expect(await answers).toMatch(/first[\s\S]*second$/);
    expect(rig.requests.map((one) => one.text)).toEqual(['1', '2']);
  });

  it('gives each request a caller of its own', async () => {
    rig = await HttpRig.open();
    await rig.post('1');
    await rig.post('2');
    expect(rig.requests[0]?.caller).not.toBe(rig.requests[1]?.caller);
  });

  it('takes a body of the largest size, and not one byte more', async () => {
    rig = await HttpRig.open();
    expect(await rig.post(Buffer.alloc(maxBodyBytes, 0x20))).toMatchObject({ status: 200 });
    expect(rig.requests[0]?.text).toHaveLength(maxBodyBytes);
    const answer = await rig.post(Buffer.alloc(maxBodyBytes + 1, 0x20));
    expect(answer.status).toBe(413);
    expect(answer.text).toBe('The body is longer than 1048576 bytes: split the request');
    expect(answer.headers.connection).toBe('close');
    expect(rig.requests).toHaveLength(1);
  });

  it('takes a body that comes in pieces', async () => {
    rig = await HttpRig.open();
    const pieces = Array.from({ length: 20_000 }, (_, index) => `1\r\n${index % 10}\r\n`).join('');
    const head = `${post}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    expect(await rig.exchange(`${head}${pieces}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(rig.requests[0]?.text).toBe('0123456789'.repeat(2000));
  });

  it('says that a body is too long before it is sent', async () => {
    rig = await HttpRig.open();
    const head = `${post}Expect: 100-continue\r\nContent-Length: ${maxBodyBytes + 1}\r\n\r\n`;
    expect(await rig.exchange(head)).toMatch(/^HTTP\/1.1 413 /);
  });

  it.each([2, maxBodyBytes])(
    'lets a client go on that asks before it sends %d bytes',
    async (bytes) => {
      rig = await HttpRig.open();
      const socket = connect(rig.port, '127.0.0.1');
      const head = `${post}Expect: 100-continue\r\nConnection: close`;
      socket.write(`${head}\r\nContent-Length: ${bytes}\r\n\r\n`);
      const [interim] = (await once(socket, 'data')) as [Buffer];
      expect(interim.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      socket.write('x'.repeat(bytes));
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
    },
  );

  it('ends a connection whose body does not come', async () => {
    rig = await HttpRig.open();
    expect(await rig.exchange(`${post}Content-Length: 9\r\n\r\n{`)).toMatch(/^(HTTP\/1.1 408 |$)/);
    expect(rig.requests).toHaveLength(0);
    expect(rig.log.lines).toEqual([]);
  });

  it('holds only so much of bodies that are not complete', async () => {
    rig = await HttpRig.open();
    const head = `${post}Connection: close\r\nContent-Length: ${maxBodyBytes}\r\n\r\n`;
    const sockets = Array.from({ length: 16 }, () => connect(rig.port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.write(head);
      socket.write(Buffer.alloc(maxBodyBytes - 1, 0x20));
    }
    let answer = await rig.post('{}');
    // Until the server has read what it can.
    while (answer.status === 200) answer = await rig.post('{}');
    expect(answer).toMatchObject({ status: 503, text: expect.stringMatching(/try again$/) });
    rig.requests.length = 0;
    const answers = sockets.map((socket) => text(socket.end(' ')));
    for (const one of await Promise.all(answers)) expect(one).toMatch(/^HTTP\/1.1 200 /);
    expect(rig.requests).toHaveLength(16);
    expect(await rig.post('{}')).toMatchObject({ status: 200 });
  });

  it('says so when the answer fails, and goes on', async () => {
    rig = await HttpRig.open();
    rig.reply = () => Promise.reject(new Error('broken'));
    expect(await rig.post('{}')).toMatchObject({
      status: 500,
      text: "An error occurred: 'broken'",
    });
    expect(rig.log.with('could not be answered')).toMatchObject([{ level: 'error' }]);
    rig.reply = () => 'well';
    expect(await rig.post('{}')).toMatchObject({ status: 200, text: 'well' });
  });

  it('is no matter of pages of others', async () => {
    rig = await HttpRig.open();
    const answer = await rig.post('{}', evil);
    expect(answer.status).toBe(403);
    expect(answer.text).toContain('[http] allowed_origin');
    expect(rig.requests).toHaveLength(0);
  });

  it('may be read by pages that are allowed', async () => {
    rig = await HttpRig.open({ settings: () => ({ allowedOrigins: ['http://evil.example'] }) });
    const asked = await rig.ask({ path: '/jsonrpc', method: 'OPTIONS', headers: evil });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': 'http://evil.example',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'Authorization, Content-Type',
      vary: 'Origin',
    });
    const answer = await rig.post('{}', evil);
    expect(answer.headers['access-control-allow-origin']).toBe('http://evil.example');
  });

  it('is not offered to pages of others when they ask before', async () => {
    rig = await HttpRig.open();
    const asked = await rig.ask({ path: '/jsonrpc', method: 'OPTIONS', headers: evil });
    expect(asked.status).toBe(403);
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('POST /jsonrpc with a login', () => {
  it('asks for one', async () => {
    rig = await HttpRig.open({ access: await closedAccess() });
    const answer = await rig.post('{}');
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm="Zerocast"/);
    expect(rig.requests).toHaveLength(0);
  });

  it('lets in who shows one, as the user', async () => {
    rig = await HttpRig.open({ access: await closedAccess() });
    expect(await rig.post('{}', basic('ann', 'secret'))).toMatchObject({ status: 200 });
    expect(rig.requests[0]?.caller.login?.user).toBe('ann');
    expect(await rig.post('{}', { Authorization: 'plain ben:secret' })).toMatchObject({
      status: 200,
    });
    expect(rig.requests[1]?.caller.login?.user).toBe('ben');
  });

  it.each([
    ['a wrong password', basic('ann', 'wrong').Authorization],
    ['an unknown user', basic('eve', 'secret').Authorization],
    ['an unknown scheme', 'Digest username="ann"'],
    ['a scheme alone', 'Basic'],
    ['nothing', ''],
    ['rubbish', 'Basic ÿÿÿÿ'],
  ])('refuses %s, and says in the log who it was, but no secret', async (_, authorization) => {
    rig = await HttpRig.open({ access: await closedAccess() });
    const answer = await rig.post('{}', { Authorization: authorization as string });
    expect(answer.status).toBe(401);
    expect(answer.headers).toHaveProperty('www-authenticate');
    expect(rig.requests).toHaveLength(0);
    expect(rig.log.with('login refused')).toMatchObject([
      { level: 'warn', fields: { remoteAddress: '127.0.0.1' } },
    ]);
    expect(JSON.stringify(rig.log.lines)).not.toMatch(/wrong"|secret|\beve\b/);
  });

  it('does not look at the credentials of a proxy when nobody needs any', async () => {
    rig = await HttpRig.open();
    expect(await rig.post('{}', { Authorization: 'Digest x' })).toMatchObject({ status: 200 });
  });
});

describe('other requests', () => {
  it.each([
    ['GET', '/healthz', 200, 'ok'],
    ['GET', '/healthz?x=1', 200, 'ok'],
    ['HEAD', '/healthz', 200, ''],
    ['POST', '/healthz', 404, "The resource '/healthz' was not found."],
    ['POST', '/', 404, "The resource '/' was not found."],
    ['POST', '/jsonrpc/', 404, "The resource '/jsonrpc/' was not found."],
    ['GET', '/metrics', 404, "The resource '/metrics' was not found."],
    ['GET', '/a?<b>', 404, "The resource '/a?<b>' was not found."],
    ['GET', '/jsonrpc/', 404, "The resource '/jsonrpc/' was not found."],
    ['GET', '/stream', 426, 'This is audio by WebSocket: ask for an upgrade'],
    ['GET', '*', 400, 'Illegal request-target'],
  ])('%s %s is answered %i', async (method, path, status, body) => {
    rig = await HttpRig.open();
    const answer = await rig.ask({ method, path });
    expect(answer).toMatchObject({ status, text: body });
    expect(answer.headers).toMatchObject({
      server: 'Zerocast',
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
  });

  it.each([
    ['PUT', '/', 405, 'GET, HEAD, POST, OPTIONS'],
    ['DELETE', '/jsonrpc', 405, 'GET, HEAD, POST, OPTIONS'],
    ['GET', '/jsonrpc', 405, 'POST, OPTIONS'],
    ['OPTIONS', '/', 204, 'GET, HEAD, OPTIONS'],
  ])('%s %s is answered %i with what is allowed', async (method, path, status, allow) => {
    rig = await HttpRig.open();
    const answer = await rig.ask({ method, path });
    expect(answer.status).toBe(status);
    expect(answer.headers.allow).toBe(allow);
  });

  it('are answered by the built-in page, which may load nothing from elsewhere', async () => {
    rig = await HttpRig.open();
    const page = await rig.get('/');
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('<div id="app">') });
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-security-policy': expect.stringMatching(/^default-src 'none'; script-src 'self' /),
      'referrer-policy': 'no-referrer',
    });
    const [, script = ''] = /src="\.(\/assets\/[^"]+\.js)"/.exec(page.text) ?? [];
    const asset = await rig.get(script);
    expect(asset).toMatchObject({ status: 200, headers: { 'x-content-type-options': 'nosniff' } });
    expect(asset.headers['cache-control']).toContain('immutable');
    expect(await rig.get('/assets/none.js')).toMatchObject({ status: 404 });
    expect(rig.log.lines).toEqual([]);
  });

  it.each(['/no/such/folder', import.meta.filename])(
    'are answered by that page when the folder is %s, with one warning',
    async (docRoot) => {
      rig = await HttpRig.open({ docRoot });
      expect((await rig.get('/')).text).toContain('<div id="app">');
      expect(rig.log.lines).toHaveLength(1);
      expect(rig.log.lines[0]).toMatchObject({ level: 'warn', fields: { docRoot } });
    },
  );

  it('are none where they are switched off, unless there is a folder of them', async () => {
    rig = await HttpRig.open({ web: false });
    expect(await rig.get('/')).toMatchObject({
      status: 404,
      text: 'The web page is switched off: set web = true in [http]',
    });
    expect(await rig.get('/assets/main.js')).toMatchObject({ status: 404 });
    const folder = await WebFolder.make({});
    (await rig.server.prepare({ docRoot: folder.docRoot, web: false }))();
    expect((await rig.get('/')).text).toContain('index');
    await folder.remove();
  });

  it('get figures when they ask for them', async () => {
    const figures = 'figure 1\n'.repeat(1000);
    rig = await HttpRig.open({ metrics: { contentType: 'text/x', text: async () => figures } });
    const answer = await rig.get('/metrics');
    expect(answer).toMatchObject({ status: 200, text: figures });
    expect(answer.headers['content-type']).toBe('text/x');
    const packed = await rig.get('/metrics', { 'Accept-Encoding': 'gzip' });
    expect(gunzipSync(packed.body).toString()).toBe(figures);
  });

  it('get figures that are measured once for all who ask at about the same time', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      let measured = 0;
      const text = async () => String(++measured);
      rig = await HttpRig.open({ metrics: { contentType: 'text/plain', text } });
      const asked = async () => (await rig?.get('/metrics'))?.text;
      expect([await asked(), await asked()]).toEqual(['1', '1']);
      vi.advanceTimersByTime(metricsAgeMs);
      expect([await asked(), await asked()]).toEqual(['2', '2']);
      (await rig.server.prepare({ docRoot: '', web: true }))();
      expect(await asked()).toBe('3');
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([
    ['nobody', {}, 401],
    ['who may not', basic('ben', 'secret'), 403],
    ['who may', basic('ann', 'secret'), 200],
  ])('of %s get figures only as far as the role permits', async (_, headers, status) => {
    const metrics = { contentType: 'text/plain', text: async () => '1' };
    rig = await HttpRig.open({ access: await closedAccess(), metrics });
    expect(await rig.get('/metrics', headers)).toMatchObject({ status });
    // These are for everybody.
    expect(await rig.get('/healthz')).toMatchObject({ status: 200 });
    expect(await rig.get('/')).toMatchObject({ status: 200 });
  });

  it('get cover art by its name', async () => {
    rig = await HttpRig.open();
    const bytes = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const name = rig.images.put('Radio', { bytes, extension: 'svg' });
    const answer = await rig.get(`/__image_cache?name=${name}`);
    expect(answer).toMatchObject({ status: 200, body: bytes });
    expect(answer.headers).toMatchObject({
      'content-type': 'image/svg+xml',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-security-policy': "default-src 'none'",
      'x-content-type-options': 'nosniff',
    });
    const head = await rig.ask({ method: 'HEAD', path: `/__image_cache?name=${name}` });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe(String(bytes.length));
  });

  it.each(['', '?', '?name=', '?name=none.png', '?name=../index.html', '?x=1'])(
    'get no cover art for "%s"',
    async (query) => {
      rig = await HttpRig.open();
      rig.images.put('Radio', { bytes: Buffer.from('x'), extension: 'png' });
      expect(await rig.get(`/__image_cache${query}`)).toMatchObject({ status: 404 });
    },
  );
});

describe('a connection', () => {
  it('serves one request after the other', async () => {
    rig = await HttpRig.open();
    let connections = 0;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; turn < 5; turn += 1) {
      const asked = request({ host: '127.0.0.1', port: rig.port, path: '/healthz', agent }).end();
      asked.on('socket', (socket) => {
        if (socket.connecting) connections += 1;
      });
      const [response] = await once(asked, 'response');
      expect(await text(response)).toBe('ok');
    }
    expect(connections).toBe(1);
    agent.destroy();
  });

  it('is answered for each of many requests that come at once', async () => {
    rig = await HttpRig.open();
    const last = health.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    const answers = await rig.exchange(health.repeat(maxWaitingRequests - 1) + last);
    expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(maxWaitingRequests);
    expect(answers.match(/\r\n\r\nok/g)).toHaveLength(maxWaitingRequests);
  });

  it('ends when more requests wait than anybody needs, and what is behind is not even parsed', async () => {
    rig = await HttpRig.open();
    let parsed = 0;
    const count = () => {
      parsed += 1;
    };
    subscribe('http.server.request.start', count);
    try {
      // A few packets: what one read brings is handed on at once.
      expect(await rig.exchange(health.repeat(1000))).not.toContain('HTTP/1.1 503');
      expect(parsed).toBeLessThanOrEqual(2 * maxWaitingRequests);
    } finally {
      unsubscribe('http.server.request.start', count);
    }
    expect((await rig.get('/healthz')).status).toBe(200);
  });

  it('gets nothing more after a thousand requests', async () => {
    rig = await HttpRig.open();
    const socket = connect(rig.port, '127.0.0.1');
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
    });
    for (let asked = 0; asked < 1000; asked += 10) {
      socket.write(health.repeat(10));
      await until(() => answers.split('HTTP/1.1 200 OK').length > asked + 10);
    }
    socket.write(health);
    await until(() => answers.includes('HTTP/1.1 503 '));
    expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(1000);
    expect(answers.match(/Connection: close/g)).toHaveLength(2);
    socket.destroy();
  });

  it('that asks nothing more ends, after a while', async () => {
    rig = await HttpRig.open();
    const socket = connect(rig.port, '127.0.0.1');
    socket.write(health);
    await once(socket, 'data');
    const answeredMs = performance.now();
    await once(socket, 'close');
    expect(performance.now() - answeredMs).toBeGreaterThan(4000);
    expect(performance.now() - answeredMs).toBeLessThan(25_000);
  });

  it('that takes nothing of its answer has half a minute, and ends then', async () => {
    rig = await HttpRig.open();
    const name = rig.images.put('Radio', { bytes: Buffer.alloc(maxImageBytes), extension: 'png' });
    const started: { request: IncomingMessage; server: Server }[] = [];
    const onStart = (message: unknown) => started.push(message as (typeof started)[number]);
    subscribe('http.server.request.start', onStart);
    const client = connect(rig.port, '127.0.0.1');
    client.write(`GET /__image_cache?name=${name} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(8));
    await until(() => (started[0]?.request.socket.writableLength ?? 0) > 0);
    unsubscribe('http.server.request.start', onStart);
    const [{ request, server } = expect.unreachable()] = started;
    const { socket } = request;
    expect(socket.timeout).toBe(30_000);
    expect(server).toMatchObject({
      headersTimeout: 5000,
      requestTimeout: 600_000,
      keepAliveTimeout: 5000,
    });
    // The same, sooner.
    const closed = once(socket, 'close');
    socket.setTimeout(50);
    await closed;
    client.destroy();
  });

  it.each([
    ['garbage', 'HELO\r\n\r\n', /^HTTP\/1.1 400 /],
    ['endless headers', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, /^HTTP\/1.1 431 /],
    ['half a request', 'GET /healthz HTTP/1.1\r\nHost: x\r\n', /^HTTP\/1.1 408 /],
    ['a tunnel', 'CONNECT evil:80 HTTP/1.1\r\nHost: evil\r\n\r\n', /^$/],
  ])('with %s ends', async (_, bytes, status) => {
    rig = await HttpRig.open();
    expect(await rig.exchange(bytes)).toMatch(status);
  });
});

/** Fails when the connection had time to be closed for its silence, after five seconds. */
async function soonerThanItsOwnEnd(event: Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  await event;
  expect(performance.now() - startMs).toBeLessThan(4000);
}

describe('the end of the server', () => {
  it.each([
    ['says nothing', ''],
    ['waits for its next request', health],
    ['is amid a request', 'GET / HTTP/1.1\r\n'],
  ])('does not wait for a connection that %s', async (_, bytes) => {
    rig = await HttpRig.open();
    const socket = connect(rig.port, '127.0.0.1');
    await once(socket, 'connect');
    if (bytes) socket.write(bytes);
    if (bytes === health) await once(socket, 'data');
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.resume().once('close', resolve));
    await soonerThanItsOwnEnd(rig.server.close());
    await soonerThanItsOwnEnd(closed);
  });

  it('gives an answer that has begun its time', async () => {
    rig = await HttpRig.open();
    let tell: (reply: string) => void = () => {};
    rig.reply = () =>
      new Promise((resolve) => {
        tell = resolve;
      });
    const answer = rig.post('{}');
    await until(() => rig.requests.length === 1);
    const closed = rig.server.close();
    tell('late');
    expect(await answer).toMatchObject({ status: 200, text: 'late' });
    await closed;
  });

  it('does not wait for an answer that never comes', async () => {
    rig = await HttpRig.open();
    rig.reply = () => new Promise(() => {});
    const answer = rig.post('{}').catch((error: Error) => error.message);
    await until(() => rig.requests.length === 1);
    const time = FakeTime.install();
    let isClosed = false;
    void rig.server.close().then(() => {
      isClosed = true;
    });
    await time.until(() => time.timers === 1, 'only the answer is waited for');
    await time.pass(499);
    expect(isClosed).toBe(false);
    await time.pass(1);
    expect(isClosed).toBe(true);
    expect(await answer).toMatch(/socket hang up|ECONNRESET/);
  });
});
