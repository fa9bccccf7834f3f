import { closeSync, constants, openSync, write } from 'node:fs';
import { connect } from 'node:net';
import { frameBytes, Pattern } from './pattern.mjs';

const periodMs = 50;

/**
 * Programs that feed the fifo and the TCP source, and behave as badly as they are told.
 *
 * Each writes at real time unless it vanishes; what is not taken is dropped here.
 */
export class Producers {
  #pipe;
  #net;

  constructor({ fifo, producerPort }, { pipeRateHz, netRateHz }) {
    this.#pipe = new Producer(pipeRateHz, () => openFifo(fifo));
    this.#net = new Producer(netRateHz, () => openSocket(producerPort));
  }

  start() {
    for (const producer of [this.#pipe, this.#net]) producer.appear();
  }

  named(name) {
    return name === 'pipe' ? this.#pipe : this.#net;
  }

  stop() {
    for (const producer of [this.#pipe, this.#net]) producer.vanish();
  }
}

class Producer {
  #pattern;
  #rateHz;
  #open;
  #outlet;
  #timer;
  #frame = 0;
  #startMs = 0;
  #sentFrames = 0;

  constructor(rateHz, open) {
    this.#rateHz = rateHz;
    this.#pattern = new Pattern(rateHz);
    this.#open = open;
  }

  /** Connects anew; an older connection of the same producer is left open until `vanish`. */
  appear() {
    this.vanish();
    this.#outlet = this.#open();
    this.#startMs = performance.now();
    this.#sentFrames = 0;
    this.#timer = setInterval(() => this.#feed(), periodMs);
  }

  vanish() {
    clearInterval(this.#timer);
    this.#outlet?.close();
    this.#outlet = undefined;
  }

  /** Bytes that are no whole frame, so that all later ones are out of place. */
  writeOdd(bytes) {
    this.#outlet?.write(bytes);
  }

  /** Much more than real time wants. */
  burst(frames) {
    for (let left = frames; left > 0; left -= 4000) this.#send(Math.min(left, 4000));
  }

  #feed() {
    const dueFrames = Math.floor(((performance.now() - this.#startMs) * this.#rateHz) / 1000);
    this.#send(Math.min(dueFrames - this.#sentFrames, 4 * this.#rateHz * (periodMs / 1000)));
    this.#sentFrames = dueFrames;
  }

  #send(frames) {
    const whole = Math.floor(frames);
    this.#outlet?.write(this.#pattern.piece(this.#frame, whole));
    this.#frame = this.#pattern.after(this.#frame, whole);
  }
}

/** Shape: `write(bytes)`, `close()`. A fifo that nobody reads is tried again. */
function openFifo(path) {
  let fd;
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

function tryOpen(path) {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

const maxQueuedBytes = 64 * 1024;

function openSocket(port) {
  let socket;
  const begin = () => {
    socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    // What the server says to a producer is nothing.
    socket.resume();
  };
  begin();
  return {
    write(bytes) {
      if (socket.destroyed) begin();
      if (bytes.length > 0 && socket.writableLength < maxQueuedBytes) socket.write(bytes);
    },
    close: () => socket.destroy(),
  };
}

export const oddBytes = (count) => Buffer.alloc(count - (count % frameBytes) + 1, 0x55);
