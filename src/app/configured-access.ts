import { isDeepStrictEqual } from 'node:util';
import type { AccessEntries } from '../auth/access.ts';
import { type AccessOptions, createAccess } from '../auth/create-access.ts';
import { readTokenMaterial, type TokenSettings } from '../auth/token-command.ts';
import { OwnTokenKey } from '../auth/token-key.ts';
import { ConfigError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { SettingOrigins } from '../config/load-config.ts';

/** What entries were made of; kept apart from them, so that nothing secret travels with them. */
const bases = new WeakMap<AccessEntries, Partial<AccessOptions>>();
/** Of each; what it has signed outlives them. */
const ownKeys = new WeakMap<AccessEntries, OwnTokenKey>();

/**
 * Who may do what by this configuration: the `present` entries themselves where nothing of that
 * has changed, with what they have learned of passwords and of peers that guess them.
 *
 * Failure: rejects with a `ConfigError` that lists every fault of [authorization].
 */
export async function configuredAccess(
  config: Config,
  origins: SettingOrigins = new Map(),
  present?: AccessEntries,
): Promise<AccessEntries> {
  const { enabled, role, user } = config.authorization;
  const { allowCapture } = config.stream;
  const originsOf = (key: string) => origins.get(key) ?? [];
  try {
    const tokens = enabled ? await readTokenMaterial(tokenSettings(config)) : undefined;
    const basis = { enabled, allowCapture, roles: role, users: user, tokens };
    if (present && isDeepStrictEqual(bases.get(present), basis)) return present;
    const ownKey = (present && ownKeys.get(present)) ?? new OwnTokenKey();
    const entries = await createAccess({
      ...basis,
      ownKey,
      origins: { roles: originsOf('authorization.role'), users: originsOf('authorization.user') },
    });
    bases.set(entries, basis);
    ownKeys.set(entries, ownKey);
    return entries;
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code !== 'bad-token-key') throw error;
    const { tokenSecret } = config.authorization;
    const [origin] = originsOf(tokenSecret ? 'authorization.token_secret' : 'ssl.certificate_key');
    if (origin === undefined) throw error;
    throw new ConfigError(error.code, `${origin}: ${error.message}`, { cause: error });
  }
}

export function tokenSettings({ authorization, ssl }: Config): TokenSettings {
  return {
    tokenSecret: authorization.tokenSecret,
    certificate: ssl.certificate,
    certificateKey: ssl.certificateKey,
    keyPassword: ssl.keyPassword,
  };
}
