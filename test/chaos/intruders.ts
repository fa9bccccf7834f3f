import { connect, type Socket } from 'node:net';

/** Addresses of this machine from which nobody in good order comes. */
const addresses = ['127.0.2.1', '127.0.2.2', '127.0.2.3', '127.0.2.4'];
const maxQueuedBytes = 8 * 1024 * 1024;

/** Connections of whoever means no good. */
export class Intruders {
  #opened = 0;
  readonly #sockets = new Set<Socket>();

  /** Shape: `isDeaf` reads nothing; `lifeMs` after which it goes, 0 for not at all. */
  open(port: number, { isDeaf = false, lifeMs = 0, isReset = false } = {}): Socket {
    this.#opened += 1;
    const localAddress = addresses[this.#opened % addresses.length]!;
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    if (!isDeaf) socket.resume();
    const timer = lifeMs > 0 ? setTimeout(() => leave(socket, isReset), lifeMs) : undefined;
    socket.on('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    return socket;
  }

  /** Writes what the driver's own memory allows. */
  write(socket: Socket, bytes: string | Uint8Array): void {
    if (!socket.destroyed && socket.writableLength < maxQueuedBytes) socket.write(bytes);
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function leave(socket: Socket, isReset: boolean): void {
  if (isReset) socket.resetAndDestroy();
  else socket.destroy();
}
