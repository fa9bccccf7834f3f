import { fstatSync, lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileGate } from '../audio/sources/file-gate.ts';
import { SourceError } from '../errors.ts';
import { isBelow } from './sandbox.ts';

/** What is in there is no audio, and may do something when it is opened. */
const systemFolders = ['/dev', '/proc', '/sys'];
const readableByAll = 0o004;

/** A reload of the configuration may change both. */
export interface SourceFoldersOptions {
  /** Where files and pipes of streams that controllers add may lie. */
  readonly folders: readonly string[];
  /** Files and folders of the server itself. */
  readonly own: readonly string[];
}

/**
 * Where the sources that controllers name may read: below certain folders, never from the system or
 * from what the server itself has, and only what everybody on this machine may read.
 *
 * Links are resolved, and what was opened is looked at again.
 */
export class SourceFolders implements FileGate {
  readonly #options: SourceFoldersOptions;

  constructor(options: SourceFoldersOptions) {
    this.#options = options;
  }

  checkPath(path: string): void {
    this.#checkPlace(realPathOf(path));
  }

  checkOpen(path: string, descriptor: number): void {
    const real = realPathOf(path);
    this.#checkPlace(real);
    const opened = fstatSync(descriptor);
    const named = lstatSync(real, { throwIfNoEntry: false });
    if (named?.ino !== opened.ino || named.dev !== opened.dev) {
      throw refused('it was replaced at the moment at which it was opened');
    }
    if (opened.isFile() && opened.nlink > 1) {
      throw refused('it has a second name, which may lie elsewhere: copy it');
    }
    if ((opened.mode & readableByAll) === 0) {
      throw refused('not everybody on this machine may read it: allow that by chmod o+r');
    }
  }

  #checkPlace(real: string): void {
    const { folders, own } = this.#options;
    if (!folders.some((folder) => isBelow(real, realPathOf(folder)))) {
      throw refused(
        `files and pipes of streams that controllers add must lie in ${folders.join(' or ')}: ` +
          'allow further folders by source_dir in the section [stream]',
      );
    }
    const isIn = (place: string) => real === place || isBelow(real, place);
    if ([...systemFolders, ...own.map(realPathOf)].some(isIn)) {
      throw refused('it belongs to the system or to the server itself: choose another path');
    }
  }
}

/** With all links resolved as far as there is anything; the rest as it is named. */
function realPathOf(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const parent = dirname(whole);
    return parent === whole ? whole : join(realPathOf(parent), basename(whole));
  }
}

function refused(why: string): SourceError {
  return new SourceError('not-allowed', why);
}
