import type { Connection } from './connection.ts';
import type { NativeSocket } from './native-socket.ts';
import { addSends, noSends, type SendStatistics } from './send-statistics.ts';

/** The way of audio to one connection, and what happened on it. */
export class AudioPath {
  readonly connection: Connection;
  /** What JavaScript counts; the addon counts for itself. */
  readonly counters: SendStatistics = noSends();
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

  /** All counts up to now; they begin again at 0, but for what is outstanding. */
  takeStatistics(): SendStatistics {
    const statistics = noSends();
    this.#native?.takeStatistics(statistics);
    addSends(statistics, this.counters);
    Object.assign(this.counters, noSends());
    return statistics;
  }

  /** Ends the path, with the connection. Chunks on the air stay retained until they are completed. */
  detach(): void {
    this.#native?.remove();
    // The addon gives the number to somebody else.
    this.#native = undefined;
  }
}
