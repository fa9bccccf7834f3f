import type { StreamOptions } from '../audio/stream-options.ts';
import { sharedFifoAdvice, sharedFifos } from './shared-fifos.ts';
import type { StreamChannel } from './stream-channel.ts';
import type { StreamFactory } from './stream-factory.ts';
import type { StreamList } from './stream-list.ts';

/** What a reload of the configuration has done to its streams. */
export interface StreamsReport {
  /** Names. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Altered, under the same name. */
  readonly replaced: readonly string[];
  readonly unchanged: readonly string[];
  /** Why streams are left out, and what is not right in the addresses of others. */
  readonly warnings: readonly string[];
}

/** Which streams come from the configuration, and how they follow it when it is read again. */
export class ConfiguredStreams {
  readonly #factory: StreamFactory;
  readonly #list: StreamList;
  /** As they were when they were opened. */
  readonly #signatures = new WeakMap<StreamChannel, string>();
  /** What has ended and is still in its place. */
  readonly #leaving = new Set<StreamChannel>();

  constructor(factory: StreamFactory, list: StreamList) {
    this.#factory = factory;
    this.#list = list;
  }

  /** How many of the streams that are there will not stay. */
  get leavingCount(): number {
    return [...this.#leaving].filter((channel) => this.#list.has(channel)).length;
  }

  has(channel: StreamChannel): boolean {
    return this.#signatures.has(channel);
  }

  isLeaving(channel: StreamChannel): boolean {
    return this.#leaving.has(channel);
  }

  /** This one comes from the configuration. */
  opened(channel: StreamChannel): void {
    this.#signatures.set(channel, this.#factory.signatureOf(channel.stream.options));
  }

  /**
   * Makes the streams of the configuration those that are wanted; one call at a time. `open` says
   * why a stream is left out; one that is leaving and has its name makes way for it.
   */
  async change(
    wanted: readonly StreamOptions[],
    open: (options: StreamOptions) => Promise<string | undefined>,
  ): Promise<StreamsReport> {
    const before = [...this.#list.channels.keys()];
    const plan = this.#plan(wanted);
    for (const channel of plan.leaving) this.#leaving.add(channel);
    try {
      await Promise.all(plan.leaving.map((channel) => channel.stop()));
      return await this.#settle(plan, open);
    } finally {
      this.#leaving.clear();
      const now = [...this.#list.channels.keys()];
      if (!this.#list.isClosed && isReordered(before, now)) this.#list.announceOrder();
    }
  }

  /** Opens what is new, then gives away the groups of what is gone. */
  async #settle(
    { toOpen, kept, leaving, order, warnings }: ConfiguredPlan,
    open: (options: StreamOptions) => Promise<string | undefined>,
  ): Promise<StreamsReport> {
    const { channels } = this.#list;
    const faults: string[] = [];
    const opened: string[] = [];
    for (const options of toOpen) {
      if (this.#list.isClosed) break;
      const fault = await open(options);
      if (fault === undefined) opened.push(options.name);
      else faults.push(fault);
    }
    const ended = new Set(leaving.map(({ id }) => id));
    const gone = leaving.filter((channel) => this.#list.has(channel));
    // In front, as a start does.
    this.#list.putFirst(
      order.flatMap((name) => {
        const channel = channels.get(name);
        return channel && this.has(channel) && !this.isLeaving(channel) ? [channel] : [];
      }),
    );
    for (const channel of gone) this.#list.remove(channel);
    const shared = sharedFifos([...channels.values()].map(({ stream }) => stream.options));
    const sharing = shared.map(({ fault }) => `${fault}: ${sharedFifoAdvice}`);
    return {
      added: opened.filter((name) => !ended.has(name)),
      removed: gone.map(({ id }) => id),
      replaced: opened.filter((name) => ended.has(name)),
      unchanged: kept,
      warnings: [...warnings, ...faults, ...sharing],
    };
  }

  /** Compares what is there with what is wanted; nothing is touched. */
  #plan(wanted: readonly StreamOptions[]): ConfiguredPlan {
    const { channels } = this.#list;
    const isKept = (options: StreamOptions) => {
      const old = channels.get(options.name);
      if (!old || old.stream.state === 'disabled') return false;
      return this.#signatures.get(old) === this.#factory.signatureOf(options);
    };
    // Of several streams of one name the first counts, as at the start.
    const firsts = new Map([...wanted].reverse().map((options) => [options.name, options]));
    const kept = new Set(wanted.filter((one) => firsts.get(one.name) === one && isKept(one)));
    const keptNames = new Set([...kept].map(({ name }) => name));
    return {
      kept: [...keptNames],
      leaving: [...channels.values()].filter(
        (channel) => this.has(channel) && !keptNames.has(channel.id),
      ),
      toOpen: wanted.filter((one) => !kept.has(one)),
      order: [...new Set(wanted.map(({ name }) => name))],
      warnings: wanted.flatMap(({ name, warnings }) =>
        warnings.map((warning) => `stream "${name}": ${warning}`),
      ),
    };
  }
}

/** Whether what was there and still is has other places among each other. */
function isReordered(before: readonly string[], now: readonly string[]): boolean {
  const [old, present] = [new Set(before), new Set(now)];
  const stayed = before.filter((name) => present.has(name));
  return now.filter((name) => old.has(name)).some((name, index) => name !== stayed[index]);
}

/** What is to be done so that the streams of the configuration are those of its addresses. */
interface ConfiguredPlan {
  /** Streams that go on as they are, in the order of the configuration. */
  readonly kept: readonly string[];
  readonly leaving: readonly StreamChannel[];
  /** Streams to open, one after another; a name that is taken by then is a fault. */
  readonly toOpen: readonly StreamOptions[];
  /** All names, in the order of the configuration. */
  readonly order: readonly string[];
  /** What is not right in addresses that can be used. */
  readonly warnings: readonly string[];
}
