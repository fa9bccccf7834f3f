import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { ConfigError } from '../base/errors.ts';
import type { Password } from './user-entries.ts';

/** What Bearer tokens are signed and verified with: the secret, else certificate and key. */
export interface TokenMaterial {
  readonly secret?: string | undefined;
  readonly certificatePem?: string | undefined;
  readonly privateKeyPem?: string | undefined;
  readonly privateKeyPassword?: string | undefined;
}

/** A key with the one algorithm that it may be used for. */
export interface TokenKey {
  readonly algorithm: string;
  readonly key: KeyObject;
}

/** As long as the hash of HS256. Source: RFC 7518, 3.2. */
const minSecretCharacters = 32;
/** Source: RFC 7518, 3.3. */
const minRsaBits = 2048;

const algorithmOfCurve: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
]);

/** Signs tokens while the configuration has no key: made for the first one, and lost at the end. */
export class OwnTokenKey {
  #key: TokenKey | undefined;

  /** Absent while no token was signed with it. */
  get key(): TokenKey | undefined {
    return this.#key;
  }

  make(): TokenKey {
    this.#key ??= { algorithm: 'HS256', key: createSecretKey(randomBytes(minSecretCharacters)) };
    return this.#key;
  }
}

/** What one configuration checks and signs tokens with. */
export class TokenKeys {
  /** That of the configuration, if there is one. */
  readonly configured: TokenKey | undefined;
  readonly #material: TokenMaterial;
  readonly #own: OwnTokenKey;
  #signing: TokenKey | undefined;

  /** Failure: throws a `ConfigError`. */
  constructor(material: TokenMaterial, own: OwnTokenKey) {
    this.configured = verificationKey(material);
    this.#material = material;
    this.#own = own;
  }

  /** What checks them now; absent while there is no token. */
  get present(): TokenKey | undefined {
    return this.configured ?? this.#own.key;
  }

  /** Failure: throws a `ConfigError` when there is none. */
  get signing(): TokenKey {
    if (!this.configured) return this.#own.make();
    this.#signing ??= signingKey(this.#material);
    return this.#signing;
  }

  /**
   * What a token says of the password that it stands for: without the key that signs tokens it is no
   * help to guess that. Failure: throws a `ConfigError` when there is none.
   */
  markOf(password: Password): string {
    const { key } = this.signing;
    const secret = key.type === 'secret' ? key : key.export({ type: 'pkcs8', format: 'der' });
    // What is signed of a token never begins like this.
    const text = `password ${JSON.stringify(password)}`;
    return createHmac('sha256', secret).update(text).digest('base64url');
  }
}

/** The key that checks signatures, if one is set. Failure: throws a `ConfigError`. */
function verificationKey(material: TokenMaterial): TokenKey | undefined {
  const { secret, certificatePem, privateKeyPem } = material;
  if (secret) return secretKey(secret);
  if (certificatePem) {
    return asymmetric('certificate', () => new X509Certificate(certificatePem).publicKey);
  }
  if (!privateKeyPem) return undefined;
  return asymmetric('certificate_key', () => createPublicKey(privateKeyOf(material)));
}

/** Failure: throws a `ConfigError`, also when there is no key. */
export function signingKey(material: TokenMaterial): TokenKey {
  const { secret, certificatePem, privateKeyPem } = material;
  if (secret) return secretKey(secret);
  if (!privateKeyPem) {
    throw badKey('there is no key to sign tokens with; set token_secret to 32 characters or more');
  }
  const key = asymmetric('certificate_key', () => privateKeyOf(material));
  if (certificatePem && !isPair(certificatePem, key.key)) {
    throw badKey('certificate_key of [ssl] does not belong to certificate; set both anew');
  }
  return key;
}

function secretKey(secret: string): TokenKey {
  if (secret.length < minSecretCharacters) {
    throw badKey(
      `token_secret has ${secret.length} characters; allowed: at least ${minSecretCharacters}`,
    );
  }
  return { algorithm: 'HS256', key: createSecretKey(secret, 'utf8') };
}

function asymmetric(setting: string, read: () => KeyObject): TokenKey {
  const key = reading(setting, read);
  const algorithm = algorithmFor(key);
  if (algorithm === undefined) {
    throw badKey(
      `the key of ${setting} in [ssl] cannot sign tokens; ` +
        `allowed: RSA of at least ${minRsaBits} bits, EC P-256 or P-384. Or set token_secret`,
    );
  }
  return { algorithm, key };
}

/** The fault as OpenSSL words it says nothing about the content of the file. */
function reading<Value>(setting: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    const message =
      `${setting} of [ssl] cannot be read; allowed: a file in PEM format, ` +
      'and for an encrypted key its password in key_password';
    throw new ConfigError('bad-token-key', message, { cause });
  }
}

function privateKeyOf({ privateKeyPem = '', privateKeyPassword }: TokenMaterial): KeyObject {
  // Without a passphrase Node would ask for one on the terminal.
  return createPrivateKey({ key: privateKeyPem, passphrase: privateKeyPassword ?? '' });
}

function isPair(certificatePem: string, key: KeyObject): boolean {
  return reading('certificate', () => new X509Certificate(certificatePem)).checkPrivateKey(key);
}

function algorithmFor({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  if (asymmetricKeyType === 'ec') return algorithmOfCurve.get(asymmetricKeyDetails?.namedCurve);
  if (asymmetricKeyType !== 'rsa') return undefined;
  return (asymmetricKeyDetails?.modulusLength ?? 0) >= minRsaBits ? 'RS256' : undefined;
}

function badKey(fault: string): ConfigError {
  return new ConfigError('bad-token-key', `[authorization] ${fault}`);
}
