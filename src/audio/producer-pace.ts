/** Of the share of time that reads wait for their source, one read counts for so much. */
const weight = 1 / 16;
/** A producer that keeps us waiting for more of the time delivers at its own pace. */
const liveShare = 0.1;

/**
 * Whether a producer delivers audio as it arises, or as fast as it is read.
 *
 * What has piled up from the first is old after an interruption, and what follows is newer. From
 * the second it is simply what is to be played next.
 */
export class ProducerPace {
  #waitingShare = 0;

  /** Takes note of a read of `durationUs` of audio that took `waitedUs` until it was full. */
  noteRead(waitedUs: number, durationUs: number): void {
    const share = Math.min(1, waitedUs / durationUs);
    this.#waitingShare += (share - this.#waitingShare) * weight;
  }

  get isLive(): boolean {
    return this.#waitingShare >= liveShare;
  }
}
