import { mask, withoutSecrets } from '../base/secrets.ts';
import type { Config } from '../config/config.ts';
import type { Finding } from './finding.ts';

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

/** The finding without secrets, and without characters that would do something to a terminal. */
export function shown(finding: Finding, secrets: readonly string[]): Finding {
  const { level, text, mend } = finding;
  const safe = (words: string) => printable(masked(words, secrets));
  return { level, text: safe(text), ...(mend !== undefined && { mend: safe(mend) }) };
}

function masked(text: string, secrets: readonly string[]): string {
  const hidden = secrets.reduce((rest, secret) => rest.replaceAll(secret, mask), text);
  return withoutSecrets(hidden);
}

function printable(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replace(/\p{Cc}/gu, '?');
}
