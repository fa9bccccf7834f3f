import { X509Certificate } from 'node:crypto';

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The private authority behind a chain in PEM, which devices have to install; a public one has no such end. */
export function authorityOf(chain = ''): string | undefined {
  const last = chain.match(block)?.at(-1);
  if (last === undefined) return undefined;
  const { ca, subject, issuer } = new X509Certificate(last);
  return ca && subject === issuer ? `${last}\n` : undefined;
}
