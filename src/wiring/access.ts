import type { AccessEntries } from '../auth/access.ts';
import { createAccess } from '../auth/create-access.ts';
import { readTokenMaterial, type TokenSettings } from '../auth/token-command.ts';
import type { Config } from '../config/config.ts';
import type { SettingOrigins } from '../config/load-config.ts';
import { ConfigError } from '../errors.ts';

/** Failure: rejects with a `ConfigError` that lists every fault of [authorization]. */
export async function openAccess(
  config: Config,
  origins: SettingOrigins = new Map(),
): Promise<AccessEntries> {
  const { enabled, role, user } = config.authorization;
  const originsOf = (key: string) => origins.get(key) ?? [];
  try {
    return await createAccess({
      enabled,
      roles: role,
      users: user,
      origins: { roles: originsOf('authorization.role'), users: originsOf('authorization.user') },
      tokens: enabled ? await readTokenMaterial(tokenSettings(config)) : undefined,
    });
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
