import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { addressBytes } from './address-bytes.ts';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

/** Shape: what stands behind `CN=`; the organisation is the same in all. */
interface Party {
  readonly name: string;
  readonly publicKey: KeyObject;
}

interface CertificateOptions {
  readonly subject: Party;
  /** The same party for one that signs itself. */
  readonly issuer: Party & { readonly privateKey: KeyObject };
  readonly validFrom: Date;
  readonly validTo: Date;
  /** Names and addresses of a server, or what an authority may sign for. */
  readonly use:
    | { readonly names: readonly string[] }
    | { readonly permitted: { readonly names: readonly string[]; readonly networks: Networks } };
}

/** Shape: `[address, prefix length]`. */
export type Networks = readonly (readonly [string, number])[];

const organisation = 'Zerocast';
const identifiers = {
  commonName: '2.5.4.3',
  organisation: '2.5.4.10',
  subjectKey: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKey: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const;
/** Numbers of the kinds of a general name. Source: RFC 5280, 4.2.1.6. */
const dnsName = 2;
const ipAddress = 7;
const serialBytes = 16;
const uncompressedPointBytes = 65;

/**
 * A certificate in PEM, version 3, signed by a key of the curve P-256.
 *
 * Source: RFC 5280; what phones demand of it: subject alternative names, the key usage for servers.
 */
export function createCertificate(options: CertificateOptions): string {
  const { subject, issuer, validFrom, validTo } = options;
  const algorithm = sequence(objectIdentifier(identifiers.ecdsaWithSha256));
  const serial = randomBytes(serialBytes);
  // Neither negative nor shorter than the others.
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  const content = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    distinguishedName(issuer),
    sequence(time(validFrom), time(validTo)),
    distinguishedName(subject),
    subject.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensionsOf(options))),
  );
  const signature = sign('sha256', content, issuer.privateKey);
  return pem(sequence(content, algorithm, bitString(signature)));
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName({ name }: Party): Buffer {
  const part = (identifier: string, text: string) =>
    set(sequence(objectIdentifier(identifier), utf8String(text)));
  return sequence(part(identifiers.organisation, organisation), part(identifiers.commonName, name));
}

function extensionsOf({ subject, issuer, use }: CertificateOptions): readonly Buffer[] {
  const keys = [
    extension(identifiers.subjectKey, octetString(keyId(subject))),
    extension(identifiers.authorityKey, sequence(implicit(0, keyId(issuer)))),
  ];
  if ('permitted' in use) {
    const { names, networks } = use.permitted;
    const subtrees = [
      ...names.map((name) => sequence(implicit(dnsName, Buffer.from(name, 'latin1')))),
      ...networks.map(([address, bits]) => sequence(implicit(ipAddress, network(address, bits)))),
    ];
    return [
      // Signs servers alone, no further authorities.
      critical(identifiers.basicConstraints, sequence(boolean(true), integer(Buffer.from([0])))),
      critical(identifiers.keyUsage, bitString(Buffer.from([0b0000_0110]), 1)),
      critical(identifiers.nameConstraints, sequence(explicit(0, ...subtrees))),
      ...keys,
    ];
  }
  const names = use.names.map((name) =>
    isIP(name)
      ? implicit(ipAddress, addressBytes(name))
      : implicit(dnsName, Buffer.from(name, 'latin1')),
  );
  return [
    critical(identifiers.basicConstraints, sequence()),
    critical(identifiers.keyUsage, bitString(Buffer.from([0b1000_0000]), 7)),
    extension(
      identifiers.extendedKeyUsage,
      sequence(objectIdentifier(identifiers.serverAuthentication)),
    ),
    extension(identifiers.alternativeNames, sequence(...names)),
    ...keys,
  ];
}

function extension(identifier: string, content: Buffer): Buffer {
  return sequence(objectIdentifier(identifier), octetString(content));
}

/** One that a client must know, or refuse the certificate. */
function critical(identifier: string, content: Buffer): Buffer {
  return sequence(objectIdentifier(identifier), boolean(true), octetString(content));
}

/** Source: RFC 5280, 4.2.1.2, the first of the common ways. */
function keyId({ publicKey }: Party): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha1').update(spki.subarray(-uncompressedPointBytes)).digest();
}

/** Address and mask. */
function network(address: string, bits: number): Buffer {
  const bytes = addressBytes(address);
  const mask = bytes.map(
    (_, index) => 0xff & ~(0xff >> Math.min(8, Math.max(0, bits - 8 * index))),
  );
  return Buffer.concat([bytes, mask]);
}
