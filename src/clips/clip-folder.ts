import { constants, type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import { ClipError } from './clip-error.ts';
import type { ClipVersion } from './clip-facts.ts';
import { clipName, isClipName } from './clip-name.ts';
import { folderFault } from './folder-fault.ts';

/** Never what a link leads to, nor what would make us wait. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file of the library, and where it lies. */
interface ClipFile extends ClipVersion {
  readonly name: string;
  readonly path: string;
}

/** The files of the library. Failure: its methods reject with a `ClipError`. */
export class ClipFolder {
  readonly #path: string | undefined;

  /** Absent: there is no library, it is empty. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Failure: throws a `ClipError` when there is none. */
  get path(): string {
    if (this.#path !== undefined) return this.#path;
    throw new ClipError('no-library', 'this server keeps nothing: name a folder by [clips] folder');
  }

  /** In the order of their names. */
  async list(): Promise<readonly ClipFile[]> {
    if (this.#path === undefined) return [];
    const names = await readdir(this.path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw folderFault(error);
    });
    const files = new Map<string, ClipFile>();
    for (const name of names.filter(isClipName)) {
      const file = await fileAt(join(this.path, name), clipName(name));
      if (file) files.set(file.name, file);
    }
    return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async find(name: string): Promise<ClipFile> {
    const file = await fileAt(await this.#pathOf(name), name);
    if (!file) throw unknown(name);
    return file;
  }

  /** Ownership: the caller closes it. */
  async open(name: string): Promise<FileHandle> {
    const file = await open(await this.#pathOf(name), openFlags).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') throw unknown(name);
      throw folderFault(error);
    });
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw unknown(name);
  }

  /** Of a file whose name is written in another way, too: some systems take letters apart. */
  async #pathOf(name: string): Promise<string> {
    if (this.#path === undefined) throw unknown(name);
    const path = join(this.path, name);
    if (await lstat(path).catch(() => undefined)) return path;
    const names = await readdir(this.path).catch(() => []);
    return join(this.path, names.find((other) => other.normalize('NFC') === name) ?? name);
  }
}

/** What is written to while it is read has no end of its own. */
export async function readAll(file: FileHandle, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  let at = 0;
  while (at < sizeBytes) {
    const { bytesRead } = await file.read(bytes, at, sizeBytes - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** `undefined` for what is no file of its own, or longer. */
export async function readSmall(path: string, maxBytes: number): Promise<string | undefined> {
  const file = await open(path, openFlags).catch(() => undefined);
  if (!file) return undefined;
  try {
    const facts = await file.stat();
    if (!facts.isFile() || facts.size > maxBytes) return undefined;
    return (await readAll(file, facts.size)).toString();
  } finally {
    await file.close();
  }
}

/** `undefined` for what is no file of its own. */
async function fileAt(path: string, name: string): Promise<ClipFile | undefined> {
  const facts = await lstat(path).catch(() => undefined);
  if (!facts?.isFile()) return undefined;
  return { name, path, bytes: facts.size, modifiedMs: facts.mtimeMs };
}

function unknown(name: string): ClipError {
  return new ClipError('unknown-clip', `there is no clip ${JSON.stringify(name)}`);
}
