import type { Access } from '../auth/access.ts';
import { createAccess } from '../auth/create-access.ts';
import { readTokenMaterial, type TokenSettings } from '../auth/token-command.ts';
import type { Config } from '../config/config.ts';

/** Failure: rejects with a `ConfigError` that lists every fault of [authorization]. */
export async function openAccess(config: Config): Promise<Access> {
  const { enabled, role, user } = config.authorization;
  return createAccess({
    enabled,
    roles: role,
    users: user,
    tokens: enabled ? await readTokenMaterial(tokenSettings(config)) : undefined,
  });
}

export function tokenSettings({ authorization, ssl }: Config): TokenSettings {
  return {
    tokenSecret: authorization.tokenSecret,
    certificate: ssl.certificate,
    certificateKey: ssl.certificateKey,
    keyPassword: ssl.keyPassword,
  };
}
