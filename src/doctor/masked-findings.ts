import { mask, withoutSecrets } from '../base/secrets.ts';
import type { Finding } from './finding.ts';

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
