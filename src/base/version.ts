import { readFileSync } from 'node:fs';

/** The snapserver release whose behaviour clients and controllers may expect. */
export const compatibleVersion = '0.34.0';

// Lies at the same depth in src/ and in dist/.
const manifest: unknown = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);

/** The version of this package, for example `0.1.0`. */
export const packageVersion: string = (manifest as { readonly version: string }).version;
