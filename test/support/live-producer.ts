import { connect, type Socket } from 'node:net';
import { monotonicClock } from '../../src/base/clock.ts';
import { FifoWriter } from './fifo.ts';
import { until } from './waiting.ts';

const rateHz = 48_000;
const frameBytes = 4;
const tickMs = 2;
/** A producer that could not write for a while goes on by pieces of this size. */
const pieceFrames = 4096;

/**
 * Frames of 48000:16:2 in real time, or `speed` times as fast, each of which tells its number: somebody who plays a live
 * event. What it could not get rid of it still writes later, as fast as it can.
 */
export class LiveProducer {
  readonly #startUs = monotonicClock.nowUs();
  readonly #speed: number;
  readonly #write: (bytes: Buffer) => number;
  readonly #close: () => void;
  readonly #timer: NodeJS.Timeout;
  #rest = Buffer.alloc(0);
  #frames = 0;
  #isStopped = false;
  #isPaused = false;

  /** Begins as soon as somebody reads the fifo. */
  static async intoFifo(path: string, speed = 1): Promise<LiveProducer> {
    const writers: FifoWriter[] = [];
    await until(() => openedWriter(path, writers), 'the fifo has a reader');
    const writer = writers[0]!;
    return new LiveProducer(
      (bytes) => writer.write(bytes),
      () => writer.close(),
      speed,
    );
  }

  static intoTcp(port: number, speed = 1): LiveProducer {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const write = (bytes: Buffer) => {
      if (socket.writableLength > 0) return 0;
      socket.write(bytes);
      return bytes.length;
    };
    return new LiveProducer(write, () => socket.destroy(), speed);
  }

  private constructor(write: (bytes: Buffer) => number, close: () => void, speed: number) {
    this.#speed = speed;
    this.#write = write;
    this.#close = close;
    this.#timer = setInterval(() => this.#produce(), tickMs);
  }

  /** To be called before its reader goes; once more is harmless. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#close();
  }

  /** Gives nothing for a while; what it owes by then it writes as fast as it can. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  /** How old a piece of this audio was at `atUs`. */
  ageUs(payload: Buffer, atUs: number): number {
    return atUs - this.#startUs - (payload.readUInt32LE(0) / rateHz / this.#speed) * 1e6;
  }

  #produce(): void {
    if (this.#isPaused) return;
    const passedUs = monotonicClock.nowUs() - this.#startUs;
    const dueFrames = Math.floor((passedUs * rateHz * this.#speed) / 1e6);
    for (;;) {
      if (this.#rest.length === 0) this.#rest = this.#next(dueFrames);
      if (this.#rest.length === 0) return;
      const taken = this.#write(this.#rest);
      this.#rest = this.#rest.subarray(taken);
      if (taken === 0) return;
    }
  }

  #next(dueFrames: number): Buffer<ArrayBuffer> {
    const frames = Math.min(pieceFrames, dueFrames - this.#frames);
    const bytes = Buffer.alloc(Math.max(0, frames) * frameBytes);
    for (let frame = 0; frame < frames; frame += 1) {
      bytes.writeUInt32LE(this.#frames + frame, frame * frameBytes);
    }
    this.#frames += Math.max(0, frames);
    return bytes;
  }
}

function openedWriter(path: string, writers: FifoWriter[]): boolean {
  try {
    return writers.push(new FifoWriter(path)) > 0;
  } catch {
    return false;
  }
}
