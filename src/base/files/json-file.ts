import { chmod, constants, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, messageOf, ZerocastError } from '../errors.ts';
import { parseJson } from '../foreign-text.ts';
import type { Logger } from '../logger.ts';
import { fileModes, probeFolderOf, removeTemporaries, writeFileAtomically } from './atomic-file.ts';
import { makeFolder } from './make-folder.ts';

const folderMode = 0o775;
/** Copies of damaged files within one second; a person should have looked before. */
const maxDamagedCopies = 100;

/** The content of a file makes no sense: it is set aside. */
export class DamagedFileError extends ZerocastError {
  constructor(message: string) {
    super('damaged-file', message);
  }
}

interface JsonFileOptions {
  readonly path: string;
  readonly logger: Logger;
  /** Longer files are taken for damaged. */
  readonly maxBytes: number;
  /** It may hold passwords: only the user of the server may read it. */
  readonly isPrivate?: boolean;
}

/**
 * A small file with one JSON value that only this server writes.
 *
 * Failure: nothing rejects; the log says what is wrong and what to do, and the server goes on
 * without the file. Two servers that share one overwrite each other's: there is no lock.
 */
export class JsonFile {
  readonly path: string;
  readonly #logger: Logger;
  readonly #maxBytes: number;
  readonly #mode: number;
  #isWritable: boolean;
  #isFailing = false;

  private constructor(options: JsonFileOptions & { readonly isWritable: boolean }) {
    this.path = options.path;
    this.#logger = options.logger;
    this.#maxBytes = options.maxBytes;
    this.#mode = options.isPrivate ? fileModes.private : fileModes.open;
    this.#isWritable = options.isWritable;
  }

  /** Makes the folder, and removes what a killed process has left in it. */
  static async open(options: JsonFileOptions): Promise<JsonFile> {
    // A link stays a link: the file that it names is replaced.
    const path = await realpath(options.path).catch(() => options.path);
    const isWritable = await prepareFolder(path, options.logger);
    // Another user may have made it, or an earlier version.
    if (options.isPrivate) await chmod(path, fileModes.private).catch(() => undefined);
    return new JsonFile({ ...options, path, isWritable });
  }

  /** False when the file must stay as it is, or cannot be written here. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  /**
   * What `parse` makes of the file; nothing if there is none, if it is empty, or if it is damaged
   * (`parse` throws a `DamagedFileError`).
   */
  async read<T>(parse: (json: unknown) => T): Promise<T | undefined> {
    try {
      // Trimming also removes the byte order mark that some editors put in front.
      const text = (await this.#text()).trim();
      return text ? parse(jsonOf(text)) : undefined;
    } catch (error) {
      if (error instanceof DamagedFileError) await this.#setAside(error.message);
      else this.#refuse(error);
      return undefined;
    }
  }

  /** Replaces the file; false when that failed. */
  async write(text: string | Iterable<string>): Promise<boolean> {
    if (!this.#isWritable) return false;
    try {
      await writeFileAtomically(this.path, text, this.#mode);
    } catch (error) {
      this.#onFailed(error);
      return false;
    }
    if (this.#isFailing) this.#logger.notice('file can be written again', { file: this.path });
    this.#isFailing = false;
    return true;
  }

  async #text(): Promise<string> {
    const file = await open(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      // Anything else, a fifo for instance, might never end.
      if (!facts.isFile()) throw new ZerocastError('no-file', 'it is not a regular file');
      if (facts.size > this.#maxBytes) {
        throw new DamagedFileError(`it has more than ${this.#maxBytes} bytes`);
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  }

  /** What cannot be read may still be worth something to its owner. */
  #refuse(error: unknown): void {
    if (codeOf(error) === 'ENOENT' || !this.#isWritable) return;
    this.#isWritable = false;
    this.#logger.error('file cannot be read and is left as it is, nothing is saved', {
      file: this.path,
      reason: messageOf(error),
      remedy: remedyOf(error),
    });
  }

  async #setAside(reason: string): Promise<void> {
    const fields = { file: this.path, reason };
    try {
      const keptAs = await moveAside(this.path);
      this.#logger.error('file is damaged and was set aside', { ...fields, keptAs });
    } catch (error) {
      this.#isWritable = false;
      this.#logger.error('file is damaged and cannot be set aside, nothing is saved', {
        ...fields,
        fault: messageOf(error),
        remedy: 'move the file away and restart the server',
      });
    }
  }

  #onFailed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#logger.error('file cannot be written, changes are kept in memory', {
      file: this.path,
      reason: messageOf(error),
      remedy: remedyOf(error),
    });
  }
}

async function prepareFolder(path: string, logger: Logger): Promise<boolean> {
  const folder = dirname(path);
  try {
    makeFolder(folder, folderMode);
    await removeTemporaries(path);
    await probeFolderOf(path);
    return true;
  } catch (error) {
    // A write will say so, and be repeated.
    if (isDiskFull(error)) return true;
    logger.warn('folder cannot be written, nothing is saved', {
      folder,
      reason: messageOf(error),
      remedy: 'set datadir in the section [server] to a folder that the server may write to',
    });
    return false;
  }
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    // The parser's own words quote the text, which may hold credentials.
    throw new DamagedFileError('it is not JSON, or was cut short');
  }
}

/** Renames a file without overwriting another one, and returns its new name. */
async function moveAside(path: string): Promise<string> {
  const target = await claimName(`${path}.damaged-${timestamp()}`);
  try {
    await rename(path, target);
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
  return target;
}

/** Makes an empty file under a name that no file has, for a rename to replace. */
async function claimName(name: string): Promise<string> {
  for (let copy = 1; ; copy += 1) {
    const candidate = copy === 1 ? name : `${name}-${copy}`;
    try {
      await (await open(candidate, 'wx')).close();
      return candidate;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || copy === maxDamagedCopies) throw error;
    }
  }
}

/** UTC without characters that file systems dislike: `20261121T111714Z`. */
function timestamp(): string {
  return new Date().toISOString().replace(/[-:]|\.\d+/g, '');
}

function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(error));
}

const remedies: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'give the user of the server the right to read and write the file and its folder'],
  ['EPERM', 'give the user of the server the right to read and write the file and its folder'],
  ['EROFS', 'set datadir in the section [server] to a folder on a writable file system'],
  ['ENOSPC', 'free some space on the disk'],
  ['EDQUOT', 'free some space on the disk'],
  ['EBUSY', 'mount the folder of the file instead of the file'],
  ['EIO', 'check the disk'],
]);

function remedyOf(error: unknown): string {
  return remedies.get(codeOf(error)) ?? 'check the folder, or set datadir in the section [server]';
}
