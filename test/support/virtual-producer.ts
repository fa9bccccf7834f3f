import { SampleFormat } from '../../src/audio/sample-format.ts';
import type { SourceSink, StreamSource } from '../../src/audio/sources/stream-source.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface ProducerHabits {
  /** How much faster than the clock of this machine it plays; absent: as fast as it is let. */
  readonly ppm?: number;
  readonly writeBytes: number;
  /** Each write is late by a random time up to this. */
  readonly jitterMs?: number;
  /** What lies between it and its reader at most; then it is held back. */
  readonly capacityBytes: number;
  /** What of that the reader can see: all, as much, or nothing. */
  readonly seenBytes?: number;
}

const rateHz = 48_000;
const frameBytes = 4;
export const producerFormat = SampleFormat.parse('48000:16:2');

/** A source with its producer and the kernel in between, in virtual time; frames tell their number. */
export class VirtualProducer implements StreamSource {
  readonly format = producerFormat;
  readonly packed24 = false;
  readonly backlogBytes?: () => number;
  readonly capacityBytes?: () => number;
  readonly widen?: (bytes: number) => void;
  readonly startUs: number;
  readonly #time: VirtualTime;
  #habits: ProducerHabits;
  #sink: SourceSink | undefined;
  #target: Buffer | undefined;
  #writtenBytes = 0;
  #readBytes = 0;
  #isHeldBack = false;
  #seed = 1;

  constructor(time: VirtualTime, habits: ProducerHabits) {
    this.#time = time;
    this.#habits = habits;
    this.startUs = time.nowUs();
    const { seenBytes = Number.POSITIVE_INFINITY } = habits;
    if (seenBytes === 0) return;
    this.backlogBytes = () => Math.min(seenBytes, this.#waitingBytes);
    this.capacityBytes = () => Math.min(seenBytes, this.#habits.capacityBytes);
    if (seenBytes < Number.POSITIVE_INFINITY) return;
    this.widen = (bytes) => {
      this.#habits = { ...this.#habits, capacityBytes: 2 ** Math.ceil(Math.log2(bytes)) };
    };
  }

  /** When a frame was captured by the clock of the source. */
  capturedUs(frame: number): number {
    return this.startUs + ((frame / rateHz) * 1e6) / this.#speed;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#plan();
  }

  read(target: Uint8Array): void {
    this.#target = target as Buffer;
    this.#serve();
  }

  takePartial(): number {
    return 0;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
  }

  get #speed(): number {
    return 1 + (this.#habits.ppm ?? 0) / 1e6;
  }

  get #waitingBytes(): number {
    return this.#writtenBytes - this.#readBytes;
  }

  #plan(): void {
    const { ppm, writeBytes, jitterMs = 0, capacityBytes } = this.#habits;
    this.#isHeldBack = this.#waitingBytes + writeBytes > capacityBytes;
    if (this.#isHeldBack) return;
    const dueUs = this.capturedUs((this.#writtenBytes + writeBytes) / frameBytes);
    const waitUs = ppm === undefined ? 0 : dueUs - this.#time.nowUs();
    this.#time.after(Math.max(0, waitUs) + jitterMs * 1000 * this.#random(), () => {
      this.#writtenBytes += writeBytes;
      this.#serve();
      this.#plan();
    });
  }

  #serve(): void {
    const target = this.#target;
    if (!target || this.#waitingBytes < target.length) return;
    target.writeDoubleLE(this.#readBytes / frameBytes, 0);
    this.#readBytes += target.length;
    this.#target = undefined;
    if (this.#isHeldBack) this.#plan();
    this.#sink?.filled();
  }

  /** Uniform from 0 to 1, the same in each run of the test. */
  #random(): number {
    this.#seed = (this.#seed * 48_271) % 0x7fff_ffff;
    return this.#seed / 0x7fff_ffff;
  }
}
