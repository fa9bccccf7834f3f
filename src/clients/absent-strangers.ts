import type { ClientRecord } from './client-record.ts';

/** Anybody can say Hello under thousands of ids, each of them a part of every complete status. */
export const maxAbsentStrangers = 1000;

/** Clients that are away and that nobody has arranged anything for, the longest absent first. */
export class AbsentStrangers {
  /** Strangers when they went; some may have been arranged since. */
  readonly #clients = new Set<ClientRecord>();

  /** Takes note of a client that has gone away. */
  add(client: ClientRecord): void {
    if (isStranger(client)) this.#clients.add(client);
  }

  delete(client: ClientRecord): void {
    this.#clients.delete(client);
  }

  /** Returns who is beyond `maxAbsentStrangers`, and counts it no longer. */
  takeSurplus(): readonly ClientRecord[] {
    const surplus: ClientRecord[] = [];
    for (const client of this.#clients) {
      if (this.#clients.size <= maxAbsentStrangers) break;
      this.#clients.delete(client);
      if (isStranger(client)) surplus.push(client);
    }
    return surplus;
  }
}

/** Volume and mute do not count: players tell them of their own mixers. */
export function isStranger({ name, latencyMs, group }: ClientRecord): boolean {
  const isArranged = name !== '' || latencyMs !== 0;
  return !isArranged && group.name === '' && !group.isMuted && group.clients.length === 1;
}
