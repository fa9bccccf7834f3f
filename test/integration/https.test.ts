import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { connect as connectPlainly } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { loadTlsMaterial } from '../../src/http/tls-material.ts';
import { makeCertificate } from '../support/certificates.ts';
import { HttpRig } from '../support/http-rig.ts';
import { LogLines } from '../support/log-lines.ts';
import { until } from '../support/waiting.ts';

let folder: string;
let rig: HttpRig;

const at = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(at(name));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-https-'));
  for (const name of ['server', 'authority', 'stranger']) makeCertificate({ folder, name });
  makeCertificate({ folder, name: 'client', issuer: 'authority' });
});

afterAll(() => rmSync(folder, { recursive: true }));

afterEach(() => rig.close());

async function start(verifyClients = false): Promise<void> {
  const tls = await loadTlsMaterial({
    certificate: at('server.crt'),
    certificateKey: at('server.key'),
    keyPassword: '',
    verifyClients,
    clientCert: verifyClients ? [at('authority.crt')] : [],
    isWanted: true,
    logger: new LogLines(),
  });
  rig = await HttpRig.open({ tls });
}

function ask(options: RequestOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = rig;
    const ca = read('server.crt');
    request(
      { host: '127.0.0.1', port, path: '/healthz', agent: false, ca, ...options },
      (response) => {
        text(response).then(resolve, reject);
      },
    )
      .on('error', reject)
      .end();
  });
}

describe('the HTTPS port', () => {
  it('answers who trusts its certificate', async () => {
    await start();
    expect(await ask()).toBe('ok');
    await expect(ask({ ca: read('stranger.crt') })).rejects.toThrow(/self-signed certificate/);
  });

  it.each(['/stream', '/jsonrpc'])('offers %s by WebSocket', async (path) => {
    await start();
    const client = new WebSocket(`wss://127.0.0.1:${rig.port}${path}`, { ca: read('server.crt') });
    await once(client, 'open');
    await until(() => rig.links.length + rig.sessions.length === 1);
    client.terminate();
  });

  it.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('speaks %s: %s', async (version, isSpoken) => {
    await start();
    // Seclevel 0 lets this client offer what is refused by default.
    const socket = connect({
      host: '127.0.0.1',
      port: rig.port,
      ca: read('server.crt'),
      minVersion: version,
      maxVersion: version,
      ciphers: 'DEFAULT:@SECLEVEL=0',
    });
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.on('secureConnect', () => resolve(true)).on('error', () => resolve(false));
    });
    expect(isConnected).toBe(isSpoken);
    socket.destroy();
  });

  it('asks clients for a certificate of an authority that it knows', async () => {
    await start(true);
    const known = { cert: read('client.crt'), key: read('client.key') };
    expect(await ask(known)).toBe('ok');
    const stranger = { cert: read('stranger.crt'), key: read('stranger.key') };
    await expect(ask(stranger)).rejects.toThrow();
    await expect(ask()).rejects.toThrow();
  });

  it('ends a connection that speaks no TLS, and goes on', async () => {
    await start();
    const socket = connectPlainly(rig.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await text(socket).catch(() => '')).not.toContain('200 OK');
    expect(await ask()).toBe('ok');
  });
});
