import { playedStreamId } from '../clients/registry.ts';
import type { Change, Requester } from '../streams/change.ts';

/** Who alone has caused all of several changes, and so knows of them already. */
export class SoleRequester {
  #requester: Requester | undefined;
  #hasCaused = false;

  /** The next change was caused by `by`. */
  add(by: Requester | undefined): void {
    this.#requester = this.#hasCaused && this.#requester !== by ? undefined : by;
    this.#hasCaused = true;
  }

  is(somebody: Requester): boolean {
    return this.#requester === somebody;
  }
}

/** A complete status that will be sent soon, and what it will be the first to tell of. */
export class PendingUpdate {
  readonly #requester = new SoleRequester();
  readonly #news = new Set<object>();
  readonly #streamIds = new Set<string>();
  #hasRegrouped = false;

  add(change: Change, by: Requester | undefined): void {
    this.#requester.add(by);
    if (change.kind === 'groups') this.#hasRegrouped = true;
    if (change.kind === 'client-added') this.#news.add(change.client).add(change.client.group);
    if (change.kind === 'stream-added') {
      this.#news.add(change.channel);
      this.#streamIds.add(change.channel.id);
    }
  }

  /** Its only requester has seen all of it in the answers to its requests. */
  isFor(receiver: Requester): boolean {
    return !this.#requester.is(receiver);
  }

  /** Whether `change` is about something that no controller may know before this update. */
  isFirstToTell(change: Change): boolean {
    if ('client' in change) return this.#news.has(change.client);
    if ('channel' in change) return this.#news.has(change.channel);
    if (!('group' in change)) return false;
    const { group } = change;
    // After a regrouping any group may be a new one.
    return (
      this.#hasRegrouped || this.#news.has(group) || this.#streamIds.has(playedStreamId(group))
    );
  }
}
