import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from 'node:crypto';
import { lchown, readFile, stat } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { dirname, join } from 'node:path';
import { ConfigError, codeOf } from '../base/errors.ts';
import { fileModes, writeFileAtomically } from '../base/files/atomic-file.ts';
import { makeFolder } from '../base/files/make-folder.ts';
import { createCertificate } from './certificate.ts';
import {
  isPrivate,
  isServerName,
  isWithin,
  type Machine,
  namesOf,
  scopeOf,
} from './server-names.ts';

/** A phone that has installed the authority needs nothing for as long. */
const authorityDays = 3650;
/** Clocks of other machines are never quite right. */
const backdatedMs = 3_600_000;
const dayMs = 86_400_000;
const privateFolderMode = 0o700;

export interface CertificateRequest {
  /** Further names and addresses of the server. */
  readonly names: readonly string[];
  /** `new`: there must be none yet. `renew`: by the authority at hand. `replace`: all anew. */
  readonly mode: 'new' | 'renew' | 'replace';
  /** Without an authority: each browser has to be told to trust the certificate itself. */
  readonly isSelfSigned: boolean;
  readonly days: number;
}

/** Where it is made, and when. */
export interface CertificatePlace {
  readonly dataFolder: string;
  readonly machine?: Machine;
  readonly now?: Date;
}

export interface ServerCertificate {
  /** Paths; `authority` is absent of a certificate that signs itself. */
  readonly files: {
    readonly certificate: string;
    readonly key: string;
    readonly authority?: string;
  };
  /** SHA-256, of the authority if there is one. */
  readonly fingerprint: string;
  readonly names: readonly string[];
  /** Names of this machine that the authority must not sign for. */
  readonly leftOut: readonly string[];
  readonly validTo: Date;
}

/** A certificate and its key, both in PEM. */
interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Makes the certificate of the server on this machine, and a private authority that signs it.
 *
 * Failure: rejects with a `ConfigError` when there is one already, or none to renew; with the error
 * of the system when the files cannot be written.
 */
export async function makeServerCertificate(
  request: CertificateRequest,
  place: CertificatePlace,
): Promise<ServerCertificate> {
  const others = checkedNames(request.names);
  const files = filesIn(place.dataFolder);
  const present = await textOf(files.certificate);
  if (request.mode === 'renew') return renew({ ...request, names: others }, place);
  if (request.mode === 'new' && present !== undefined) throw exists(files.certificate, present);
  const names = [...new Set([...others, ...namesOf(place.machine)])];
  const key = newKey();
  const authority = request.isSelfSigned ? undefined : newAuthority(names, place);
  const certificate = issue({ key, names, days: request.days, authority, place });
  await write(files, {
    ...(authority && { authorityKey: authority.key, authority: authority.certificate }),
    key,
    certificate: certificate + (authority?.certificate ?? ''),
  });
  return described({ certificate, authority, names, leftOut: [], files });
}

/** The key stays, so that one file alone is replaced: key and certificate always fit. */
async function renew(
  { names: others, days }: CertificateRequest,
  place: CertificatePlace,
): Promise<ServerCertificate> {
  const files = filesIn(place.dataFolder);
  const [present, key, authority] = await Promise.all([
    textOf(files.certificate),
    textOf(files.key),
    readAuthority(files),
  ]);
  if (present === undefined || key === undefined || !authority) throw nothingToRenew(files);
  const known = namesIn(present);
  // What the authority was made for.
  const scope = scopeOf(known);
  const beyond = others.filter((name) => !isWithin(name, scope));
  if (beyond.length > 0) throw beyondScope(beyond);
  // Old addresses of this machine may be those of others by now.
  const kept = known.filter((name) => !isPrivate(name));
  const wanted = [...new Set([...others, ...kept, ...namesOf(place.machine)])];
  const names = wanted.filter((name) => isWithin(name, scope));
  const certificate = issue({ key, names, days, authority, place });
  await write(files, { certificate: certificate + authority.certificate });
  const leftOut = wanted.filter((name) => !names.includes(name));
  return described({ certificate, authority, names, leftOut, files });
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function newAuthority(
  names: readonly string[],
  { machine, now = new Date() }: CertificatePlace,
): Pair {
  const key = newKey();
  const day = now.toISOString().slice(0, 10);
  // The day, as some devices take authorities of one name for one and the same.
  const name = `Zerocast ${namesOf(machine)[0]} ${day}`;
  const party = { name, publicKey: createPublicKey(key), privateKey: createPrivateKey(key) };
  const certificate = createCertificate({
    subject: party,
    issuer: party,
    ...validity(authorityDays, now),
    use: { permitted: scopeOf(names) },
  });
  return { certificate, key };
}

/** Without an authority it signs itself. */
function issue({
  key,
  names,
  days,
  authority,
  place: { now = new Date() },
}: {
  readonly key: string;
  readonly names: readonly string[];
  readonly days: number;
  readonly authority: Pair | undefined;
  readonly place: CertificatePlace;
}): string {
  const subject = { name: names[0] ?? 'zerocast', publicKey: createPublicKey(key) };
  const signing = authority?.key ?? key;
  return createCertificate({
    subject,
    issuer: {
      name: authority ? commonNameOf(authority.certificate) : subject.name,
      publicKey: createPublicKey(signing),
      privateKey: createPrivateKey(signing),
    },
    ...validity(days, now),
    use: { names },
  });
}

function validity(days: number, now: Date) {
  const validFrom = new Date(now.getTime() - backdatedMs);
  return { validFrom, validTo: new Date(validFrom.getTime() + days * dayMs) };
}

function described({
  certificate,
  authority,
  names,
  leftOut,
  files,
}: Pick<ServerCertificate, 'names' | 'leftOut'> & {
  readonly certificate: string;
  readonly authority: Pair | undefined;
  readonly files: ReturnType<typeof filesIn>;
}): ServerCertificate {
  return {
    files: {
      certificate: files.certificate,
      key: files.key,
      ...(authority && { authority: files.authority }),
    },
    fingerprint: new X509Certificate(authority?.certificate ?? certificate).fingerprint256,
    names,
    leftOut,
    validTo: new Date(new X509Certificate(certificate).validTo),
  };
}

function filesIn(dataFolder: string) {
  const at = (name: string) => join(dataFolder, 'tls', name);
  return {
    authorityKey: at('ca.key'),
    authority: at('ca.crt'),
    key: at('server.key'),
    certificate: at('server.crt'),
  } as const;
}

/** For the user of the server alone, which is the one whom the data folder belongs to. */
async function write(
  files: ReturnType<typeof filesIn>,
  texts: { readonly [Name in keyof typeof files]?: string },
): Promise<void> {
  const folder = dirname(files.certificate);
  makeFolder(dirname(folder));
  makeFolder(folder, privateFolderMode);
  const { uid, gid } = await stat(dirname(folder));
  const isRoot = process.geteuid?.() === 0;
  for (const name of ['authorityKey', 'authority', 'key', 'certificate'] as const) {
    const text = texts[name];
    if (text === undefined) continue;
    await writeFileAtomically(files[name], text, fileModes.private);
    // Who has the folder may put a link in the place of the file meanwhile.
    if (isRoot) await lchown(files[name], uid, gid);
  }
  if (isRoot) await lchown(folder, uid, gid);
}

async function readAuthority(files: ReturnType<typeof filesIn>): Promise<Pair | undefined> {
  const [certificate, key] = [await textOf(files.authority), await textOf(files.authorityKey)];
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

/** `undefined` when there is none. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function namesIn(certificate: string): readonly string[] {
  const { subjectAltName = '' } = new X509Certificate(certificate);
  return subjectAltName
    .split(', ')
    .map((name) => name.replace(/^(?:DNS|IP Address):/, '').toLowerCase())
    .filter(isServerName);
}

function commonNameOf(certificate: string): string {
  return /^CN=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1] ?? '';
}

function checkedNames(names: readonly string[]): readonly string[] {
  const lower = names.map((name) => name.toLowerCase());
  const faulty = lower.filter((name) => !isServerName(name));
  if (faulty.length === 0) return lower.map((name) => (isIPv6(name) ? withoutDots(name) : name));
  throw fault(
    `${listOf(faulty)}: no name of a machine and no address; allowed: names such as ` +
      'music.example.org, addresses such as 192.168.1.5',
  );
}

/** Without an IPv4 address at its end. Source: WHATWG URL, "IPv6 serializer". */
function withoutDots(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function exists(path: string, certificate: string): ConfigError {
  const { validTo } = new X509Certificate(certificate);
  return fault(
    `${path} is there, valid until ${validTo}: --renew makes a new one by the same authority, ` +
      'which devices know, --replace makes all anew',
  );
}

function nothingToRenew({ certificate }: ReturnType<typeof filesIn>): ConfigError {
  return fault(
    `there is no authority beside ${certificate} that could renew it: leave --renew out, or ` +
      'make all anew with --replace',
  );
}

function beyondScope(names: readonly string[]): ConfigError {
  return fault(
    `the authority may not sign for ${listOf(names)}: make all anew with --replace, and have ` +
      'the devices install the new authority',
  );
}

function listOf(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(', ');
}

function fault(text: string): ConfigError {
  return new ConfigError('certificate', `make-certificate: ${text}`);
}
