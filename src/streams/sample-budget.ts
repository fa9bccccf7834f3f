import type { SampleFormat } from '../audio/sample-format.ts';
import { SourceError } from '../base/errors.ts';

/** In samples per second: rate times channels. */
export interface SampleLimits {
  /** Of one stream. */
  readonly maxAddedSamplesEach: number;
  /** Of all streams together. */
  readonly maxAddedSamples: number;
}

/** What one stream takes of the budget, until it is released. */
export interface SampleShare {
  /** The source turned out to deliver this. Failure: throws a `SourceError` as `take`. */
  resize(format: SampleFormat): void;
  release(): void;
}

/**
 * The samples per second that controllers may add: each of them has to be read, kept and encoded,
 * and added streams shall not take all of the processor from those that are there.
 */
export class SampleBudget {
  readonly #settings: () => SampleLimits;
  readonly #shares = new Map<SampleShare, number>();

  constructor(settings: () => SampleLimits) {
    this.#settings = settings;
  }

  /**
   * Takes a share for a stream of this format; that of the stream that it replaces does not count.
   *
   * Failure: throws a `SourceError` that names the limit and its setting.
   */
  take(format: SampleFormat, replaced?: SampleShare): SampleShare {
    const share: SampleShare = {
      resize: (actual) => this.#put(share, actual, replaced),
      release: () => this.#shares.delete(share),
    };
    this.#put(share, format, replaced);
    return share;
  }

  #put(share: SampleShare, format: SampleFormat, replaced?: SampleShare): void {
    const { maxAddedSamplesEach, maxAddedSamples } = this.#settings();
    const samples = format.rateHz * format.channels;
    if (samples > maxAddedSamplesEach) {
      throw new SourceError(
        'many-samples',
        `${format} has ${samples} samples per second, and a stream that is added may have ` +
          `${maxAddedSamplesEach}: use a lower rate or fewer channels, or raise ` +
          '[limits] max_added_samples_each',
      );
    }
    const others = this.#withoutThese(share, replaced);
    if (others + samples > maxAddedSamples) {
      throw new SourceError(
        'many-samples',
        `${format} has ${samples} samples per second, and of the ${maxAddedSamples} that all ` +
          `streams that were added may have, ${others} are in use: remove one that is not needed, ` +
          'or raise [limits] max_added_samples',
      );
    }
    this.#shares.set(share, samples);
  }

  #withoutThese(...left: readonly (SampleShare | undefined)[]): number {
    let sum = 0;
    for (const [share, samples] of this.#shares) if (!left.includes(share)) sum += samples;
    return sum;
  }
}
