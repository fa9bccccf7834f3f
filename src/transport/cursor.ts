import type { Chunk } from '../audio/chunk.ts';
import type { AudioPath } from './audio-path.ts';

/** The place of one session in the ring of its stream: the only audio state that a session has. */
export class Cursor {
  readonly path: AudioPath;
  /** Spreads the sessions of a stream over the phases of a send interval. */
  readonly ordinal: number;
  /** Sequence of the next chunk to send. */
  sequence: number;
  /** Chunks that may be sent in this tick. */
  quota = 0;
  #start: number;
  #shareEnd: number;
  #onTheWay: Chunk | undefined;

  constructor(path: AudioPath, ordinal: number, sequence: number) {
    this.path = path;
    this.ordinal = ordinal;
    this.sequence = sequence;
    this.#start = sequence;
    this.#shareEnd = sequence;
  }

  /** Chunks of the regular share that were not sent yet. */
  get share(): number {
    return Math.max(0, this.#shareEnd - this.sequence);
  }

  /** The session is due: it is to get so many chunks, in this tick and the next ones. */
  grantShare(chunks: number): void {
    this.#shareEnd = this.sequence + chunks;
  }

  /** Whether nothing was sent yet. */
  get isFresh(): boolean {
    return this.sequence === this.#start;
  }

  /** Goes on in the middle of the audio that it is sent. */
  continueAt(sequence: number): void {
    this.sequence = sequence;
    this.#start = -1;
  }

  startAt(sequence: number): void {
    this.#start = sequence;
    this.sequence = sequence;
  }

  /**
   * Hands `audio`, which lies in `memory`, to Node; the reservation is held.
   *
   * Returns whether the kernel has taken all of it at once.
   */
  write(audio: Buffer, memory: Chunk): boolean {
    const { connection, counters } = this.path;
    counters.regularSends += 1;
    counters.regularBytes += audio.length;
    const isTaken = connection.writeAudio(audio, this.#written);
    if (!isTaken) this.#onTheWay = memory.retain();
    return isTaken;
  }

  readonly #written = (): void => {
    const memory = this.#onTheWay;
    this.#onTheWay = undefined;
    memory?.release();
    this.path.connection.audioWritten();
  };
}
