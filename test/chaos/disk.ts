import { closeSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../src/base/errors.ts';

const piece = Buffer.alloc(4096, 0x42);

/** The small disk on which the server keeps its state. */
export class Disk {
  isFull = false;
  readonly #folder: string;
  readonly #ballast: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#ballast = join(folder, 'ballast');
  }

  /** Leaves `freeBytes`, or less than that. */
  fill(freeBytes: number): void {
    const fd = openSync(this.#ballast, 'a');
    try {
      while (this.#freeBytes() > freeBytes) writeSync(fd, piece);
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error;
    } finally {
      closeSync(fd);
    }
    this.isFull = true;
  }

  names(): string[] {
    return readdirSync(this.#folder);
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
    this.isFull = false;
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize;
  }
}
