import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chownSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createCertificate } from '../../src/certificates/certificate.ts';
import {
  type CertificateRequest,
  makeServerCertificate,
} from '../../src/certificates/server-certificate.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { TestServer } from '../support/test-server.ts';

const dayMs = 86_400_000;
const machine = { hostName: 'living-pi', addresses: ['192.168.1.5'] };

let folder: string;
const at = (name: string) => join(folder, 'tls', name);
const read = (name: string) => readFileSync(at(name), 'utf8');
const certificate = (name: string) => new X509Certificate(read(name));

beforeEach(() => {
  folder = makeScratchFolder();
});
afterEach(() => removeScratchFolder(folder));

function make(request: Partial<CertificateRequest> = {}, place: object = {}) {
  const usual = { names: [], mode: 'new', isSelfSigned: false, days: 730 } as const;
  return makeServerCertificate({ ...usual, ...request }, { dataFolder: folder, machine, ...place });
}

it.skipIf(!isRoot)('gives away nothing that the folder of the data links to', async () => {
  const elsewhere = makeScratchFolder();
  onTestFinished(() => removeScratchFolder(elsewhere));
  chownSync(folder, 65_534, 65_534);
  symlinkSync(elsewhere, join(folder, 'tls'));
  await make();
  expect([statSync(elsewhere).uid, statSync(at('server.key')).uid]).toEqual([0, 65_534]);
});

/** A server that uses it, asked by `use`. */
async function served<T>(use: (server: TestServer) => Promise<T>): Promise<T> {
  const server = await TestServer.start(
    'http.ssl_enabled=true',
    'http.ssl_port=0',
    'http.ssl_bind_to_address=127.0.0.1',
    `ssl.certificate=${at('server.crt')}`,
    `ssl.certificate_key=${at('server.key')}`,
  );
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** What a client says that trusts `ca` and calls the server by `name`. */
function ask(server: TestServer, { ca, name }: { ca: string; name: string }): Promise<string> {
  const { https: port } = server.application.ports;
  const isName = !/^[\d.:a-f]+$/.test(name);
  return new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port,
        path: '/healthz',
        agent: false,
        ca,
        ...(isName && { servername: name, headers: { Host: name } }),
      },
      (response) => void text(response).then(resolve, reject),
    )
      .on('error', reject)
      .end();
  });
}

describe('a certificate of an own authority', () => {
  it('is trusted by who trusts the authority, by each of its names', async () => {
    await make({ names: ['music.example.org'] });
    await served(async (server) => {
      const ca = read('ca.crt');
      for (const name of ['127.0.0.1', 'living-pi', 'living-pi.local', 'music.example.org']) {
        expect(await ask(server, { ca, name }), name).toBe('ok');
      }
      await expect(ask(server, { ca, name: 'other.example.org' })).rejects.toThrow(/altnames/);
      await expect(ask(server, { ca: '', name: 'living-pi' })).rejects.toThrow(/certificate/);
    });
  });

  it('is as phones want it', async () => {
    const { fingerprint, validTo, names } = await make();
    const own = certificate('server.crt');
    expect(own.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(own.ca).toBe(false);
    expect(own.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(own.subjectAltName).toBe(
      'DNS:living-pi, DNS:living-pi.local, DNS:localhost, IP Address:127.0.0.1, ' +
        'IP Address:0:0:0:0:0:0:0:1, IP Address:192.168.1.5',
    );
    expect(names).toContain('::1');
    const days = (Date.parse(own.validTo) - Date.parse(own.validFrom)) / dayMs;
    expect(days).toBe(730);
    expect(validTo.getTime()).toBe(Date.parse(own.validTo));
    const authority = certificate('ca.crt');
    expect(authority.ca).toBe(true);
    expect(authority.fingerprint256).toBe(fingerprint);
    expect(own.checkIssued(authority)).toBe(true);
    expect(own.verify(authority.publicKey)).toBe(true);
  });

  it('passes the strict checks of OpenSSL', async () => {
    await make({ names: ['203.0.113.7', '2001:db8::192.0.2.1'] });
    const output = execFileSync('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      at('ca.crt'),
      at('server.crt'),
    ]);
    expect(output.toString()).toContain('OK');
  });

  it.each(['bank.example', 'google.com', '8.8.8.8'])(
    'cannot be made for %s by somebody who has got the key of the authority',
    async (name) => {
      const { createPrivateKey, createPublicKey } = await import('node:crypto');
      await make();
      const keys = (file: string) => ({
        publicKey: createPublicKey(read(file)),
        privateKey: createPrivateKey(read(file)),
      });
      const issuer = /CN=(.*)/.exec(certificate('ca.crt').subject)?.[1] ?? '';
      const forged = createCertificate({
        subject: { name, ...keys('server.key') },
        issuer: { name: issuer, ...keys('ca.key') },
        validFrom: new Date(),
        validTo: new Date(Date.now() + dayMs),
        use: { names: [name, '127.0.0.1'] },
      });
      writeFileSync(at('server.crt'), forged);
      await served(async (server) => {
        const asked = ask(server, { ca: read('ca.crt'), name: '127.0.0.1' });
        await expect(asked).rejects.toThrow(/permitted subtree violation/);
      });
    },
  );

  it('is for the user of the server alone, and belongs to whom the data folder does', async () => {
    await make();
    const { uid } = statSync(folder);
    for (const name of ['ca.key', 'ca.crt', 'server.key', 'server.crt']) {
      const stats = statSync(at(name));
      expect([stats.mode & 0o777, stats.uid], name).toEqual([0o600, uid]);
    }
    expect(statSync(join(folder, 'tls')).mode & 0o777).toBe(0o700);
  });

  it('is never written over, unless that is wanted', async () => {
    await make();
    const before = read('server.crt');
    await expect(make()).rejects.toThrow(/server\.crt is there, valid until .*--renew.*--replace/);
    expect(read('server.crt')).toBe(before);
    const authority = read('ca.crt');
    await make({ mode: 'replace' });
    expect(read('ca.crt')).not.toBe(authority);
    expect(certificate('server.crt').checkIssued(certificate('ca.crt'))).toBe(true);
  });

  it('is renewed without a device having to learn anything, and for the addresses of today', async () => {
    await make({ names: ['music.example.org'] });
    const [authority, key] = [read('ca.crt'), read('server.key')];
    const later = new Date(Date.now() + 700 * dayMs);
    const moved = { hostName: 'living-pi', addresses: ['192.168.1.77'] };
    const renewed = await make({ mode: 'renew' }, { machine: moved, now: later });
    expect([read('ca.crt'), read('server.key')]).toEqual([authority, key]);
    expect(renewed.validTo.getTime()).toBeGreaterThan(later.getTime() + 729 * dayMs);
    expect(renewed.names).toContain('music.example.org');
    expect(renewed.names).toContain('192.168.1.77');
    expect(renewed.names).not.toContain('192.168.1.5');
    expect(certificate('server.crt').verify(certificate('ca.crt').publicKey)).toBe(true);
  });

  it('is not renewed for what the authority was not made for', async () => {
    await make();
    await expect(make({ mode: 'renew', names: ['music.example.org'] })).rejects.toThrow(
      /may not sign for "music.example.org": make all anew with --replace/,
    );
    const renamed = { hostName: 'kitchen-pi', addresses: [] };
    const { names, leftOut } = await make({ mode: 'renew' }, { machine: renamed });
    expect(names).toContain('kitchen-pi.local');
    expect(leftOut).toEqual(['kitchen-pi']);
  });

  it('can only be renewed where there is an authority', async () => {
    await expect(make({ mode: 'renew' })).rejects.toThrow(/there is no authority beside/);
    await make({ isSelfSigned: true });
    await expect(make({ mode: 'renew' })).rejects.toThrow(/there is no authority beside/);
  });

  it.each(['*.example.org', 'my box', 'http://x', ''])('is not made for %j', async (name) => {
    await expect(make({ names: [name] })).rejects.toThrow(/no name of a machine and no address/);
  });

  it('is handed out by the server: the authority alone, to all devices', async () => {
    await make();
    await served(async (server) => {
      const response = await fetch(`http://127.0.0.1:${server.httpPort}/ca.crt`);
      expect(response.headers.get('content-type')).toBe('application/x-x509-ca-cert');
      expect(await response.text()).toBe(read('ca.crt'));
    });
  });
});

describe('a certificate that signs itself', () => {
  it('is trusted by who trusts it, and has no authority to hand out', async () => {
    const { files } = await make({ isSelfSigned: true });
    expect(files).not.toHaveProperty('authority');
    await served(async (server) => {
      expect(await ask(server, { ca: read('server.crt'), name: 'living-pi' })).toBe('ok');
      expect((await fetch(`http://127.0.0.1:${server.httpPort}/ca.crt`)).status).toBe(404);
    });
  });
});
