import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../src/base/errors.ts';
import { Random } from '../support/random.ts';

export const rateHz = 48_000;
const frameBytes = 4;
/** Of the right channel against the left one: see ../bench/native/counter-pattern.hpp. */
const flipped = 0x5a5a;

/** Writes one turn of the counter that the players know; played in a loop it never breaks. */
export function writeCounter(file: string): void {
  const samples = new Uint16Array(2 ** 16 * 2);
  for (let count = 0; count < 2 ** 16; count += 1) {
    samples[2 * count] = count;
    samples[2 * count + 1] = count ^ flipped;
  }
  writeFileSync(file, samples);
}

/** A program that writes audio into a fifo, ends, and is started again. */
export class Producer {
  restarts = 0;
  readonly #path: string;
  readonly #random: Random;
  #isOver = false;
  #work: Promise<void> | undefined;

  constructor(path: string, seed: number) {
    execFileSync('mkfifo', [path]);
    this.#path = path;
    this.#random = new Random(seed);
  }

  start(): void {
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const fd = this.#open();
      if (fd !== undefined) {
        await this.#play(fd, 2000 + this.#random.below(10_000));
        closeSync(fd);
        this.restarts += 1;
      }
      await sleep(100 + this.#random.below(2000));
    }
  }

  /** `undefined` while nobody reads. */
  #open(): number | undefined {
    try {
      return openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (codeOf(error) === 'ENXIO') return undefined;
      throw error;
    }
  }

  async #play(fd: number, lengthMs: number): Promise<void> {
    const startMs = performance.now();
    let frames = 0;
    while (!this.#isOver && performance.now() - startMs < lengthMs) {
      const dueFrames = Math.floor(((performance.now() - startMs) * rateHz) / 1000);
      const samples = Buffer.alloc((dueFrames - frames) * frameBytes, 0x11);
      frames = dueFrames;
      this.#write(fd, samples);
      await sleep(20);
    }
  }

  #write(fd: number, samples: Buffer): void {
    try {
      writeSync(fd, samples);
    } catch (error) {
      // A reader that is slow or gone loses what it does not take.
      if (codeOf(error) !== 'EAGAIN' && codeOf(error) !== 'EPIPE') throw error;
    }
  }
}
