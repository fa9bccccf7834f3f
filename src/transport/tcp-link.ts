import type { Socket } from 'node:net';
import { adoptSocket } from '../base/net/adopt-socket.ts';
import type { Link, LinkHandler } from './link.ts';

/** What sockets read into: all that arrives is used up before the next socket reads. */
const receiveBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Messages one after the other on a plain socket. */
export class TcpLink implements Link {
  readonly framing = 'tcp';
  #socket: Socket;

  /** Shape: from `accepted` nothing was read yet. */
  constructor(accepted: Socket) {
    this.#socket = accepted;
  }

  get socket(): Socket {
    return this.#socket;
  }

  open(handler: LinkHandler): void {
    this.#socket = adoptSocket(this.#socket, {
      buffer: () => receiveBuffer,
      callback: (bytes) => {
        handler.begin();
        handler.receive(receiveBuffer.subarray(0, bytes));
        return handler.finish();
      },
    });
    this.#socket.resume();
  }

  headerOf(): undefined {}

  farewell(): undefined {}
}
