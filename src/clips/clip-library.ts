import { constants, type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { SampleFormat } from '../audio/sample-format.ts';
import { codeOf, messageOf } from '../base/errors.ts';
import type { ClipAudio } from './clip-audio.ts';
import type { ClipDecoder } from './clip-decoder.ts';
import { ClipError } from './clip-error.ts';
import { clipName, isClipName } from './clip-name.ts';

/** The endings of files without a header. */
const rawEndings: readonly string[] = ['.raw', '.pcm'];

interface ClipLibrarySettings {
  readonly maxClipBytes: number;
  /** Longer clips are refused when they are opened. */
  readonly maxSeconds: number;
  /** Of files without a header. */
  readonly rawFormat: SampleFormat;
}

/** One file of the library. */
interface Clip {
  readonly name: string;
  readonly bytes: number;
  /** When it was written last, in milliseconds since 1970. */
  readonly modifiedMs: number;
}

/**
 * The sounds in one folder, by the names of their files; nothing is kept open, and what other
 * programs do to the folder is seen at once.
 *
 * Failure: all methods reject with a `ClipError` that may be shown to a controller.
 */
export class ClipLibrary {
  readonly #folder: string;
  readonly #decoder: ClipDecoder;
  readonly #settings: () => ClipLibrarySettings;

  constructor(options: {
    readonly folder: string;
    readonly decoder: ClipDecoder;
    readonly settings: () => ClipLibrarySettings;
  }) {
    this.#folder = options.folder;
    this.#decoder = options.decoder;
    this.#settings = options.settings;
  }

  /** In the order of their names. */
  async list(): Promise<readonly Clip[]> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw unreadable(error);
    });
    const clips: Clip[] = [];
    for (const name of names.filter(isClipName)) {
      const facts = await lstat(join(this.#folder, name)).catch(() => undefined);
      if (!facts?.isFile()) continue;
      clips.push({ name: clipName(name), bytes: facts.size, modifiedMs: facts.mtimeMs });
    }
    return clips.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The sound of a clip. */
  async open(
    name: string,
    options: { readonly maxSeconds?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ClipAudio> {
    const { maxClipBytes, maxSeconds, rawFormat } = this.#settings();
    const file = await this.#openFile(clipName(name));
    try {
      const { size } = await file.stat();
      if (size > maxClipBytes) {
        throw new ClipError('clip-too-large', `it has ${size} bytes; allowed: ${maxClipBytes}`);
      }
      const isRaw = rawEndings.includes(extname(name).toLowerCase());
      return await this.#decoder.decode(await readAll(file, size), {
        maxSeconds: options.maxSeconds ?? maxSeconds,
        signal: options.signal,
        ...(isRaw && { rawFormat }),
      });
    } finally {
      await file.close();
    }
  }

  /** Never what a link leads to, nor what would make us wait. */
  async #openFile(name: string): Promise<FileHandle> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(await this.#pathOf(name), flags).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') throw unknown(name);
      throw unreadable(error);
    });
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw unknown(name);
  }

  /** Of a file whose name is written in another way, too: some systems take letters apart. */
  async #pathOf(name: string): Promise<string> {
    const path = join(this.#folder, name);
    if (await lstat(path).catch(() => undefined)) return path;
    const names = await readdir(this.#folder).catch(() => []);
    return join(this.#folder, names.find((other) => other.normalize('NFC') === name) ?? name);
  }
}

/** What is written to while it is read has no end of its own. */
async function readAll(file: FileHandle, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  let at = 0;
  while (at < sizeBytes) {
    const { bytesRead } = await file.read(bytes, at, sizeBytes - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

function unknown(name: string): ClipError {
  return new ClipError('unknown-clip', `there is no clip ${JSON.stringify(name)}`);
}

function unreadable(error: unknown): ClipError {
  const reason = codeOf(error) || messageOf(error);
  return new ClipError('clips-unreadable', `the folder of clips cannot be read: ${reason}`);
}
