import { constants, openSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { makeFifo, scratchFolders } from './fifo.ts';

/**
 * A fifo by which a program tells more than its audio, in a folder of its own that no other user
 * can look into.
 */
export class ProgramFifo {
  /** For what else the program needs. */
  readonly folder: string;
  readonly path: string;
  readonly #socket: Socket;

  private constructor(folder: string, path: string, take: (data: Buffer) => void) {
    this.folder = folder;
    this.path = path;
    // Opened for writing, too, so that it has no end when a writer leaves.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('error', () => undefined); // then there is nothing more to be told
    this.#socket.on('data', take);
  }

  /**
   * Its path has no blanks, as programs cut what they are to call at them.
   *
   * Failure: rejects with the reason of the last folder when none can hold a fifo.
   */
  static async make(take: (data: Buffer) => void): Promise<ProgramFifo> {
    let fault: unknown;
    for (const parent of scratchFolders.filter((folder) => !/\s/.test(folder))) {
      try {
        return await makeIn(parent, (folder, path) => new ProgramFifo(folder, path, take));
      } catch (error) {
        fault = error;
      }
    }
    throw fault;
  }

  /** Nothing is told any more, and the folder is gone. */
  close(): void {
    this.#socket.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function makeIn(
  parent: string,
  open: (folder: string, path: string) => ProgramFifo,
): Promise<ProgramFifo> {
  const folder = await mkdtemp(join(parent, 'zerocast-'));
  try {
    const path = join(folder, 'fifo');
    await makeFifo(path, { mode: '600' });
    return open(folder, path);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
