import net from 'node:net';
import { TLSSocket } from 'node:tls';

/** Where a socket puts what it reads: the part of `net.OnReadOpts` that asks for each buffer. */
export interface ReadInto {
  /** The memory for the next bytes. */
  buffer(): Uint8Array;
  /** Takes the bytes that were written into `buffer`; false pauses the socket. */
  callback(bytes: number, buffer: Uint8Array): boolean;
}

/** The sockets that go on with the connections of others. */
const successors = new WeakMap<net.Socket, net.Socket>();

/** A socket that reads the pipe behind a descriptor straight into given memory, and closes it. */
export function openDescriptor(fd: number, readInto: ReadInto): net.Socket {
  const options = { fd, readable: true, writable: false, onread: readInto };
  return new net.Socket(options);
}

/**
 * Makes a socket that Node created itself (accepted, or the output of a child) read into given
 * memory, which Node offers only to sockets that one creates: a second socket takes over its
 * handle before it has read anything.
 *
 * Ownership: `created` is consumed; use the socket that is returned.
 * Failure: `_handle` is not public; without it the bytes are copied once more, nothing else changes.
 */
export function adoptSocket(created: net.Socket, readInto: ReadInto): net.Socket {
  const handle: unknown = Reflect.get(created, '_handle');
  if (typeof handle !== 'object' || handle === null) return copyingSocket(created, readInto);
  Reflect.set(created, '_handle', null);
  created.destroy(); // without its handle this only ends its bookkeeping
  const options = { handle, readable: true, writable: true, onread: readInto };
  const adopted = new net.Socket(options);
  successors.set(created, adopted);
  return adopted;
}

/** Calls back when the connection has ended, whichever socket has it by then; at once if it has. */
export function whenEnded(socket: net.Socket, onEnded: () => void): void {
  const onClosed = () => {
    const successor = successors.get(socket);
    if (successor) whenEnded(successor, onEnded);
    else onEnded();
  };
  if (socket.closed) onClosed();
  else socket.once('close', onClosed);
}

/**
 * The descriptor of a socket, for native code that writes to it; −1 when it is not known, and for
 * TLS, which only Node can write to.
 */
export function descriptorOf(socket: net.Socket | net.Server): number {
  return socket instanceof TLSSocket ? -1 : kernelDescriptorOf(socket);
}

/** The descriptor below any TLS, for those who only look; −1 when it is not known. */
export function kernelDescriptorOf(socket: net.Socket | net.Server): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null && Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : -1;
}

/** Feeds `readInto` from what the socket reads into memory of its own. */
export function copyingSocket(socket: net.Socket, readInto: ReadInto): net.Socket {
  socket.on('data', (data: Buffer) => {
    let rest = data;
    while (rest.length > 0) {
      const buffer = readInto.buffer();
      const bytes = Math.min(rest.length, buffer.length);
      buffer.set(rest.subarray(0, bytes));
      rest = rest.subarray(bytes);
      if (readInto.callback(bytes, buffer)) continue;
      socket.pause();
      if (rest.length > 0) socket.unshift(rest);
      return;
    }
  });
  return socket;
}
