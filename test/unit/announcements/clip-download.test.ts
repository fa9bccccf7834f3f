import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Arrival } from '../../../src/announcements/arriving-sound.ts';
import { maxDownloadBytes, openDownload } from '../../../src/announcements/clip-download.ts';
import { AddressRules } from '../../../src/base/net/address-rules.ts';

const servers: Server[] = [];
const never = new AbortController().signal;

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A web server on this machine; returns its port. */
async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Fetches all of it, as an announcement would. */
async function fetchAll(
  url: string,
  { allowed = ['127.0.0.1'], signal = never, ...limits }: FetchOptions = {},
): Promise<Buffer> {
  const rules = new AddressRules(allowed);
  const body = await openDownload(url, { rules, signal, ...limits });
  const arrival = new Arrival(body, { maxSeconds: 60, signal, ...limits });
  const pieces: Buffer[] = [];
  for (let piece = await arrival.next(); piece; piece = await arrival.next()) pieces.push(piece);
  return Buffer.concat(pieces);
}

interface FetchOptions {
  readonly allowed?: readonly string[];
  readonly signal?: AbortSignal;
  readonly firstByteMs?: number;
  readonly stallMs?: number;
}

describe('which addresses announcements are fetched from', () => {
  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    'fd00::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '::ffff:0:7f00:1',
    '100::1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
  ])('%s is private', (address) => {
    expect(new AddressRules([]).permits('name', address)).toBe(false);
    expect(new AddressRules(['*']).permits('name', address)).toBe(true);
    expect(new AddressRules(['NAME']).permits('name', address)).toBe(true);
    expect(new AddressRules([address]).permits('name', address)).toBe(true);
    expect(new AddressRules(['other', '9.9.9.9']).permits('name', address)).toBe(false);
  });

  it.each(['1.1.1.1', '172.32.0.1', '192.167.1.1', '100.128.0.1', '2606:4700::1111', '2a00::1'])(
    '%s is public',
    (address) => expect(new AddressRules([]).permits('name', address)).toBe(true),
  );

  it('are those of a network that is named', () => {
    const rules = new AddressRules(['192.168.0.0/16', 'fd00::/8']);
    expect(rules.permits('name', '192.168.7.7')).toBe(true);
    expect(rules.permits('name', 'fd12::7')).toBe(true);
    expect(rules.permits('name', '10.0.0.1')).toBe(false);
  });
});

describe('a clip that is fetched', () => {
  it('comes as it is, also behind redirects', async () => {
    const port = await serve(({ url = '' }, response) => {
      const hops = Number(url.slice(1));
      if (hops > 0) response.writeHead(302, { Location: `/${hops - 1}` }).end();
      else response.end('sound');
    });
    expect(String(await fetchAll(`http://127.0.0.1:${port}/5`))).toBe('sound');
    await expect(fetchAll(`http://127.0.0.1:${port}/6`)).rejects.toMatchObject({
      code: 'fetch-failed',
      message: 'more than 5 redirects',
    });
  });

  it.each([
    ['a private address', (port: number) => `http://127.0.0.1:${port}/`],
    ['one in another notation', (port: number) => `http://2130706433:${port}/`],
    ['one in hexadecimal', (port: number) => `http://0x7f.1:${port}/`],
    ['one in IPv6', (port: number) => `http://[::ffff:127.0.0.1]:${port}/`],
    ['a name that stands for one', (port: number) => `http://localhost:${port}/`],
  ])('is refused from %s, and not asked for', async (_, urlOf) => {
    let asked = 0;
    const port = await serve((_, response) => {
      asked += 1;
      response.end();
    });
    await expect(fetchAll(urlOf(port), { allowed: [] })).rejects.toMatchObject({
      code: 'not-allowed',
      message: expect.stringMatching(/private address: add it to \[announce\] allowed_host/),
    });
    expect(asked).toBe(0);
  });

  it('is refused behind a redirect to a private address', async () => {
    let asked = 0;
    const inner = await serve(() => {
      asked += 1;
    });
    const outer = await serve((_, response) => {
      response.writeHead(301, { Location: `http://127.0.0.2:${inner}/` }).end();
    });
    const fetched = fetchAll(`http://localhost:${outer}/`, { allowed: ['localhost'] });
    await expect(fetched).rejects.toMatchObject({ code: 'not-allowed' });
    expect(asked).toBe(0);
  });

  it.each([
    ['ftp://127.0.0.1/x', 'not-allowed'],
    ['file:///etc/passwd', 'not-allowed'],
    ['gopher://x', 'not-allowed'],
    ['/etc/passwd', 'fetch-failed'],
    ['http://', 'fetch-failed'],
    [`http://127.0.0.1/${'x'.repeat(5000)}`, 'fetch-failed'],
  ])('is refused from the address %.30s', async (url, code) => {
    await expect(fetchAll(url)).rejects.toMatchObject({ code });
  });

  it.each<[string, RequestListener, object]>([
    ['404', (_, response) => void response.writeHead(404).end(), { message: '404 Not Found' }],
    [
      'a web page',
      (_, response) => void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>'),
      { code: 'bad-clip', message: 'it is text/html, not a sound' },
    ],
    [
      'what says that it is huge',
      (_, response) => void response.writeHead(200, { 'Content-Length': 2 ** 30 }).write('x'),
      { code: 'clip-too-long', message: 'the clip is larger than 32 MiB' },
    ],
    [
      'what is compressed',
      (_, response) => void response.writeHead(200, { 'Content-Encoding': 'gzip' }).end('x'),
      { code: 'fetch-failed' },
    ],
    ['what breaks off', (_, response) => breakOff(response), { code: 'fetch-failed' }],
  ])('is refused for %s', async (_, answer, fault) => {
    const port = await serve(answer);
    await expect(fetchAll(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(fault);
  });

  it('is given up when it does not end', async () => {
    let sent = 0;
    const port = await serve((_, response) => {
      const piece = Buffer.alloc(1024 * 1024);
      const more = () => {
        while (response.write(piece)) sent += piece.length;
        sent += piece.length;
      };
      response.on('drain', more);
      more();
    });
    await expect(fetchAll(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'clip-too-long',
    });
    expect(sent).toBeLessThan(4 * maxDownloadBytes);
  });

  it('is given up when no answer comes, and when nothing more comes', async () => {
    const silent = await serve(() => undefined);
    await expect(
      fetchAll(`http://127.0.0.1:${silent}/`, { firstByteMs: 50 }),
    ).rejects.toMatchObject({ code: 'fetch-failed', message: 'nothing came within 0.05 s' });
    const stalled = await serve((_, response) => void response.write('x'));
    await expect(fetchAll(`http://127.0.0.1:${stalled}/`, { stallMs: 50 })).rejects.toMatchObject({
      code: 'fetch-failed',
      message: 'nothing came for 0.05 s',
    });
  });

  it('says which host cannot be reached', async () => {
    const port = await serve(() => undefined);
    servers.pop()?.close();
    await expect(fetchAll(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'fetch-failed',
      message: expect.stringMatching(/127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED/),
    });
  });

  it('leaves no connection behind when it is not wanted any more', async () => {
    const port = await serve((_, response) => void response.write('x'));
    const wanted = new AbortController();
    const fetched = fetchAll(`http://127.0.0.1:${port}/`, { signal: wanted.signal });
    const connections = () =>
      new Promise<number>((resolve) => servers[0]!.getConnections((_, count) => resolve(count)));
    while ((await connections()) === 0) await delay(5);
    wanted.abort(new Error('not wanted'));
    await expect(fetched).rejects.toThrow('not wanted');
    while ((await connections()) > 0) await delay(5);
  });
});

function breakOff(response: Parameters<RequestListener>[1]): void {
  response.writeHead(200, { 'Content-Length': 1000 }).write('x');
  setTimeout(() => response.destroy(), 20);
}
