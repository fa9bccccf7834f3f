import { fstatSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileGate } from '../audio/sources/file-gate.ts';
import { SourceError } from '../base/errors.ts';
import { isBelow } from './sandbox.ts';

/** What is in there is no audio, and may do something when it is opened. */
const systemFolders = ['/dev', '/proc', '/sys'];
const readableByAll = 0o004;
const searchableByAll = 0o001;
/** Fifos that are made for controllers: they stay, and a disk has so many files only. */
export const maxMadeFifos = 1000;

interface SourceFoldersSettings {
  /** Where files and pipes of streams that controllers add may lie. */
  readonly folders: readonly string[];
  /** Files and folders of the server itself. */
  readonly own: readonly string[];
}

/**
 * Where the sources that controllers name may read: below certain folders, never from the system or
 * from what the server itself has, and only what every user of this machine may read.
 *
 * Links are resolved, and what was opened is looked at again.
 */
export class SourceFolders implements FileGate {
  readonly #settings: () => SourceFoldersSettings;
  #madeFifos = 0;

  constructor(settings: () => SourceFoldersSettings) {
    this.#settings = settings;
  }

  checkPath(path: string): void {
    this.#checkPlace(realPathOf(path));
  }

  takeFifo(): void {
    if (this.#madeFifos >= maxMadeFifos) {
      throw refused(
        `${maxMadeFifos} pipes were made for controllers since the start, which is the limit: ` +
          'make it by mkfifo, or restart the server',
      );
    }
    this.#madeFifos += 1;
  }

  checkOpen(path: string, descriptor: number): void {
    const real = nameOf(descriptor) ?? realPathOf(path);
    const folder = this.#checkPlace(real);
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
    for (let at = dirname(real); at !== folder; at = dirname(at)) checkSearchable(at);
  }

  /** Returns the nearest folder around it that is allowed. */
  #checkPlace(real: string): string {
    const { folders, own } = this.#settings();
    const around = folders.map(realPathOf).filter((folder) => isBelow(real, folder));
    const [nearest] = around.sort((a, b) => b.length - a.length);
    if (nearest === undefined) {
      throw refused(
        `files and pipes of streams that controllers add must lie in ${folders.join(' or ')}: ` +
          'allow further folders by source_dir in the section [stream]',
      );
    }
    const isIn = (place: string) => real === place || isBelow(real, place);
    if ([...systemFolders, ...own.map(realPathOf)].some(isIn)) {
      throw refused('it belongs to the system or to the server itself: choose another path');
    }
    return nearest;
  }
}

/** Folders between a file and the one that the configuration names may be closed to others. */
function checkSearchable(folder: string): void {
  if ((statSync(folder).mode & searchableByAll) === 0) {
    throw refused(`not everybody on this machine may enter ${folder}: allow that by chmod o+x`);
  }
}

/** Where the opened file itself lies: no link can be changed between two looks. Linux alone tells. */
function nameOf(descriptor: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
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
