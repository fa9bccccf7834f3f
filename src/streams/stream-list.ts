import type { ChangeListener, Requester } from './change.ts';
import type { SampleShare } from './sample-budget.ts';
import type { StreamChannel } from './stream-channel.ts';

/** The streams in their order, and what those that are gone still hold; it tells what changes. */
export class StreamList {
  readonly #onChange: ChangeListener;
  readonly #channels = new Map<string, StreamChannel>();
  /** Of streams that controllers have added. */
  readonly #shares = new WeakMap<StreamChannel, SampleShare>();
  readonly #removals = new Map<string, Promise<unknown>>();
  #isClosed = false;

  constructor(onChange: ChangeListener) {
    this.#onChange = onChange;
  }

  /** By their names. */
  get channels(): ReadonlyMap<string, StreamChannel> {
    return this.#channels;
  }

  /** Names of streams that are not there any more and still hold something. */
  get held(): readonly string[] {
    return [...this.#removals.keys()];
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  has(channel: StreamChannel): boolean {
    return this.#channels.get(channel.id) === channel;
  }

  /** Absent unless a controller has added the stream. */
  shareOf(channel: StreamChannel): SampleShare | undefined {
    return this.#shares.get(channel);
  }

  /** Resolves when the port, fifo, child and script of what had this name are gone. */
  async released(name: string): Promise<void> {
    await this.#removals.get(name);
  }

  /**
   * Takes in a stream. What has its name leaves its place to it, so that the groups that play it
   * are at no time without a stream.
   */
  put(
    channel: StreamChannel,
    { share, by }: { share?: SampleShare | undefined; by?: Requester | undefined },
  ): void {
    const predecessor = this.#channels.get(channel.id);
    if (share) this.#shares.set(channel, share);
    this.#channels.set(channel.id, channel);
    if (predecessor) this.#release(predecessor, by);
  }

  remove(channel: StreamChannel, by?: Requester): void {
    this.#channels.delete(channel.id);
    this.#release(channel, by);
  }

  /** Puts these in front, in this order. */
  putFirst(first: readonly StreamChannel[]): void {
    const rest = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of [...first, ...rest]) this.#channels.set(channel.id, channel);
  }

  announceOrder(): void {
    this.#onChange({ kind: 'stream-order' });
  }

  /** Of a stream that is not in the list no observer is told. */
  announce(
    kind: 'stream-added' | 'stream-state' | 'stream-properties',
    channel: StreamChannel,
    by?: Requester,
  ): void {
    if (this.has(channel)) this.#onChange({ kind, channel }, by);
  }

  /** Ends all streams without a word. */
  close(): void {
    this.#isClosed = true;
    for (const channel of this.#channels.values()) this.#stop(channel);
    this.#channels.clear();
  }

  /** Resolves when nothing is held any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#removals.values());
  }

  #release(channel: StreamChannel, by?: Requester): void {
    this.#shares.get(channel)?.release();
    this.#onChange({ kind: 'stream-removed', channel }, by);
    this.#stop(channel);
  }

  #stop(channel: StreamChannel): void {
    const { id } = channel;
    // One that took over the name may go before its predecessor has ended.
    const removal = Promise.all([this.#removals.get(id), channel.stop()]).finally(() => {
      if (this.#removals.get(id) === removal) this.#removals.delete(id);
    });
    this.#removals.set(id, removal);
  }
}
