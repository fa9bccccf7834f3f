import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder } from './package-folder.ts';

/** The snapserver release whose behaviour clients and controllers may expect. */
export const compatibleVersion = '0.34.0';

const manifest: unknown = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));

/** The version of this package, for example `0.1.0`. */
export const packageVersion: string = (manifest as { readonly version: string }).version;
