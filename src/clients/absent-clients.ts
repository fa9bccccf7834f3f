import type { ClientRecord } from './client-record.ts';

/** Any peer can say Hello under thousands of ids, each of them a part of every complete status. */
export const maxAbsentStrangers = 1000;

/** Clients that are away, the longest absent first. */
export class AbsentClients {
  readonly #all = new Set<ClientRecord>();
  /** Strangers when they went; some may have been arranged since. */
  readonly #strangers = new Set<ClientRecord>();

  /** Takes note of a client that has gone away. */
  add(client: ClientRecord): void {
    this.#all.add(client);
    if (isStranger(client)) this.#strangers.add(client);
  }

  delete(client: ClientRecord): void {
    this.#all.delete(client);
    this.#strangers.delete(client);
  }

  /** In the order in which they are given up for others: strangers first. */
  *leastWanted(): Iterable<ClientRecord> {
    for (const client of this.#all) if (isStranger(client)) yield client;
    yield* this.#all;
  }

  /** Returns the strangers beyond `maxAbsentStrangers`, which count as such no longer. */
  takeSurplus(): readonly ClientRecord[] {
    const surplus: ClientRecord[] = [];
    for (const client of this.#strangers) {
      if (this.#strangers.size <= maxAbsentStrangers) break;
      this.#strangers.delete(client);
      if (isStranger(client)) surplus.push(client);
    }
    return surplus;
  }
}

/**
 * Whether no controller has arranged anything for a client. Volume and mute do not count: players
 * tell them of their own mixers.
 */
function isStranger({ name, latencyMs, group }: ClientRecord): boolean {
  const isArranged = name !== '' || latencyMs !== 0;
  return !isArranged && group.name === '' && !group.isMuted && group.clients.length === 1;
}
