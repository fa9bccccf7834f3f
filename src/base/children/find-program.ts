import { accessSync, constants, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SourceError } from '../errors.ts';

/**
 * Where the program of a stream lies: at `path`, else the first of its name in `searchPath`.
 *
 * Failure: throws a `SourceError` when there is none that may be executed; it names the package to
 * install where that is known.
 */
export function findProgram(
  path: string,
  searchPath = process.env.PATH ?? '',
  packageName?: string,
): string {
  const folders = searchPath.split(':').filter((folder) => folder.startsWith('/'));
  const candidates = [path, ...folders.map((folder) => join(folder, basename(path)))];
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  const remedy =
    packageName === undefined ? 'install it or fix the path' : `install ${packageName}`;
  throw new SourceError(
    'no-program',
    statSync(path, { throwIfNoEntry: false })?.isFile()
      ? `the program ${path} may not be executed: make it executable with chmod +x`
      : `the program ${path} does not exist, and PATH has no ${basename(path)}: ${remedy}`,
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
