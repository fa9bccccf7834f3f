import { rm, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFifoAt } from '../support/fifo.ts';
import { HttpRig, WebFolder } from '../support/http-rig.ts';

const secret = 'nobody may see this';
const script = 'console.log("some text that repeats");\n'.repeat(200);

let folder: WebFolder;
let rig: HttpRig;

beforeEach(async () => {
  folder = await WebFolder.make({
    'secret.txt': secret,
    'pages-secret/secret.txt': secret,
    'pages/app.js': script,
    'pages/a b+ü.txt': 'odd name',
    'pages/100%.txt': 'percent',
    'pages/song.mp3': Buffer.from('0123456789'),
    'pages/.hidden': secret,
    'pages/.git/config': secret,
    'pages/deep/index.html': '<!doctype html>deep',
    'pages/deep/page.html': '<!doctype html>page',
    'pages/empty/file.txt': '',
  });
  rig = await HttpRig.open({ docRoot: folder.docRoot });
});

afterEach(async () => {
  await rig.close();
  await folder.remove();
});

describe('a web page', () => {
  it.each([
    ['/', '<!doctype html>index'],
    ['/index.html', '<!doctype html>index'],
    ['/?theme=dark', '<!doctype html>index'],
    ['/app.js?v=1#top', script],
    ['/deep/', '<!doctype html>deep'],
    ['/deep/page.html', '<!doctype html>page'],
    ['/a%20b%2b%C3%BC.txt', 'odd name'],
    ['/100%25.txt', 'percent'],
    ['/%61pp.js', script],
    ['/empty/file.txt', ''],
    ['http://box:1780/deep/', '<!doctype html>deep'],
  ])('is found as %s', async (path, body) => {
    const answer = await rig.get(path);
    expect(answer).toMatchObject({ status: 200, text: body });
    expect(answer.headers).toMatchObject({
      'content-length': String(Buffer.byteLength(body)),
      'x-content-type-options': 'nosniff',
      server: 'Zerocast',
    });
  });

  it.each([
    ['page.html', 'text/html; charset=utf-8'],
    ['main.js', 'text/javascript; charset=utf-8'],
    ['main.css', 'text/css; charset=utf-8'],
    ['main.js.map', 'application/json; charset=utf-8'],
    ['data.json', 'application/json; charset=utf-8'],
    ['app.webmanifest', 'application/manifest+json; charset=utf-8'],
    ['decoder.wasm', 'application/wasm'],
    ['silence.mp3', 'audio/mpeg'],
    ['silence.flac', 'audio/flac'],
    ['favicon.ico', 'image/vnd.microsoft.icon'],
    ['logo.svg', 'image/svg+xml'],
    ['logo.PNG', 'image/png'],
    ['font.woff2', 'font/woff2'],
    ['README', 'application/octet-stream'],
  ])('named %s has the type %s', async (name, type) => {
    await folder.write(`pages/${name}`, 'x');
    expect((await rig.get(`/${name}`)).headers['content-type']).toBe(type);
  });

  it('is described alike to who asks only for the head', async () => {
    const { headers } = await rig.get('/app.js');
    const head = await rig.ask({ path: '/app.js', method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect({ ...head.headers, date: '' }).toEqual({ ...headers, date: '' });
  });

  it('is asked for again each time, but what it loads only after an hour', async () => {
    expect((await rig.get('/')).headers['cache-control']).toBe('no-cache');
    expect((await rig.get('/app.js')).headers['cache-control']).toBe('max-age=3600');
  });

  it('is not sent again to who has it', async () => {
    const { headers } = await rig.get('/app.js');
    for (const condition of [
      { 'If-None-Match': headers.etag },
      { 'If-Modified-Since': headers['last-modified'] },
    ]) {
      expect(await rig.get('/app.js', condition)).toMatchObject({ status: 304, text: '' });
    }
  });

  it('is sent again when it has changed, even with the same size and date', async () => {
    const path = join(folder.docRoot, 'app.js');
    const date = new Date(1000);
    await utimes(path, date, date);
    const { headers } = await rig.get('/app.js');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await folder.write('pages/app.js', script.replaceAll('text', 'TEXT'));
    await utimes(path, date, date);
    const answer = await rig.get('/app.js', { 'If-None-Match': headers.etag });
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining('TEXT') });
    expect(answer.headers['last-modified']).toBe(headers['last-modified']);
  });

  it('is sent in part', async () => {
    const answer = await rig.get('/song.mp3', { Range: 'bytes=2-5' });
    expect(answer).toMatchObject({ status: 206, text: '2345' });
    expect(answer.headers['content-range']).toBe('bytes 2-5/10');
    expect(await rig.get('/song.mp3', { Range: 'bytes=-3' })).toMatchObject({ text: '789' });
    const beyond = await rig.get('/song.mp3', { Range: 'bytes=20-' });
    expect(beyond).toMatchObject({ status: 416, text: 'Range Not Satisfiable' });
    expect(beyond.headers['content-range']).toBe('bytes */10');
    expect(beyond.headers).not.toHaveProperty('etag');
  });

  it('is sent whole to who cannot be sure that the parts fit together', async () => {
    const { etag } = (await rig.get('/song.mp3')).headers;
    const headers = { Range: 'bytes=2-5', 'If-Range': etag };
    expect(await rig.get('/song.mp3', headers)).toMatchObject({ status: 200, text: '0123456789' });
  });

  it.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
  ])('is compressed with %s for who asks for it', async (encoding, decompress) => {
    const answer = await rig.get('/app.js', { 'Accept-Encoding': encoding });
    expect(answer.headers).toMatchObject({ 'content-encoding': encoding, vary: 'Accept-Encoding' });
    expect(answer.body.length).toBeLessThan(script.length / 2);
    expect(decompress(answer.body).toString()).toBe(script);
  });

  it.each([
    ['a range', '/app.js', { Range: 'bytes=0-2000' }, 206],
    ['what is small', '/', {}, 200],
    ['what is no text', '/song.mp3', {}, 200],
  ])('is not compressed when it is %s', async (_, path, headers, status) => {
    await folder.write('pages/song.mp3', Buffer.alloc(5000));
    const answer = await rig.get(path, { ...headers, 'Accept-Encoding': 'gzip, br' });
    expect(answer.status).toBe(status);
    expect(answer.headers).not.toHaveProperty('content-encoding');
  });

  it('is compressed for only so many clients at once, and whole for the others', async () => {
    await folder.write('pages/big.js', script.repeat(300));
    const headers = { 'Accept-Encoding': 'gzip' };
    const all = await Promise.all(Array.from({ length: 30 }, () => rig.get('/big.js', headers)));
    const packed = all.filter((one) => one.headers['content-encoding'] === 'gzip');
    expect(packed.length).toBeGreaterThan(0);
    expect(packed.length).toBeLessThan(30);
    expect((await rig.get('/app.js', headers)).headers['content-encoding']).toBe('gzip');
  });

  it('that is a folder is asked for with a slash at the end, on the same host', async () => {
    const answer = await rig.get('/deep');
    expect(answer).toMatchObject({ status: 302 });
    expect(answer.headers.location).toBe('./deep/');
    await folder.write('pages/odd:a%//x', '');
    expect((await rig.get('/odd:a%25')).headers.location).toBe('./odd%3Aa%25/');
  });

  it('may be a link within the folder, but lead nowhere else', async () => {
    await symlink('app.js', join(folder.docRoot, 'link.js'));
    await symlink('deep', join(folder.docRoot, 'linked'));
    await symlink('../secret.txt', join(folder.docRoot, 'out.txt'));
    await symlink(folder.root, join(folder.docRoot, 'up'));
    await symlink('../pages-secret', join(folder.docRoot, 'beside'));
    await symlink('.hidden', join(folder.docRoot, 'shown.txt'));
    await symlink('loop', join(folder.docRoot, 'loop'));
    expect(await rig.get('/link.js')).toMatchObject({ status: 200, text: script });
    expect(await rig.get('/linked/page.html')).toMatchObject({ status: 200 });
    for (const path of ['/out.txt', '/up/secret.txt', '/beside/secret.txt', '/up', '/up/']) {
      const answer = await rig.get(path);
      expect(answer).toMatchObject({ status: 404, text: `The resource '${path}' was not found.` });
    }
    expect(await rig.get('/shown.txt')).toMatchObject({ status: 404 });
    expect(await rig.get('/loop')).toMatchObject({ status: 404 });
  });

  it('is found when the folder itself is a link, and when that leads elsewhere', async () => {
    const link = join(folder.root, 'current');
    await symlink('pages', link);
    const linked = await HttpRig.open({ docRoot: link });
    expect(await linked.get('/app.js')).toMatchObject({ status: 200 });
    await folder.write('newer/app.js', 'newer');
    await rm(link);
    await symlink('newer', link);
    expect(await linked.get('/app.js')).toMatchObject({ status: 200, text: 'newer' });
    await linked.close();
  });

  it('that is a fifo is none, instead of waiting for a writer', async () => {
    makeFifoAt(join(folder.docRoot, 'fifo.txt'));
    expect(await rig.get('/fifo.txt')).toMatchObject({ status: 404 });
  });
});

describe('no web page', () => {
  it.each([
    '/missing.html',
    '/app.js/',
    '/app.js/x',
    '/empty/',
    '/.hidden',
    '/.git/config',
    '/./app.js',
    '/deep/../app.js',
    '/deep/%2e%2e/app.js',
    '/../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '/%252e%252e/secret.txt',
    '/..%c0%afsecret.txt',
    '/deep%2fpage.html',
    '/deep//page.html',
    '//app.js',
    '//evil.example/deep',
    '/app.js%00',
    '/app.js%00.html',
    '/%',
    '/%zz',
    '/%ff',
    `/${'a'.repeat(300)}`,
    `/${'a/'.repeat(5000)}`,
  ])('is at %s', async (path) => {
    const answer = await rig.get(path);
    expect(answer).toMatchObject({ status: 404, text: `The resource '${path}' was not found.` });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers).not.toHaveProperty('cache-control');
    expect(rig.log.lines).toEqual([]);
  });
});
