import type { AudioStream } from '../audio/audio-stream.ts';
import type { Broadcast } from '../transport/broadcast.ts';

/** What is measured of one stream; each figure is of the moment in which it is read. */
export class StreamFigures {
  readonly #stream: AudioStream;
  readonly #broadcast: Broadcast;

  constructor(stream: AudioStream, broadcast: Broadcast) {
    this.#stream = stream;
    this.#broadcast = broadcast;
  }

  /** Chunks that came out of the encoder. */
  get encodedChunks(): number {
    return this.#stream.encodeFigures.encodedChunks;
  }

  /** Time that the encoder took for them. */
  get encodeUs(): number {
    return this.#stream.encodeFigures.encodeUs;
  }

  /** Chunks that were dropped because the encoder was too slow. */
  get droppedChunks(): number {
    return this.#stream.encodeFigures.droppedChunks;
  }

  /** Chunks that were too old for everybody when they were ready. */
  get outdatedChunks(): number {
    return this.#broadcast.outdatedChunks;
  }

  /** How much faster than this machine's clock the source runs. */
  get driftPpm(): number {
    return this.#stream.driftPpm;
  }

  /** Audio that has arrived from the source and waits; `undefined` where that cannot be told. */
  get backlogMs(): number | undefined {
    return this.#stream.backlogMs;
  }

  /** Time from the first sample of the newest chunk to its publication. */
  get chunkAgeUs(): number {
    return this.#broadcast.chunkAgeUs;
  }

  /** The longest such time of the last minute. */
  get maxChunkAgeUs(): number {
    return this.#broadcast.maxChunkAgeUs;
  }

  /** Sessions that get the audio. */
  get subscribers(): number {
    return this.#broadcast.subscribers;
  }
}
