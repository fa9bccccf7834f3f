import { symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDescriptors } from '../support/fifo.ts';
import { HttpRig, upgradeRequest, WebFolder } from '../support/http-rig.ts';
import { until } from '../support/waiting.ts';

const secret = 'the secret that lies beside the folder';
const runs = 400;
/** What is no complete request is never answered. */
const patienceMs = 100;
const descriptorTolerance = 8;

let folder: WebFolder;
let rig: HttpRig;
let descriptorsBefore: number;

beforeAll(async () => {
  folder = await WebFolder.make({
    'secret.txt': secret,
    'pages-secret/secret.txt': secret,
    'pages/.secret.txt': secret,
    'pages/deep/secret.html': 'no secret',
  });
  await symlink(folder.root, join(folder.docRoot, 'up'));
  rig = await HttpRig.open({ docRoot: folder.docRoot });
  await rig.get('/');
  descriptorsBefore = openDescriptors();
});

afterAll(async () => {
  await until(() => openDescriptors() <= descriptorsBefore + descriptorTolerance);
  expect(await rig.get('/deep/secret.html')).toMatchObject({ status: 200, text: 'no secret' });
  await rig.close();
  await folder.remove();
});

/** Says `bytes` and collects what comes until the connection ends, at the latest `patienceMs` later. */
async function say(bytes: Buffer, patienceMs: number): Promise<string> {
  const socket = connect(rig.port, '127.0.0.1');
  // A server that has had enough may reset.
  const heard = buffer(socket).catch(() => Buffer.alloc(0));
  socket.on('error', () => {});
  socket.write(bytes);
  const timer = setTimeout(() => socket.end(), patienceMs);
  const answer = await heard;
  clearTimeout(timer);
  return answer.toString('latin1');
}

/** Pieces that mean something to somebody on the way to a file. */
const piece = fc.oneof(
  fc.constantFrom('/', '\\', '..', '.', '...', '%2e', '%2E%2e', '%2f', '%5c', '%00', '%', '%25'),
  fc.constantFrom('?', '#', ';', ':', '%c0%af', '%u002e', '//', '%ff', '%0d%0a', '~', '&', '='),
  fc.constantFrom('secret.txt', 'pages', 'pages-secret', 'up', 'deep', '.secret.txt', 'index.html'),
  fc.constantFrom('jsonrpc', 'stream', '__image_cache', 'healthz', 'name', 'etc/passwd'),
  fc.string({ unit: 'grapheme-ascii', maxLength: 4 }),
);
const path = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
  fc
    .array(fc.constantFrom('up', 'secret.txt', 'deep', '%2e%2e'), { minLength: 1, maxLength: 3 })
    .map((names) => `/${names.join('/')}`),
);
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'GET', 'GET');
const header = fc.constantFrom(
  '',
  'Range: bytes=0-\r\n',
  'Range: bytes=-5,1-2,9-\r\n',
  'If-Range: "x"\r\n',
  'If-None-Match: *\r\n',
  'If-Match: x\r\n',
  'Accept-Encoding: gzip\r\n',
  'Origin: http://x\r\n',
  'Origin: \u0001\r\n',
  'Authorization: Basic =\r\n',
  'Expect: 100-continue\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
);
const isHttpOrNothing = /^(HTTP\/1\.1 \d{3} |$)/;

describe('the HTTP port', () => {
  it('shows no file outside of its folder, whatever the path', async () => {
    const request = fc.tuple(method, path, header);
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(request, async ([verb, target, line]) => {
        const head = `${verb} ${target} HTTP/1.1\r\nHost: x\r\n${line}Connection: close\r\n\r\n`;
        const answer = await say(Buffer.from(head), patienceMs);
        expect(answer).toMatch(isHttpOrNothing);
        expect(answer).not.toContain(secret);
        seen.add(answer.slice(9, 12));
      }),
      { numRuns: runs },
    );
    expect([...seen]).toEqual(expect.arrayContaining(['200', '400', '404', '405']));
    expect([...seen]).not.toContain('500');
  });

  it('answers a path that could be one, always', async () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 4 }), async (names) => {
        const encoded = names.map(encodeURIComponent).join('/');
        const answer = await rig.get(`/${encoded}`);
        expect([200, 302, 404]).toContain(answer.status);
        expect(answer.text).not.toContain(secret);
      }),
      { numRuns: runs / 2 },
    );
  });

  it.each([
    [
      'a request for a page',
      'GET /deep/secret.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    ],
    ['a post', 'POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ntrue'],
    ['an upgrade', upgradeRequest('/stream')],
  ])('survives %s that is cut off at any byte', async (_, request) => {
    const cuts = Array.from({ length: request.length }, (__, length) => length);
    const answers = await Promise.all(
      cuts.map((length) => say(Buffer.from(request.slice(0, length)), 0)),
    );
    for (const answer of answers) expect(answer).toMatch(isHttpOrNothing);
    expect(rig.links).toHaveLength(0);
  });

  it('survives requests with changed bytes', async () => {
    const seeds = fc.constantFrom(
      'GET /up/secret.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n',
      'POST /jsonrpc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n0\r\n\r\n',
      `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n${upgradeRequest('/jsonrpc/')}`,
    );
    const change = fc.tuple(fc.nat(200), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(seeds, fc.array(change, { maxLength: 6 }), async (seed, changes) => {
        const bytes = Buffer.from(seed);
        for (const [offset, byte] of changes) bytes[offset % bytes.length] = byte;
        const answer = await say(bytes, patienceMs);
        expect(answer).toMatch(isHttpOrNothing);
        expect(answer).not.toContain(secret);
      }),
      { numRuns: runs },
    );
  });

  it('survives clients that leave while they are answered', async () => {
    await folder.write('pages/big.js', 'some text that repeats\n'.repeat(200_000));
    const request = 'GET /big.js HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n';
    for (let turn = 0; turn < 200; turn += 1) {
      const socket = connect(rig.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(request);
      if (turn % 4 === 0) await new Promise((resolve) => socket.once('data', resolve));
      else await new Promise((resolve) => setTimeout(resolve, turn % 4));
      socket.resetAndDestroy();
    }
    // Each of them gives back its file and its compressor; a big answer is compressed again.
    await until(() => openDescriptors() <= descriptorsBefore + descriptorTolerance);
    let encoding: string | undefined;
    for (let turn = 0; turn < 20 && encoding !== 'gzip'; turn += 1) {
      const { headers } = await rig.get('/big.js', { 'Accept-Encoding': 'gzip' });
      encoding = headers['content-encoding'];
    }
    expect(encoding).toBe('gzip');
  });
});
