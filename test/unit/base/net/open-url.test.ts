import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { AddressRules } from '../../../../src/base/net/address-rules.ts';
import { openUrl } from '../../../../src/base/net/open-url.ts';
import { turn } from '../../../support/waiting.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that sends these pieces, each by itself, and ends. */
async function serve(pieces: readonly (string | Buffer)[]): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => undefined));
    socket.setNoDelay(true);
    socket.once('data', async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await turn();
        await turn();
      }
      socket.end();
    });
  });
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

function ask(port: number) {
  return openUrl(`http://127.0.0.1:${port}/a?b=c`, {
    rules: new AddressRules(['*']),
    headers: { 'Icy-MetaData': '1' },
    signal: new AbortController().signal,
    headMs: 5000,
  });
}

async function bodyOf(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}

const oldAnswer = 'ICY 200 OK\r\nicy-metaint:8192\r\nicy-name:J\u00f6rg\r\n\r\nICY sound\x00\xff';

describe('an answer of old radio servers', () => {
  it.each([
    ['in one piece', [Buffer.from(oldAnswer, 'latin1')]],
    ['byte by byte', [...Buffer.from(oldAnswer, 'latin1')].map((byte) => Buffer.of(byte))],
  ])('is taken for one by HTTP %s', async (_, pieces) => {
    const { response } = await ask(await serve(pieces));
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({ 'icy-metaint': '8192', 'icy-name': 'J\u00f6rg' });
    expect(await bodyOf(response)).toBe('ICY sound\x00\xff');
  });

  it('keeps its status', async () => {
    const { response } = await ask(await serve(['ICY 404 Resource Not Found\r\n\r\n']));
    expect([response.statusCode, response.statusMessage]).toEqual([404, 'Resource Not Found']);
    response.destroy();
  });
});

describe('an answer by HTTP', () => {
  it('may come in chunks, and hold the word that old servers begin with', async () => {
    const chunked =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nICY \r\n2\r\nok\r\n0\r\n\r\n';
    const { response } = await ask(await serve([...chunked]));
    expect(await bodyOf(response)).toBe('ICY ok');
  });

  it('is refused with a head that does not end', async () => {
    const port = await serve(['HTTP/1.0 200 OK\r\n', `x: ${'y'.repeat(20_000)}`]);
    await expect(ask(port)).rejects.toMatchObject({ code: 'fetch-failed' });
  });

  it('is refused when it is none', async () => {
    for (const answer of ['IC', 'SSH-2.0-OpenSSH_9\r\n', '']) {
      await expect(ask(await serve([answer]))).rejects.toMatchObject({ code: 'fetch-failed' });
    }
  });
});
