/** How the bytes of a file are copied, from the cheapest to the dearest. */
const copyWays = ['reflink', 'copy_file_range', 'sendfile', 'read_write'] as const;
export type CopyWay = (typeof copyWays)[number];

/** A way that the system refused, and why: the name of its error. */
export interface CopyFallback {
  readonly way: CopyWay;
  readonly reason: string;
}

export interface CopyReport {
  readonly way: CopyWay;
  readonly bytes: number;
  readonly ms: number;
  readonly fallbacks: readonly CopyFallback[];
}

interface WayFigures {
  copies: number;
  bytes: number;
  ms: number;
}

/** What was copied since the start. */
export class CopyStatistics {
  readonly #ways = new Map(
    copyWays.map((way): [CopyWay, WayFigures] => [way, { copies: 0, bytes: 0, ms: 0 }]),
  );
  /** By way and reason; the system has about a hundred. */
  readonly #fallbacks = new Map<string, CopyFallback & { copies: number }>();
  #failures = 0;
  #verificationFailures = 0;

  add({ way, bytes, ms, fallbacks }: CopyReport): void {
    const figures = this.#ways.get(way);
    if (figures) {
      figures.copies += 1;
      figures.bytes += bytes;
      figures.ms += ms;
    }
    for (const { way, reason } of fallbacks) {
      const key = `${way} ${reason}`;
      const known = this.#fallbacks.get(key) ?? { way, reason, copies: 0 };
      known.copies += 1;
      this.#fallbacks.set(key, known);
    }
  }

  addFailure({ isVerification }: { readonly isVerification: boolean }): void {
    this.#failures += 1;
    if (isVerification) this.#verificationFailures += 1;
  }

  /** Shape: `zeroCopyShare` is of the bytes, and 0 before the first; `ms` is the time of the copies. */
  get figures() {
    const ways = [...this.#ways].map(([way, figures]) => ({ way, ...figures }));
    const bytes = ways.reduce((sum, way) => sum + way.bytes, 0);
    const ms = ways.reduce((sum, way) => sum + way.ms, 0);
    const plainBytes = this.#ways.get('read_write')?.bytes ?? 0;
    return {
      bytes,
      ms,
      megabytesPerSecond: ms === 0 ? 0 : bytes / 1000 / ms,
      zeroCopyShare: bytes === 0 ? 0 : 1 - plainBytes / bytes,
      ways,
      fallbacks: [...this.#fallbacks.values()],
      failures: this.#failures,
      verificationFailures: this.#verificationFailures,
    };
  }
}
