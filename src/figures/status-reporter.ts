import type { ChunkPool, ChunkPoolStatistics } from '../audio/chunk-pool.ts';
import type { Logger } from '../base/logger.ts';
import type { PlayerServer } from '../players/player-server.ts';
import { poolStatus, reportIntervalMs, type SessionStatus, statusReport } from './status-report.ts';

/**
 * Logs under the tag `Stats` what happened to the audio since its last report, while clients are
 * connected. Counters that the filter of the log hides stay untouched.
 */
export class StatusReporter {
  readonly #server: PlayerServer;
  readonly #pool: ChunkPool;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #lastPool: ChunkPoolStatistics;

  constructor({
    server,
    pool,
    logger,
    intervalMs = reportIntervalMs,
  }: {
    readonly server: PlayerServer;
    readonly pool: ChunkPool;
    readonly logger: Logger;
    readonly intervalMs?: number;
  }) {
    this.#server = server;
    this.#pool = pool;
    this.#logger = logger.tagged('Stats');
    this.#lastPool = pool.statistics;
    this.#timer = setInterval(() => this.#report(), intervalMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #report(): void {
    if (!this.#logger.isEnabled('info')) return;
    const sessions = this.#takeSessions();
    if (sessions.length === 0) return;
    const { statistics } = this.#pool;
    const pool = poolStatus(statistics, this.#lastPool);
    this.#lastPool = statistics;
    this.#logger.report(statusReport({ sessions, pool }, this.#logger.isEnabled('debug')));
  }

  /** A peer that has not said Hello is no client, and gets no audio. */
  #takeSessions(): SessionStatus[] {
    const taken: SessionStatus[] = [];
    for (const { client, connection, path } of this.#server.sessions) {
      if (!client) continue;
      const sends = path.takeStatistics();
      taken.push({ address: connection.remoteAddress, clientId: client.id, sends });
    }
    return taken;
  }
}
