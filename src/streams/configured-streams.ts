import type { StreamOptions } from '../audio/stream-options.ts';
import { sharedFifoAdvice, sharedFifos } from './shared-fifos.ts';
import type { StreamChannel } from './stream-channel.ts';
import type { StreamFactory } from './stream-factory.ts';

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

export interface ConfiguredStreamsOptions {
  readonly factory: Pick<StreamFactory, 'optionsOf' | 'signatureOf'>;
  /** All streams in their order, which is changed here. */
  readonly channels: Map<string, StreamChannel>;
  readonly isClosed: () => boolean;
  /** Opens a stream; one that is leaving and has its name makes way for it. */
  readonly open: (options: StreamOptions) => Promise<unknown>;
  readonly remove: (channel: StreamChannel) => void;
  /** Logs why a stream is left out, and returns the sentence. */
  readonly skip: (error: unknown) => string;
  readonly onReorder: () => void;
}

/** Which streams come from the configuration, and how they follow it when it is read again. */
export class ConfiguredStreams {
  readonly #options: ConfiguredStreamsOptions;
  /** As they were when they were opened. */
  readonly #signatures = new WeakMap<StreamChannel, string>();
  /** What has ended and is still in its place. */
  readonly #leaving = new Set<StreamChannel>();

  constructor(options: ConfiguredStreamsOptions) {
    this.#options = options;
  }

  /** How many of the streams that are there will not stay. */
  get leavingCount(): number {
    const { channels } = this.#options;
    return [...this.#leaving].filter((channel) => channels.get(channel.id) === channel).length;
  }

  has(channel: StreamChannel): boolean {
    return this.#signatures.has(channel);
  }

  isLeaving(channel: StreamChannel): boolean {
    return this.#leaving.has(channel);
  }

  /** This one comes from the configuration. */
  opened(channel: StreamChannel): void {
    this.#signatures.set(channel, this.#options.factory.signatureOf(channel.stream.options));
  }

  /** Makes the streams of the configuration those of `addresses`; one call at a time. */
  async change(addresses: readonly string[]): Promise<StreamsReport> {
    const { channels, isClosed, onReorder } = this.#options;
    const before = [...channels.keys()];
    const plan = planConfigured(addresses, { ...this.#options, signatures: this.#signatures });
    for (const channel of plan.leaving) this.#leaving.add(channel);
    try {
      await Promise.all(plan.leaving.map((channel) => channel.stop()));
      return await this.#settle(plan);
    } finally {
      this.#leaving.clear();
      if (!isClosed() && isReordered(before, [...channels.keys()])) onReorder();
    }
  }

  /** Opens what is new, then gives away the groups of what is gone. */
  async #settle(plan: ConfiguredPlan): Promise<StreamsReport> {
    const { toOpen, kept, leaving, order, faults } = plan;
    const { channels, isClosed, open, remove, skip } = this.#options;
    const warnings = [...faults.map((fault) => skip(fault)), ...plan.warnings];
    const opened: string[] = [];
    for (const options of toOpen) {
      if (isClosed()) break;
      try {
        await open(options);
        opened.push(options.name);
      } catch (error) {
        warnings.push(skip(error));
      }
    }
    const ended = new Set(leaving.map(({ id }) => id));
    const gone = leaving.filter((channel) => channels.get(channel.id) === channel);
    this.#sort(order);
    for (const channel of gone) remove(channel);
    const shared = sharedFifos([...channels.values()].map(({ stream }) => stream.options));
    return {
      added: opened.filter((name) => !ended.has(name)),
      removed: gone.map(({ id }) => id),
      replaced: opened.filter((name) => ended.has(name)),
      unchanged: kept,
      warnings: [...warnings, ...shared.map(({ fault }) => `${fault}: ${sharedFifoAdvice}`)],
    };
  }

  /** Puts the streams of the configuration in front, in this order, as a start does. */
  #sort(order: readonly string[]): void {
    const { channels } = this.#options;
    const sorted = new Map<string, StreamChannel>();
    for (const name of order) {
      const channel = channels.get(name);
      if (!channel || !this.#signatures.has(channel) || this.#leaving.has(channel)) continue;
      sorted.set(name, channel);
    }
    for (const [name, channel] of channels) sorted.set(name, channel);
    channels.clear();
    for (const [name, channel] of sorted) channels.set(name, channel);
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
  /** Streams that end. */
  readonly leaving: readonly StreamChannel[];
  /** Streams to open, one after another; a name that is taken by then is a fault. */
  readonly toOpen: readonly StreamOptions[];
  /** All names, in the order of the configuration. */
  readonly order: readonly string[];
  /** What is wrong with addresses. */
  readonly faults: readonly unknown[];
  /** What is not right in addresses that can be used. */
  readonly warnings: readonly string[];
}

interface PlanInputs {
  readonly factory: Pick<StreamFactory, 'optionsOf' | 'signatureOf'>;
  readonly channels: ReadonlyMap<string, StreamChannel>;
  /** Of the streams that come from the configuration, as they were when they were opened. */
  readonly signatures: WeakMap<StreamChannel, string>;
}

/** Compares what is there with what is wanted; nothing is touched. */
function planConfigured(addresses: readonly string[], inputs: PlanInputs): ConfiguredPlan {
  const { factory, channels, signatures } = inputs;
  const faults: unknown[] = [];
  const wanted = addresses.flatMap((address) => {
    try {
      return [factory.optionsOf(address)];
    } catch (error) {
      faults.push(error);
      return [];
    }
  });
  const isKept = (options: StreamOptions) => {
    const old = channels.get(options.name);
    if (!old || old.stream.state === 'disabled') return false;
    return signatures.get(old) === factory.signatureOf(options);
  };
  // Of several streams of one name the first counts, as at the start.
  const firsts = new Map([...wanted].reverse().map((options) => [options.name, options]));
  const kept = new Set(wanted.filter((one) => firsts.get(one.name) === one && isKept(one)));
  const keptNames = new Set([...kept].map(({ name }) => name));
  return {
    kept: [...keptNames],
    leaving: [...channels.values()].filter(
      (channel) => signatures.has(channel) && !keptNames.has(channel.id),
    ),
    toOpen: wanted.filter((one) => !kept.has(one)),
    order: [...new Set(wanted.map(({ name }) => name))],
    faults,
    warnings: wanted.flatMap(({ name, warnings }) =>
      warnings.map((warning) => `stream "${name}": ${warning}`),
    ),
  };
}
