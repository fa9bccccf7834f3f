import type { LogFields, Logger } from '../base/logger.ts';

/** So many lines at once, then one for each pause: a source may be wrong for days. */
const maxLines = 5;
const pauseMs = 60_000;

/** Warns of jumps of the time of one stream; of those that are not logged it tells how many. */
export class ResyncLog {
  readonly #logger: Logger;
  readonly #stream: string;
  #lines = maxLines;
  #refilledMs = 0;
  #unlogged = 0;

  constructor(logger: Logger, stream: string) {
    this.#logger = logger;
    this.#stream = stream;
  }

  tell(phrase: string, fields: LogFields, nowMs = performance.now()): void {
    const refills = Math.floor((nowMs - this.#refilledMs) / pauseMs);
    this.#refilledMs += refills * pauseMs;
    this.#lines = Math.min(maxLines, this.#lines + refills);
    if (this.#lines === 0) {
      this.#unlogged += 1;
      return;
    }
    this.#lines -= 1;
    const unlogged = this.#unlogged > 0 && { unlogged: this.#unlogged };
    this.#unlogged = 0;
    this.#logger.warn(phrase, { stream: this.#stream, ...fields, ...unlogged });
  }
}
