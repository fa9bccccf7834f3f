import type { Config } from './config.ts';

/** Shorter words would be found everywhere, and hiding them would show where. */
const minSecretCharacters = 4;

/** What must not be shown of a configuration. */
export function secretsOf({ authorization, ssl }: Config): readonly string[] {
  const passwords = authorization.user.map((entry) => entry.slice(entry.indexOf(':') + 1));
  const withoutRole = passwords.map((entry) => entry.replace(/:[^:]*$/, ''));
  return [...passwords, ...withoutRole, authorization.tokenSecret, ssl.keyPassword].filter(
    (secret) => secret.length >= minSecretCharacters,
  );
}
