import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, rootCertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { loadTlsMaterial, type TlsMaterialOptions } from '../../../src/http/tls-material.ts';
import { makeCertificate, openssl } from '../../support/certificates.ts';
import { LogLines } from '../../support/log-lines.ts';

const password = 'correct horse';
let folder: string;
let log: LogLines;

const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-tls-'));
  makeCertificate({ folder, name: 'server' });
  makeCertificate({ folder, name: 'other', keyType: 'rsa:2048' });
  makeCertificate({ folder, name: 'weak', keyType: 'rsa:512' });
  openssl(
    'pkcs8',
    '-topk8',
    '-in',
    at('server.key'),
    '-out',
    at('secret.key'),
    '-passout',
    `pass:${password}`,
  );
  writeFileSync(at('rubbish.pem'), 'rubbish');
  writeFileSync(at('half.pem'), '-----BEGIN CERTIFICATE-----\nMIIB');
  mkdirSync(at('folder'));
});

afterEach(() => void vi.useRealTimers());

afterAll(() => rmSync(folder, { recursive: true }));

function load(options: Partial<TlsMaterialOptions> = {}) {
  log = new LogLines();
  return loadTlsMaterial({
    certificate: at('server.crt'),
    certificateKey: at('server.key'),
    keyPassword: '',
    verifyClients: false,
    clientCert: [],
    isWanted: true,
    logger: log,
    folders: [],
    ...options,
  });
}

async function faultOf(options: Partial<TlsMaterialOptions>): Promise<string> {
  const error = await load(options).catch((reason: unknown) => reason);
  if (!(error instanceof ConfigError)) throw new Error(`no ConfigError but ${error}`);
  return error.message;
}

describe('the material for TLS', () => {
  it('is what the files contain', async () => {
    const material = await load();
    expect(material).toMatchObject({ minVersion: 'TLSv1.2', requestCert: false });
    expect(material?.cert).toContain('BEGIN CERTIFICATE');
    expect(() => createSecureContext(material)).not.toThrow();
    expect(log.lines).toEqual([]);
  });

  it('is decrypted with the password', async () => {
    const material = await load({ certificateKey: at('secret.key'), keyPassword: password });
    expect(material?.key).toContain('BEGIN PRIVATE KEY');
    expect(material?.key).toBe((await load())?.key);
  });

  it('may be RSA', async () => {
    const [certificate, certificateKey] = [at('other.crt'), at('other.key')];
    expect((await load({ certificate, certificateKey }))?.key).toContain('PRIVATE KEY');
  });

  it('is found in the folders for certificates, the first one first', async () => {
    const certificate = 'server.crt';
    const certificateKey = 'server.key';
    const folders = [at('folder'), folder];
    expect(await load({ certificate, certificateKey, folders })).toEqual(await load());
  });

  it('is found in the current directory before all of them', async () => {
    writeFileSync(join(folder, 'folder', 'package.json'), 'not this one');
    const fault = await faultOf({ certificate: 'package.json', folders: [at('folder')] });
    expect(fault).toMatch(/certificate package.json is no certificate/);
  });

  it('is not looked at while TLS is not wanted', async () => {
    expect(await load({ isWanted: false, certificate: 'missing' })).toBeUndefined();
  });

  it('asks clients for certificates of known authorities and of those that are named', async () => {
    const material = await load({ verifyClients: true, clientCert: [at('other.crt')] });
    expect(material).toMatchObject({ requestCert: true, rejectUnauthorized: true });
    expect(material?.ca).toHaveLength(rootCertificates.length + 1);
  });

  it.each([
    ['2090-01-01', 'the certificate has expired'],
    ['2000-01-01', 'the certificate is not valid yet'],
  ])('is taken in %s, with a warning', async (date, phrase) => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(date) });
    expect(await load()).toBeDefined();
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({ level: 'warn', phrase });
  });
});

describe('TLS ends the start with one sentence', () => {
  it.each<[string, () => Partial<TlsMaterialOptions>, RegExp]>([
    [
      'without a key',
      () => ({ certificateKey: '', isWanted: false }),
      /^\[ssl\] certificate is set, but not certificate_key: set both/,
    ],
    [
      'without a certificate',
      () => ({ certificate: '', isWanted: false }),
      /^\[ssl\] certificate_key is set, but not certificate: set both/,
    ],
    [
      'without any of them',
      () => ({ certificate: '', certificateKey: '' }),
      /ssl_enabled needs certificate and certificate_key/,
    ],
    [
      'when the certificate is missing',
      () => ({ certificate: 'missing.crt', folders: ['/a', '/b'] }),
      /certificate does not exist as missing.crt or \/a\/missing.crt or \/b\/missing.crt: correct/,
    ],
    [
      'when the key is missing',
      () => ({ certificateKey: '/no.key' }),
      /certificate_key does not exist as \/no.key: /,
    ],
    ['when a file is a folder', () => ({ certificate: at('folder') }), /cannot be read \(EISDIR\)/],
    [
      'when the certificate is rubbish',
      () => ({ certificate: at('rubbish.pem') }),
      /certificate .*rubbish.pem is no certificate in PEM format/,
    ],
    [
      'when the certificate is cut off',
      () => ({ certificate: at('half.pem') }),
      /half.pem is no certificate/,
    ],
    [
      'when the key is rubbish',
      () => ({ certificateKey: at('rubbish.pem') }),
      /rubbish.pem is no private key in PEM format/,
    ],
    [
      'when the key is a certificate',
      () => ({ certificateKey: at('server.crt') }),
      /is no private key/,
    ],
    [
      'when the key is of another certificate',
      () => ({ certificateKey: at('other.key') }),
      /other.key does not belong to certificate .*server.crt/,
    ],
    [
      'when the key is encrypted',
      () => ({ certificateKey: at('secret.key') }),
      /is encrypted: set key_password/,
    ],
    [
      'when the password is wrong',
      () => ({ certificateKey: at('secret.key'), keyPassword: 'wrong' }),
      /cannot be decrypted: correct key_password/,
    ],
    [
      'when the key is too short',
      () => ({ certificate: at('weak.crt'), certificateKey: at('weak.key') }),
      /cannot be used \(.*key too small.*\): make new ones/,
    ],
    [
      'when an authority is missing',
      () => ({ verifyClients: true, clientCert: ['/no.crt'] }),
      /client_cert does not exist as \/no.crt/,
    ],
    [
      'when an authority is rubbish',
      () => ({ verifyClients: true, clientCert: [at('rubbish.pem')] }),
      /client_cert .* is no certificate/,
    ],
  ])('%s', async (_, options, sentence) => {
    const fault = await faultOf(options());
    expect(fault).toMatch(sentence);
    expect(fault).not.toContain(password);
  });
});
