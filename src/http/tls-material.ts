import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { createSecureContext, rootCertificates } from 'node:tls';
import { ConfigError, codeOf, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

/** Where files are that the current directory does not have. Source: protocol reference, 12. */
const certificateFolders = ['/etc/zerocast/certs', '/etc/snapserver/certs'];

/** What a server needs to speak TLS, as `https.createServer` takes it. */
export interface TlsMaterial {
  /** Shape: PEM, the certificate of the server first. */
  readonly cert: string;
  /** Shape: PEM, not encrypted. */
  readonly key: string;
  readonly minVersion: 'TLSv1.2';
  /** The authorities that may sign certificates of clients; absent when they need none. */
  readonly ca?: string[];
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** The settings of section [ssl], and how they are read. */
export interface TlsMaterialOptions {
  readonly certificate: string;
  readonly certificateKey: string;
  readonly keyPassword: string;
  readonly verifyClients: boolean;
  readonly clientCert: readonly string[];
  /** Whether TLS is served at all. */
  readonly isWanted: boolean;
  readonly logger: Logger;
  /** Where to look for relative paths after the current directory. */
  readonly folders?: readonly string[];
}

/**
 * Reads what the settings name, and checks it as far as a client would.
 *
 * Returns `undefined` when TLS is not wanted.
 * Failure: rejects with a `ConfigError` that names the setting; what a client may refuse, such as a
 * certificate that has expired, is a warning in the log.
 */
export async function loadTlsMaterial(
  options: TlsMaterialOptions,
): Promise<TlsMaterial | undefined> {
  const { certificate, certificateKey, isWanted, folders = certificateFolders } = options;
  checkPresence(certificate, certificateKey, isWanted);
  if (!isWanted) return undefined;
  const cert = await readText('certificate', certificate, folders);
  const key = await readText('certificate_key', certificateKey, folders);
  const privateKey = parseKey(key, options);
  const parsed = parseCertificate('certificate', certificate, cert);
  if (!parsed.checkPrivateKey(privateKey)) {
    throw fault(
      `certificate_key ${certificateKey} does not belong to certificate ${certificate}: ` +
        'name the key that the certificate was made for',
    );
  }
  warnAboutDates(parsed, options);
  return checked({
    cert,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    minVersion: 'TLSv1.2',
    ...(await clientVerification(options, folders)),
  });
}

function checkPresence(certificate: string, certificateKey: string, isWanted: boolean): void {
  if (certificate !== '' && certificateKey === '') {
    throw fault('certificate is set, but not certificate_key: set both, or none of them');
  }
  if (certificate === '' && certificateKey !== '') {
    throw fault('certificate_key is set, but not certificate: set both, or none of them');
  }
  if (isWanted && certificate === '') {
    throw fault('[http] ssl_enabled needs certificate and certificate_key: set both');
  }
}

/** Reads the first of the files that `path` may mean. */
async function readText(
  setting: string,
  path: string,
  folders: readonly string[],
): Promise<string> {
  const candidates = isAbsolute(path) ? [path] : [path, ...folders.map((at) => join(at, path))];
  for (const candidate of candidates) {
    try {
      return await readFile(candidate, 'utf8');
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') continue;
      throw fault(`${setting} ${candidate} cannot be read (${code}): allow the server to read it`);
    }
  }
  throw fault(`${setting} does not exist as ${candidates.join(' or ')}: correct the path`);
}

function parseKey(key: string, { certificateKey, keyPassword }: TlsMaterialOptions): KeyObject {
  const isEncrypted = /ENCRYPTED/.test(key);
  if (isEncrypted && keyPassword === '') {
    throw fault(`certificate_key ${certificateKey} is encrypted: set key_password`);
  }
  try {
    return createPrivateKey({ key, passphrase: keyPassword });
  } catch {
    throw fault(
      isEncrypted
        ? `certificate_key ${certificateKey} cannot be decrypted: correct key_password`
        : `certificate_key ${certificateKey} is no private key in PEM format: convert it, or name ` +
            'another file',
    );
  }
}

function parseCertificate(setting: string, path: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw fault(
      `${setting} ${path} is no certificate in PEM format: convert it, or name another file`,
    );
  }
}

function warnAboutDates(
  { validFrom, validTo }: X509Certificate,
  { certificate, logger }: TlsMaterialOptions,
): void {
  const now = Date.now();
  if (now > Date.parse(validTo)) {
    logger.warn('the certificate has expired', { certificate, validTo, remedy: 'renew it' });
  } else if (now < Date.parse(validFrom)) {
    const remedy = 'check the clock of this machine';
    logger.warn('the certificate is not valid yet', { certificate, validFrom, remedy });
  }
}

async function clientVerification(options: TlsMaterialOptions, folders: readonly string[]) {
  const { verifyClients, clientCert } = options;
  if (!verifyClients) return { requestCert: false, rejectUnauthorized: false };
  const ca = [...rootCertificates];
  for (const path of clientCert) {
    const text = await readText('client_cert', path, folders);
    parseCertificate('client_cert', path, text);
    ca.push(text);
  }
  return { ca, requestCert: true, rejectUnauthorized: true };
}

/** What OpenSSL refuses in the end: keys that are too short, chains with rubbish in them. */
function checked(material: TlsMaterial): TlsMaterial {
  try {
    createSecureContext(material);
    return material;
  } catch (error) {
    throw fault(
      `certificate and certificate_key cannot be used (${messageOf(error)}): ` +
        'make new ones, RSA with 2048 bits or more, or EC',
    );
  }
}

function fault(text: string): ConfigError {
  return new ConfigError('tls', `[ssl] ${text}`);
}
