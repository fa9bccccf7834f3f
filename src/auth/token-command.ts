import { readFile } from 'node:fs/promises';
import { ConfigError, messageOf } from '../base/errors.ts';
import { signingKey, type TokenMaterial } from './token-key.ts';
import { signToken } from './tokens.ts';
import { readUsers, type UserEntries } from './user-entries.ts';

/** Settings of [authorization] and [ssl]; empty texts stand for nothing. */
export interface TokenSettings {
  readonly tokenSecret: string;
  /** File names. */
  readonly certificate: string;
  readonly certificateKey: string;
  readonly keyPassword: string;
}

/** What signs tokens; files are read only without a secret. Failure: a `ConfigError`. */
export async function readTokenMaterial(settings: TokenSettings): Promise<TokenMaterial> {
  const { tokenSecret, certificate, certificateKey, keyPassword } = settings;
  if (tokenSecret) return { secret: tokenSecret };
  return {
    certificatePem: await readPem('certificate', certificate),
    privateKeyPem: await readPem('certificate_key', certificateKey),
    privateKeyPassword: keyPassword || undefined,
  };
}

async function readPem(setting: string, path: string): Promise<string | undefined> {
  if (!path) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const message = `[ssl] ${setting} cannot be read: ${messageOf(cause)}`;
    throw new ConfigError('bad-token-key', message, { cause });
  }
}

/** The token that `zerocast token` prints. Failure: rejects with a `ConfigError`. */
export async function issueToken(
  request: UserEntries & {
    readonly user: string;
    readonly hours: number;
    readonly settings: TokenSettings;
  },
): Promise<string> {
  const { user, hours, settings } = request;
  if (!readUsers(request).has(user)) {
    const name = JSON.stringify(user);
    throw new ConfigError('unknown-user', `[authorization] has no user ${name}; add one first`);
  }
  const key = signingKey(await readTokenMaterial(settings));
  return signToken({ user, lifetimeSeconds: Math.ceil(hours * 3600) }, key);
}
