import type { Socket } from 'node:net';
import { adoptSocket } from '../base/net/adopt-socket.ts';
import type { Link, LinkHandler } from './link.ts';

/** What sockets read into: all that arrives is used up before the next socket reads. */
const receiveBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Messages one after the other on a plain socket. */
export class TcpLink implements Link {
  readonly framing = 'tcp';
  readonly socket: Socket;
  #handler: LinkHandler | undefined;

  /** Ownership: `accepted`, from which nothing was read yet, is consumed. */
  constructor(accepted: Socket) {
    this.socket = adoptSocket(accepted, {
      buffer: () => receiveBuffer,
      callback: (bytes) => this.#receive(receiveBuffer.subarray(0, bytes)),
    });
  }

  open(handler: LinkHandler): void {
    this.#handler = handler;
    this.socket.resume();
  }

  headerOf(): undefined {}

  farewell(): undefined {}

  #receive(data: Buffer): boolean {
    const handler = this.#handler;
    if (!handler) return false;
    handler.begin();
    handler.receive(data);
    return handler.finish();
  }
}
