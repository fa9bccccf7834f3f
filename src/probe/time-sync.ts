/** Measurements that the estimate rests on, as in existing clients. */
const windowSize = 200;

/** How the server's clock differs from ours, by Time exchanges. Source: protocol reference, 6.2. */
export class TimeSync {
  readonly #offsetsUs: number[] = [];
  #roundTripUs = 0;

  get isSynced(): boolean {
    return this.#offsetsUs.length > 0;
  }

  /** Round trip of the last exchange, microseconds. */
  get roundTripUs(): number {
    return this.#roundTripUs;
  }

  /** Server clock minus our clock: the median of the last measurements, microseconds. */
  get offsetUs(): number {
    const sorted = [...this.#offsetsUs].sort((left, right) => left - right);
    return sorted[sorted.length >> 1] ?? 0;
  }

  /** Takes one answer: the server's measured latency, its clock at sending, ours at arrival. */
  add(exchange: { latencyUs: number; sentUs: number; arrivedUs: number }): void {
    const toServerUs = exchange.latencyUs;
    const toClientUs = exchange.arrivedUs - exchange.sentUs;
    this.#roundTripUs = toServerUs + toClientUs;
    this.#offsetsUs.push((toServerUs - toClientUs) / 2);
    if (this.#offsetsUs.length > windowSize) this.#offsetsUs.shift();
  }
}
