import type { PcmObserver, TimedPcm } from './stage.ts';

/**
 * The PCM that a stream has sent lately, numbered by a sequence, to be rendered anew.
 *
 * Ownership: holds one reference to each chunk until it drops it; with codec `pcm` these are the chunks
 * that the ring holds, too.
 */
export class PcmPast implements PcmObserver {
  readonly #keptUs: number;
  readonly #beginUs: number;
  #kept: TimedPcm[] = [];
  #tail = 0;

  /** Shape: what was captured before `beginUs` has not been seen. */
  constructor({ keptMs, beginUs }: { readonly keptMs: number; readonly beginUs: number }) {
    this.#keptUs = keptMs * 1000;
    this.#beginUs = beginUs;
  }

  /** The sequence of the oldest chunk that is kept. */
  get tail(): number {
    return this.#tail;
  }

  /** The sequence that comes next. */
  get head(): number {
    return this.#tail + this.#kept.length;
  }

  /** All is there that was captured since then. */
  reaches(us: number): boolean {
    return this.#beginUs <= us;
  }

  /** The sequence of the first chunk that was captured then or later; `head` while there is none. */
  firstSince(us: number): number {
    const index = this.#kept.findIndex(({ timestampUs }) => timestampUs >= us);
    return index < 0 ? this.head : this.#tail + index;
  }

  /** `undefined` for what has been dropped or has not come yet. Ownership: borrowed, for this turn. */
  at(sequence: number): TimedPcm | undefined {
    return this.#kept[sequence - this.#tail];
  }

  take(pcm: TimedPcm): void {
    this.#kept.push({ ...pcm, chunk: pcm.chunk.retain() });
    const oldestUs = pcm.timestampUs - this.#keptUs;
    while (this.#kept[0]!.timestampUs < oldestUs) this.#drop();
  }

  endRun(): void {}

  close(): void {
    while (this.#kept.length > 0) this.#drop();
  }

  #drop(): void {
    this.#kept.shift()?.chunk.release();
    this.#tail += 1;
  }
}
