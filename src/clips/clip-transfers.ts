import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import type { FileGate } from '../audio/sources/file-gate.ts';
import { codeOf, messageOf, SourceError } from '../base/errors.ts';
import { RestartableTimer } from '../base/time/restartable-timer.ts';
import { ClipError } from './clip-error.ts';
import type { Clip } from './clip-facts.ts';
import type { ClipLibrary } from './clip-library.ts';
import { clipName } from './clip-name.ts';
import type { IncomingClip } from './incoming-clip.ts';

/** A clip of which no further piece comes for so long is given up. */
const maxPieceWaitMs = 30_000;
/** Between two reports about one copy. */
const progressMs = 250;
/** Of a clip that is read in pieces. */
const maxPieceBytes = 512 * 1024;

export interface CopyProgress {
  readonly name: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

interface Upload {
  readonly incoming: IncomingClip;
  readonly patience: RestartableTimer;
  /** One piece at a time. */
  isBusy: boolean;
}

/**
 * Clips that come and go in several requests, and copies that take a while.
 *
 * Failure: all methods reject with a `ClipError`, or a `SourceError` of the gate.
 */
export class ClipTransfers {
  readonly #library: ClipLibrary;
  readonly #fileGate: FileGate | undefined;
  readonly #onProgress: ((progress: CopyProgress) => void) | undefined;
  /** By the names of the clips. */
  readonly #uploads = new Map<string, Upload>();
  readonly #copies = new Map<string, AbortController>();

  constructor(options: {
    readonly library: ClipLibrary;
    readonly fileGate?: FileGate;
    readonly onProgress?: (progress: CopyProgress) => void;
  }) {
    this.#library = options.library;
    this.#fileGate = options.fileGate;
    this.#onProgress = options.onProgress;
  }

  /**
   * Takes the next piece of a clip of `totalBytes`; the first one, at 0, begins it anew. Resolves with
   * the clip when it is complete.
   */
  async upload(piece: {
    readonly name: string;
    readonly bytes: Uint8Array;
    readonly at: number;
    readonly totalBytes: number;
    readonly replace: boolean;
  }): Promise<Clip | undefined> {
    const name = clipName(piece.name);
    const { at, bytes, totalBytes } = piece;
    const upload = at === 0 ? await this.#beginUpload(name, piece) : this.#uploads.get(name);
    if (!upload || upload.isBusy || upload.incoming.bytes !== at) {
      const there = upload && !upload.isBusy ? `${upload.incoming.bytes} bytes` : 'nothing';
      throw new ClipError(
        'bad-piece',
        `the piece at ${at} does not follow: ${there} can be continued`,
      );
    }
    upload.isBusy = true;
    upload.patience.stop();
    try {
      if (at + bytes.length > totalBytes) {
        throw new ClipError('bad-piece', `the piece at ${at} is longer than the rest of the clip`);
      }
      await upload.incoming.append(bytes);
      if (at + bytes.length < totalBytes) {
        upload.patience.restart();
        return undefined;
      }
      const clip = await upload.incoming.finish();
      await this.#endUpload(name, upload);
      return clip;
    } catch (error) {
      const isGone = this.#uploads.get(name) !== upload;
      await this.#endUpload(name, upload);
      throw isGone ? new ClipError('cancelled', `${name} was cancelled, or begun anew`) : error;
    } finally {
      upload.isBusy = false;
    }
  }

  /** A piece of a clip, and of how many bytes. */
  async download(name: string, at: number, bytes: number) {
    const file = await this.#library.openFile(name);
    try {
      const { size } = await file.stat();
      const piece = Buffer.alloc(Math.max(0, Math.min(bytes, maxPieceBytes, size - at)));
      const { bytesRead } = await file.read(piece, 0, piece.length, at);
      return { totalBytes: size, piece: piece.subarray(0, bytesRead) };
    } finally {
      await file.close();
    }
  }

  /** Copies a file of this machine; the clip has its name unless another is given. */
  async copy(
    path: string,
    options: { readonly name?: string; readonly replace?: boolean; readonly verify?: boolean },
  ): Promise<Clip> {
    if (!isAbsolute(path))
      throw new ClipError('bad-path', 'the path of a file begins with a slash');
    const { name = basename(path), replace, verify } = options;
    const clip = clipName(name);
    if (this.#copies.has(clip)) throw new ClipError('busy', `${clip} is being copied already`);
    const abort = new AbortController();
    this.#copies.set(clip, abort);
    let file: FileHandle | undefined;
    try {
      file = await openForCopy(path, this.#fileGate);
      const onProgress = this.#progressOf(clip);
      return await this.#library.copyIn(file, clip, {
        replace,
        verify,
        onProgress,
        signal: abort.signal,
      });
    } finally {
      this.#copies.delete(clip);
      await file?.close();
    }
  }

  /** Ends a copy, or an upload. Failure: throws a `ClipError` when there is none. */
  async cancel(name: string): Promise<void> {
    const clip = clipName(name);
    const copy = this.#copies.get(clip);
    if (!copy && !this.#uploads.has(clip)) {
      throw new ClipError('unknown-clip', `${clip} is not on its way`);
    }
    copy?.abort(new ClipError('cancelled', `the copy to ${clip} was cancelled`));
    await this.#endUpload(clip, this.#uploads.get(clip));
  }

  async close(): Promise<void> {
    for (const copy of this.#copies.values())
      copy.abort(new ClipError('closing', 'the server ends'));
    for (const [name, upload] of [...this.#uploads]) await this.#endUpload(name, upload);
  }

  async #beginUpload(
    name: string,
    { totalBytes, replace }: { readonly totalBytes: number; readonly replace: boolean },
  ): Promise<Upload> {
    await this.#endUpload(name, this.#uploads.get(name));
    const incoming = await this.#library.begin(name, { bytes: totalBytes, replace });
    const patience = new RestartableTimer(maxPieceWaitMs, () => void this.#endUpload(name, upload));
    const upload = { incoming, patience, isBusy: false };
    // Another one may have been begun meanwhile.
    const older = this.#uploads.get(name);
    this.#uploads.set(name, upload);
    await this.#endUpload(name, older);
    return upload;
  }

  async #endUpload(name: string, upload: Upload | undefined): Promise<void> {
    if (this.#uploads.get(name) === upload) this.#uploads.delete(name);
    upload?.patience.stop();
    await upload?.incoming.discard();
  }

  #progressOf(name: string): (bytes: number, totalBytes: number) => void {
    let toldMs = Number.NEGATIVE_INFINITY;
    return (bytes, totalBytes) => {
      const nowMs = performance.now();
      if (bytes < totalBytes && nowMs - toldMs < progressMs) return;
      toldMs = nowMs;
      this.#onProgress?.({ name, bytes, totalBytes });
    };
  }
}

/**
 * Opens a file without waiting, whatever lies at `path`.
 *
 * Ownership: the caller closes it. Failure: rejects with a `ClipError`, or a `SourceError` of the gate.
 */
async function openForCopy(path: string, gate?: FileGate): Promise<FileHandle> {
  gate?.checkPath(path);
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    gate?.checkOpen(path, file.fd);
    if ((await file.stat()).isFile()) return file;
    throw new ClipError('no-file', 'it is no regular file');
  } catch (error) {
    await file?.close();
    if (error instanceof ClipError || error instanceof SourceError) throw error;
    throw new ClipError('no-file', `the file cannot be read: ${codeOf(error) || messageOf(error)}`);
  }
}
