import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of the test's own; `remove` takes it away with all that is in it. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'zerocast-test-'));
  chmodSync(path, 0o755); // as folders of music are
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function makeFifoAt(path: string): void {
  execFileSync('mkfifo', [path]);
}

/** A writer that never waits: opening throws ENXIO without a reader, writing takes what fits. */
export class FifoWriter {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  }

  /** Writes as much as the kernel takes now; returns how many bytes that were. */
  write(bytes: Uint8Array): number {
    let written = 0;
    while (written < bytes.length) {
      try {
        written += writeSync(this.#fd, bytes, written);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') break;
        throw error;
      }
    }
    return written;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Whether somebody reads from a fifo. */
export function canWrite(fifo: string): boolean {
  try {
    new FifoWriter(fifo).close();
    return true;
  } catch {
    return false;
  }
}

/** Descriptors that this process has open, without the ones that come with every measurement. */
export function openDescriptors(pid: number | 'self' = 'self'): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
