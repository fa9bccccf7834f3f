import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that may wait at one time, the one that is being answered included. */
export const maxWaitingRequests = 16;

/**
 * The requests that wait for their answers.
 *
 * Those of one connection are answered one after the other: a peer that sends many requests at once
 * gets as many answers, but the memory of one. No browser does that; so few of them are enough.
 */
export class AnswerQueue {
  /** Of each connection that waits for an answer: the end of the last one, and how many there are. */
  readonly #queues = new Map<Socket, { end: Promise<void>; waiting: number }>();

  has(socket: Socket): boolean {
    return this.#queues.has(socket);
  }

  /** Returns whether there was room for it: `maxWaitingRequests`. */
  add(socket: Socket, response: ServerResponse, answer: () => void): boolean {
    const queue = this.#queues.get(socket) ?? { end: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= maxWaitingRequests) return false;
    queue.waiting += 1;
    this.#queues.set(socket, queue);
    const begin = () => take(socket, response, answer);
    const taken = queue.waiting === 1 ? begin() : queue.end.then(begin);
    queue.end = taken.then(() => {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#queues.delete(socket);
    });
    return true;
  }

  /** Resolves when all requests that wait now are answered. */
  async untilAnswered(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(({ end }) => end));
  }
}

async function take(socket: Socket, response: ServerResponse, answer: () => void): Promise<void> {
  // A response without a connection would never report its end.
  if (socket.destroyed) return;
  const closed = once(response, 'close');
  answer();
  await closed;
}
