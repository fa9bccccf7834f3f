import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { codeOf } from '../errors.ts';

/**
 * Makes a folder and those above it that are missing; returns the uppermost one that was made.
 *
 * `mkdirSync` with `recursive` tries for ever where a file system, such as /proc, has no folder and
 * refuses to make it for the same reason (seen in Node 20).
 *
 * Failure: throws the error of the system.
 */
export function makeFolder(path: string, mode = 0o777): string | undefined {
  const missing = missingFolders(resolve(path));
  for (const folder of missing) makeOne(folder, mode);
  return missing[0];
}

function missingFolders(path: string): readonly string[] {
  const parent = dirname(path);
  return existsSync(path) || parent === path ? [] : [...missingFolders(parent), path];
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Another process may have made it at the same moment.
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}
