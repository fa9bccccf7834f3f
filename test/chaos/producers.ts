import { closeSync, constants, openSync, write } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { frameBytes, Pattern } from './pattern.ts';
import type { Places } from './places.ts';

const periodMs = 50;

/**
 * Programs that feed the fifo and the TCP source, and behave as badly as they are told.
 *
 * Each writes at real time unless it vanishes; what is not taken is dropped here.
 */
export class Producers {
  readonly #pipe: Producer;
  readonly #net: Producer;

  constructor(
    { fifo, producerPort }: Places,
    { pipeRateHz, netRateHz }: { readonly pipeRateHz: number; readonly netRateHz: number },
  ) {
    this.#pipe = new Producer(pipeRateHz, () => openFifo(fifo));
    this.#net = new Producer(netRateHz, () => openSocket(producerPort));
  }

  start(): void {
    for (const producer of [this.#pipe, this.#net]) producer.appear();
  }

  named(name: 'pipe' | 'net'): Producer {
    return name === 'pipe' ? this.#pipe : this.#net;
  }

  stop(): void {
    for (const producer of [this.#pipe, this.#net]) producer.vanish();
  }
}

/** Where a producer writes. What it cannot take at the moment is lost. */
interface Outlet {
  write(bytes: Buffer): void;
  close(): void;
}

class Producer {
  readonly #pattern: Pattern;
  readonly #rateHz: number;
  readonly #open: () => Outlet;
  #outlet: Outlet | undefined;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;
  #startMs = 0;
  #sentFrames = 0;

  constructor(rateHz: number, open: () => Outlet) {
    this.#rateHz = rateHz;
    this.#pattern = new Pattern(rateHz);
    this.#open = open;
  }

  /** Connects anew; an older connection of the same producer is left open until `vanish`. */
  appear(): void {
    this.vanish();
    this.#outlet = this.#open();
    this.#startMs = performance.now();
    this.#sentFrames = 0;
    this.#timer = setInterval(() => this.#feed(), periodMs);
  }

  vanish(): void {
    clearInterval(this.#timer);
    this.#outlet?.close();
    this.#outlet = undefined;
  }

  /** Bytes that are no whole frame, so that all later ones are out of place. */
  writeOdd(bytes: Buffer): void {
    this.#outlet?.write(bytes);
  }

  /** Much more than real time wants. */
  burst(frames: number): void {
    for (let left = frames; left > 0; left -= 4000) this.#send(Math.min(left, 4000));
  }

  #feed(): void {
    const dueFrames = Math.floor(((performance.now() - this.#startMs) * this.#rateHz) / 1000);
    this.#send(Math.min(dueFrames - this.#sentFrames, 4 * this.#rateHz * (periodMs / 1000)));
    this.#sentFrames = dueFrames;
  }

  #send(frames: number): void {
    const whole = Math.floor(frames);
    this.#outlet?.write(this.#pattern.piece(this.#frame, whole));
    this.#frame = this.#pattern.after(this.#frame, whole);
  }
}

/** A fifo that nobody reads is tried again. */
function openFifo(path: string): Outlet {
  let fd: number | undefined;
  let isBusy = false;
  let isClosed = false;
  const end = () => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write(bytes) {
      if (isBusy || bytes.length === 0) return;
      fd ??= tryOpen(path);
      if (fd === undefined) return;
      isBusy = true;
      write(fd, bytes, (error) => {
        isBusy = false;
        if (isClosed || (error && error.code !== 'EAGAIN')) end();
      });
    },
    close() {
      isClosed = true;
      if (!isBusy) end();
    },
  };
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

const maxQueuedBytes = 64 * 1024;

function openSocket(port: number): Outlet {
  const begin = (): Socket => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    // What the server says to a producer is nothing.
    return socket.resume();
  };
  let socket = begin();
  return {
    write(bytes) {
      if (socket.destroyed) socket = begin();
      if (bytes.length > 0 && socket.writableLength < maxQueuedBytes) socket.write(bytes);
    },
    close: () => void socket.destroy(),
  };
}

export const oddBytes = (count: number) => Buffer.alloc(count - (count % frameBytes) + 1, 0x55);
