import type { FileHandle } from 'node:fs/promises';
import type { Clip } from './clip-facts.ts';
import { translated } from './folder-fault.ts';
import type { IncomingFile } from './incoming-file.ts';

/** A clip on its way into the library: its bytes one after the other, then all of it or nothing. */
export class IncomingClip {
  readonly #incoming: IncomingFile;
  readonly #host: IncomingClipHost;
  #discarding: Promise<void> | undefined;

  constructor(incoming: IncomingFile, host: IncomingClipHost) {
    this.#incoming = incoming;
    this.#host = host;
  }

  /** Where another may write all of it at once. */
  get file(): FileHandle {
    return this.#incoming.file;
  }

  get bytes(): number {
    return this.#incoming.bytes;
  }

  /** Ownership: `piece` must stay as it is until then. Failure: rejects with a `ClipError`. */
  async append(piece: Uint8Array): Promise<void> {
    this.#host.checkRoom(this.bytes + piece.length, piece.length);
    await translated(() => this.#incoming.append(piece));
  }

  /** Puts it into the library. Failure: rejects with a `ClipError`, or by the reason of `signal`. */
  finish(signal?: AbortSignal): Promise<Clip> {
    return this.#host.finish(signal);
  }

  /** To be called in the end, also of one that was finished. */
  discard(): Promise<void> {
    this.#discarding ??= this.#incoming.discard().finally(() => this.#host.onGone());
    return this.#discarding;
  }
}

interface IncomingClipHost {
  /** Failure: throws a `ClipError` when there is none for this clip, or for so many more bytes. */
  readonly checkRoom: (clipBytes: number, moreBytes: number) => void;
  readonly finish: (signal?: AbortSignal) => Promise<Clip>;
  readonly onGone: () => void;
}
