import { Readable } from 'node:stream';
import { assert, messageOf, SourceError } from '../../base/errors.ts';
import { within } from '../../base/time/within.ts';
import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import type { SourceSink, StreamSource } from './stream-source.ts';

/** How long an input may take to end. */
const releaseGraceMs = 1000;

export interface IterableInput {
  readonly format: SampleFormat;
  /** See `StreamSource.packed24`. */
  readonly packed24?: boolean;
  /**
   * Interleaved signed little-endian PCM, in pieces of any length.
   *
   * Ownership: the source reads it, once, and ends it: `destroy` of a `Readable`, else `return`
   * of the iterator.
   */
  readonly input: AsyncIterable<Uint8Array> | Readable;
}

/**
 * Audio of the program that this server runs in.
 *
 * A piece is asked for when the one before it is used up, at the pace of real time. At the end the
 * last chunk is filled up with silence, and the stream becomes idle for good.
 */
export function iterableSource(options: IterableInput): StreamSource {
  const { input } = options;
  // Without a listener an error before the first read would end the process; reading meets it.
  if (input instanceof Readable) input.on('error', () => undefined);
  return new IterableSource(options);
}

class IterableSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #input: IterableInput['input'];
  readonly #frameBytes: number;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #sink: SourceSink | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  /** What is left of the piece that came last. */
  #piece: Uint8Array = new Uint8Array();
  #isAsking = false;
  #hasEnded = false;
  #releasing: Promise<void> | undefined;

  constructor({ format, packed24 = false, input }: IterableInput) {
    this.format = format;
    this.packed24 = packed24;
    this.#input = input;
    this.#frameBytes = arrivingFrameBytes(format, packed24);
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    try {
      this.#iterator = this.#input[Symbol.asyncIterator]();
    } catch (error) {
      this.#fail(error);
    }
  }

  read(target: Uint8Array): void {
    assert(this.#target === undefined, 'a source was asked for a chunk while it filled another');
    assert(target.length > 0, 'a source was asked to fill an empty target');
    if (!this.#sink) return;
    this.#target = target;
    this.#filledBytes = 0;
    this.#copy();
    if (this.#target && !this.#hasEnded) void this.#ask();
  }

  takePartial(into: Uint8Array): number {
    const target = this.#target;
    if (!target) return 0;
    const cutBytes = this.#filledBytes % this.#frameBytes;
    const wholeBytes = this.#filledBytes - cutBytes;
    into.set(target.subarray(0, wholeBytes));
    target.copyWithin(0, wholeBytes, this.#filledBytes);
    this.#filledBytes = cutBytes;
    return wholeBytes;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#target = undefined;
    this.#releasing ??= this.#release();
    await this.#releasing;
  }

  /** Asks for pieces, one after another, until the target is full. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#target && !this.#hasEnded) {
      const piece = await this.#next();
      if (!piece) continue;
      this.#piece = piece;
      this.#copy();
      // An input that always has nothing would keep everything else from running.
      if (piece.length === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isAsking = false;
    if (!this.#hasEnded) return;
    this.#padTail();
    this.#sink?.interrupted('the input has ended');
  }

  #padTail(): void {
    const target = this.#target;
    const wholeBytes = this.#filledBytes - (this.#filledBytes % this.#frameBytes);
    if (!target || wholeBytes === 0) return;
    target.fill(0, wholeBytes);
    this.#target = undefined;
    this.#sink?.filled();
  }

  /** Nothing when the input has ended or broken. */
  async #next(): Promise<Uint8Array | undefined> {
    try {
      const result = await this.#iterator?.next();
      if (result && !result.done) return pieceOf(result.value);
      this.#hasEnded = true;
    } catch (error) {
      if (this.#sink) this.#fail(error);
    }
    return undefined;
  }

  #copy(): void {
    const target = this.#target;
    if (!target) return;
    const bytes = Math.min(this.#piece.length, target.length - this.#filledBytes);
    target.set(this.#piece.subarray(0, bytes), this.#filledBytes);
    this.#piece = this.#piece.subarray(bytes);
    this.#filledBytes += bytes;
    if (this.#filledBytes < target.length) return;
    this.#target = undefined;
    this.#sink?.filled();
  }

  #fail(error: unknown): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(
      new SourceError('input-broken', `the input cannot be played: ${messageOf(error)}`, {
        cause: error,
      }),
    );
  }

  async #release(): Promise<void> {
    const input = this.#input;
    if (input instanceof Readable) await within(destroyed(input), releaseGraceMs);
    // An iterator that is asked for a piece may answer `return` only after that: not waited for.
    else if (this.#isAsking) void this.#returned();
    else await within(this.#returned(), releaseGraceMs);
  }

  async #returned(): Promise<void> {
    try {
      await this.#iterator?.return?.();
    } catch {
      // No caller is left that could be told.
    }
  }
}

function pieceOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`it gave a ${typeof value}: give Buffer or Uint8Array`);
}

async function destroyed(input: Readable): Promise<void> {
  if (input.closed) return;
  const closed = new Promise((resolve) => input.once('close', resolve));
  input.destroy();
  await closed;
}
