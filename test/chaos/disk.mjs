import { closeSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const piece = Buffer.alloc(4096, 0x42);

/** The small disk on which the server keeps its state. */
export class Disk {
  isFull = false;
  #folder;
  #ballast;

  constructor(folder) {
    this.#folder = folder;
    this.#ballast = join(folder, 'ballast');
  }

  /** Leaves `freeBytes`, or less than that. */
  fill(freeBytes) {
    const fd = openSync(this.#ballast, 'a');
    try {
      while (this.#freeBytes() > freeBytes) writeSync(fd, piece);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    } finally {
      closeSync(fd);
    }
    this.isFull = true;
  }

  names() {
    return readdirSync(this.#folder);
  }

  free() {
    rmSync(this.#ballast, { force: true });
    this.isFull = false;
  }

  #freeBytes() {
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize;
  }
}
