import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { ecdsaWithSHA256 } from '@peculiar/asn1-ecc';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as x509 from '@peculiar/asn1-x509';

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
/** Source: RFC 4519. */
const attributes = { commonName: '2.5.4.3', organisation: '2.5.4.10' } as const;
const serialBytes = 16;
const uncompressedPointBytes = 65;

/**
 * A certificate in PEM, version 3, signed by a key of the curve P-256.
 *
 * Source: RFC 5280; what phones demand of it: subject alternative names, the key usage for servers.
 */
export function createCertificate(options: CertificateOptions): string {
  const { subject, issuer, validFrom, validTo } = options;
  const serial = randomBytes(serialBytes);
  // Neither negative nor shorter than the others.
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  const tbsCertificate = new x509.TBSCertificate({
    version: x509.Version.v3,
    serialNumber: arrayBuffer(serial),
    signature: ecdsaWithSHA256,
    issuer: distinguishedName(issuer),
    validity: new x509.Validity({ notBefore: validFrom, notAfter: validTo }),
    subject: distinguishedName(subject),
    subjectPublicKeyInfo: AsnConvert.parse(spkiOf(subject), x509.SubjectPublicKeyInfo),
    extensions: new x509.Extensions(extensionsOf(options)),
  });
  const content = Buffer.from(AsnConvert.serialize(tbsCertificate));
  const certificate = new x509.Certificate({
    tbsCertificate,
    signatureAlgorithm: ecdsaWithSHA256,
    signatureValue: arrayBuffer(sign('sha256', content, issuer.privateKey)),
  });
  return pem(Buffer.from(AsnConvert.serialize(certificate)));
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName({ name }: Party): x509.Name {
  const part = (type: string, utf8String: string) =>
    new x509.RelativeDistinguishedName([
      new x509.AttributeTypeAndValue({ type, value: new x509.AttributeValue({ utf8String }) }),
    ]);
  return new x509.Name([
    part(attributes.organisation, organisation),
    part(attributes.commonName, name),
  ]);
}

function extensionsOf({ subject, issuer, use }: CertificateOptions): x509.Extension[] {
  const keys = [
    extension(x509.id_ce_subjectKeyIdentifier, new x509.SubjectKeyIdentifier(keyId(subject))),
    extension(
      x509.id_ce_authorityKeyIdentifier,
      new x509.AuthorityKeyIdentifier({ keyIdentifier: new x509.KeyIdentifier(keyId(issuer)) }),
    ),
  ];
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
  if ('permitted' in use) {
    const { names, networks } = use.permitted;
    const scopes = [...names, ...networks.map(([address, bits]) => `${address}/${bits}`)];
    const subtrees = scopes.map((scope) => new x509.GeneralSubtree({ base: generalName(scope) }));
    return [
      // Signs servers alone, no further authorities.
      critical(
        x509.id_ce_basicConstraints,
        new x509.BasicConstraints({ cA: true, pathLenConstraint: 0 }),
      ),
      critical(x509.id_ce_keyUsage, new x509.KeyUsage(keyCertSign | cRLSign)),
      critical(
        x509.id_ce_nameConstraints,
        new x509.NameConstraints({ permittedSubtrees: new x509.GeneralSubtrees(subtrees) }),
      ),
      ...keys,
    ];
  }
  return [
    critical(x509.id_ce_basicConstraints, new x509.BasicConstraints()),
    critical(x509.id_ce_keyUsage, new x509.KeyUsage(digitalSignature)),
    extension(x509.id_ce_extKeyUsage, new x509.ExtendedKeyUsage([x509.id_kp_serverAuth])),
    extension(
      x509.id_ce_subjectAltName,
      new x509.SubjectAlternativeName(use.names.map(generalName)),
    ),
    ...keys,
  ];
}

/** Shape: a name, an address, or a network as `10.0.0.0/8`. */
function generalName(text: string): x509.GeneralName {
  const isAddress = isIP(text.replace(/\/\d+$/, '')) !== 0;
  return new x509.GeneralName(isAddress ? { iPAddress: text } : { dNSName: text });
}

function extension(extnID: string, content: object, critical = false): x509.Extension {
  const extnValue = new OctetString(AsnConvert.serialize(content));
  return new x509.Extension({ extnID, critical, extnValue });
}

/** One that a client must know, or refuse the certificate. */
function critical(extnID: string, content: object): x509.Extension {
  return extension(extnID, content, true);
}

/** Source: RFC 5280, 4.2.1.2, the first of the common ways. */
function keyId(party: Party): ArrayBuffer {
  const point = spkiOf(party).subarray(-uncompressedPointBytes);
  return arrayBuffer(createHash('sha1').update(point).digest());
}

function spkiOf({ publicKey }: Party): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** Of its own, as a small `Buffer` lies in one that is shared. */
function arrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
