import type { Connection } from './connection.ts';
import type { NativeSocket } from './native-socket.ts';
import { addSends, noSends, type SendStatistics, subtractSends } from './send-statistics.ts';

/** The way of audio to one connection, and what happened on it. */
export class AudioPath {
  readonly connection: Connection;
  /** Its peer passes the audio on, and collects it itself: nothing waits for an interval. */
  isEveryTick = false;
  /** What JavaScript counts; the addon counts for itself. */
  readonly counters: SendStatistics = noSends();
  readonly #totals = noSends();
  #taken = noSends();
  #native: NativeSocket | undefined;

  constructor(connection: Connection, native?: NativeSocket) {
    this.connection = connection;
    this.#native = native;
  }

  /** The number by which the addon knows the socket; −1 when Node's own writes carry the audio. */
  get socketId(): number {
    return this.#native?.id ?? -1;
  }

  get isZeroCopy(): boolean {
    return this.#native?.isZeroCopy ?? false;
  }

  /** All counts since the connection began. */
  get totals(): SendStatistics {
    this.#collect();
    return { ...this.#totals };
  }

  /** All counts since the last call, but for what is outstanding. */
  takeStatistics(): SendStatistics {
    const { totals } = this;
    const since = subtractSends(totals, this.#taken);
    this.#taken = totals;
    return since;
  }

  /** Ends the path, with the connection. Chunks in flight stay retained until they are completed. */
  detach(): void {
    this.#collect();
    this.#totals.outstanding = 0;
    this.#native?.remove();
    // The addon gives the number to another socket.
    this.#native = undefined;
  }

  #collect(): void {
    const recent = noSends();
    this.#native?.takeStatistics(recent);
    addSends(recent, this.counters);
    Object.assign(this.counters, noSends());
    addSends(this.#totals, recent);
    this.#totals.outstanding = recent.outstanding;
  }
}
