import { messageType } from '../../src/protocol/layout.ts';
import type { IncomingMessage } from '../../src/protocol/message-reader.ts';
import { decodeCodecHeader } from '../../src/protocol/messages.ts';
import type { HeardChunk, StreamTruth } from './stream-truth.ts';
import type { StreamTruths } from './truths.ts';

export interface ListeningOptions {
  readonly truths: StreamTruths;
  /**
   * Accepts nothing else than the rules say; one that is not strict may lose audio and be moved to
   * other streams, but never gets a wrong byte, and nothing twice.
   */
  readonly isStrict: boolean;
  /** Sounds are mixed over what it hears, so its bytes are not those of others. */
  readonly isAddressed?: boolean;
  /** Throws what else is wrong. */
  onChunk?(chunk: HeardChunk, last: HeardChunk | undefined): void;
  /** Whether audio before that may be missing. */
  isExcused?(timestampUs: number): boolean;
}

/**
 * What one connection of a player hears, held against the rules: settings first, then a codec
 * header, then chunks of that stream in their order.
 */
export class Listening {
  chunks = 0;
  headers = 0;
  timeReplies = 0;
  readonly #options: ListeningOptions;
  #stream: StreamTruth | undefined;
  #hasSettings = false;
  #last: HeardChunk | undefined;
  #lastUs = Number.NEGATIVE_INFINITY;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Failure: throws what is wrong. */
  take({ type, refersTo, body }: IncomingMessage): void {
    if (type === messageType.wireChunk) this.#takeChunk(body);
    else if (type === messageType.time) this.timeReplies += 1;
    else if (type === messageType.serverSettings) this.#takeSettings(refersTo, body);
    else if (type === messageType.codecHeader) this.#takeHeader(body);
    else throw new Error(`a message of type ${type}`);
  }

  #takeSettings(refersTo: number, body: Buffer): void {
    const settings = JSON.parse(body.toString('utf8', 4));
    for (const key of ['bufferMs', 'latency', 'muted', 'volume']) {
      if (settings[key] === undefined) throw new Error(`settings without ${key}`);
    }
    if (!this.#hasSettings && refersTo === 0) throw new Error('first settings answer no Hello');
    this.#hasSettings = true;
  }

  #takeHeader(body: Buffer): void {
    const { isStrict, truths } = this.#options;
    if (!this.#hasSettings) throw new Error('a codec header before the settings');
    if (isStrict && this.headers > 0) throw new Error('a codec header that nobody asked for');
    const { codec, payload } = decodeCodecHeader(body);
    this.#stream = truths.of(codec, payload);
    this.headers += 1;
    this.#last = undefined;
    this.#lastUs = Number.NEGATIVE_INFINITY;
  }

  #takeChunk(body: Buffer): void {
    const { isStrict, isExcused, isAddressed, onChunk } = this.#options;
    const stream = this.#stream;
    if (!stream) throw new Error('audio before the codec header');
    const timestampUs = body.readInt32LE(0) * 1_000_000 + body.readInt32LE(4);
    if (body.readUInt32LE(8) !== body.length - 12) throw new Error('a chunk of another length');
    if (timestampUs <= this.#lastUs) {
      throw new Error(`time runs backwards: ${timestampUs} after ${this.#lastUs}`);
    }
    this.#lastUs = timestampUs;
    this.chunks += 1;
    if (isAddressed) return;
    const last = this.#last;
    const chunk = stream.enter(timestampUs, body.subarray(12));
    const fault = isStrict && last ? stream.faultBetween(last, chunk) : undefined;
    if (fault && !isExcused?.(timestampUs)) throw new Error(fault);
    onChunk?.(chunk, last);
    this.#last = chunk;
  }
}
