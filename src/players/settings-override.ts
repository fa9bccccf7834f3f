import type { Clock } from '../base/clock.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import { isMuted } from '../clients/registry.ts';
import type { ServerSettings } from '../protocol/messages.ts';

interface SettingsOverrideOptions {
  readonly clients: readonly ClientRecord[];
  /** For players that are set lower, percent. */
  readonly raisedTo?: number | undefined;
  readonly isUnmuted: boolean;
  readonly bufferMs: number;
  readonly clock: Clock;
  /** These have to be told other settings than before. */
  readonly onChange: (clients: readonly ClientRecord[]) => void;
}

/**
 * What players are told for as long as they play a sound, while all others see what is set.
 *
 * What is set anew meanwhile wins, and stays.
 */
export class SettingsOverride {
  readonly #options: SettingsOverrideOptions;
  /** What was set in the beginning, of all for whom that holds still. */
  readonly #before = new Map<ClientRecord, { readonly volume: number; readonly muted: boolean }>();
  readonly #active = new Set<ClientRecord>();

  constructor(options: SettingsOverrideOptions) {
    this.#options = options;
    for (const client of options.clients) {
      this.#before.set(client, { volume: client.volume, muted: isMuted(client) });
    }
  }

  get isOver(): boolean {
    return this.#before.size === 0;
  }

  /** `undefined`: what is set. */
  settingsFor(client: ClientRecord): Pick<ServerSettings, 'volume' | 'muted'> | undefined {
    const before = this.#beforeOf(client);
    if (!before || !this.#active.has(client)) return undefined;
    const { raisedTo = 0, isUnmuted } = this.#options;
    const volume = Math.max(before.volume, raisedTo);
    const muted = before.muted && !isUnmuted;
    const isOther = volume !== before.volume || muted !== before.muted;
    return isOther ? { volume, muted } : undefined;
  }

  /** A client that is muted gets the audio nevertheless. */
  unmutes(client: ClientRecord): boolean {
    return this.#options.isUnmuted && this.#beforeOf(client) !== undefined;
  }

  /** Holds from when players play what was captured then. */
  beginAt(us: number): void {
    this.#at(us, (clients) => {
      for (const client of clients) this.#active.add(client);
    });
  }

  endAt(us: number): void {
    this.#at(us, (clients) => {
      for (const client of clients) {
        this.#active.delete(client);
        this.#before.delete(client);
      }
    });
  }

  #beforeOf(client: ClientRecord) {
    const before = this.#before.get(client);
    const isSame = client.volume === before?.volume && isMuted(client) === before.muted;
    if (!isSame) this.#before.delete(client);
    return isSame ? before : undefined;
  }

  /** Those with a latency play all of it so much earlier. */
  #at(us: number, change: (clients: readonly ClientRecord[]) => void): void {
    const { clients, clock, bufferMs, onChange } = this.#options;
    const byLatency = new Map<number, ClientRecord[]>();
    for (const client of clients) {
      const same = byLatency.get(client.latencyMs) ?? [];
      byLatency.set(client.latencyMs, [...same, client]);
    }
    const playedMs = (us - clock.nowUs()) / 1000 + bufferMs;
    for (const [latencyMs, those] of byLatency) {
      const hold = () => {
        change(those);
        onChange(those);
      };
      setTimeout(hold, playedMs - latencyMs).unref();
    }
  }
}
