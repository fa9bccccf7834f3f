import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Turn {
  readonly socket: Socket;
  readonly response: ServerResponse;
  readonly answer: () => void;
}

/** Requests of one connection that may wait at one time, the one that is being answered included. */
export const maxWaitingRequests = 16;

interface Queue {
  /** The end of the last answer. */
  end: Promise<void>;
  waiting: number;
}

/**
 * The requests that wait for their answers.
 *
 * Those of one connection are answered one after the other: whoever sends many requests at once gets
 * as many answers, but the memory of one. No browser does that; so few of them are enough.
 */
export class AnswerQueue {
  /** Of each connection that waits for an answer. */
  readonly #queues = new Map<Socket, Queue>();

  has(socket: Socket): boolean {
    return this.#queues.has(socket);
  }

  /** Returns whether there was room for it: `maxWaitingRequests`. */
  add(turn: Turn): boolean {
    const { socket } = turn;
    const queue = this.#queues.get(socket) ?? { end: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= maxWaitingRequests) return false;
    queue.waiting += 1;
    this.#queues.set(socket, queue);
    const taken = queue.waiting === 1 ? take(turn) : queue.end.then(() => take(turn));
    queue.end = taken.then(() => {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#queues.delete(socket);
    });
    return true;
  }

  /** Resolves when nobody waits who waits now. */
  async untilAnswered(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(({ end }) => end));
  }
}

async function take({ socket, response, answer }: Turn): Promise<void> {
  // A response without a connection would never report its end.
  if (socket.destroyed) return;
  const closed = once(response, 'close');
  answer();
  await closed;
}
