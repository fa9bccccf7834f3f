import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Turn {
  readonly socket: Socket;
  readonly response: ServerResponse;
  readonly answer: () => void;
}

/**
 * The requests that wait for their answers.
 *
 * Those of one connection are answered one after the other: whoever sends a thousand requests at
 * once gets a thousand answers, but the memory of one.
 */
export class AnswerQueue {
  /** The end of the last answer, of each connection that waits for one. */
  readonly #last = new Map<Socket, Promise<void>>();

  has(socket: Socket): boolean {
    return this.#last.has(socket);
  }

  add(turn: Turn): void {
    const { socket } = turn;
    const before = this.#last.get(socket);
    const end = (before ? before.then(() => take(turn)) : take(turn)).then(() => {
      if (this.#last.get(socket) === end) this.#last.delete(socket);
    });
    this.#last.set(socket, end);
  }

  /** Resolves when nobody waits who waits now. */
  async untilAnswered(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}

async function take({ socket, response, answer }: Turn): Promise<void> {
  // A response without a connection would never report its end.
  if (socket.destroyed) return;
  const closed = once(response, 'close');
  answer();
  await closed;
}
