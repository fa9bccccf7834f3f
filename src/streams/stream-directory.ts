import { type IterableInput, iterableSource } from '../audio/sources/iterable-source.ts';
import type { SourceFactory } from '../audio/sources/stream-source.ts';
import type { CustomStreamOptions, StreamOptions } from '../audio/stream-options.ts';
import { formatStreamUri, type StreamUri } from '../audio/stream-uri.ts';
import { RpcError, SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { addressMask, isMasked } from '../base/secrets.ts';
import type { AddedStreams } from './added-streams.ts';
import type { Change, ChangeListener, Requester } from './change.ts';
import { ConfiguredStreams, type StreamsReport } from './configured-streams.ts';
import { FifoRetry } from './fifo-retry.ts';
import { SampleBudget, type SampleLimits, type SampleShare } from './sample-budget.ts';
import { discreetFault } from './sandbox.ts';
import { sharedFifoAdvice, sharedFifos } from './shared-fifos.ts';
import type { StreamChannel } from './stream-channel.ts';
import type { ChannelRequest, StreamFactory } from './stream-factory.ts';
import { StreamList } from './stream-list.ts';

interface StreamDirectoryOptions {
  readonly factory: StreamFactory;
  readonly onChange: ChangeListener;
  readonly logger: Logger;
  /**
   * `maxStreams`: at one time, those that are just being opened included. The streams of the
   * configuration count, but are never refused.
   */
  readonly settings: () => SampleLimits & {
    readonly maxStreams: number;
    /** Name of the default stream; absent or empty: the first one. */
    readonly defaultSource?: string;
  };
  /** Where streams that controllers add are saved; absent: they are gone after a restart. */
  readonly persist?: AddedStreams | undefined;
}

interface AddRequest extends ChannelRequest {
  /** Whose place it takes, whatever becomes of it. */
  readonly renewed?: StreamChannel;
  /** Of the configuration: it is there also when its source cannot be opened. */
  readonly isConfigured?: boolean;
  readonly savedAs?: string;
}

/** The streams of the server, in their order. */
export class StreamDirectory {
  readonly #options: StreamDirectoryOptions;
  readonly #logger: Logger;
  readonly #list: StreamList;
  /** Names that are taken although nothing is there yet; these promises never reject. */
  readonly #openings = new Map<string, Promise<unknown>>();
  readonly #budget: SampleBudget;
  readonly #configured: ConfiguredStreams;
  readonly #fifoRetry: FifoRetry;

  constructor(options: StreamDirectoryOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('Stream');
    this.#budget = new SampleBudget(options.settings);
    this.#list = new StreamList((change, by) => {
      options.onChange(change, by);
      this.#tellMetas(change);
    });
    this.#configured = new ConfiguredStreams(options.factory, this.#list);
    this.#fifoRetry = new FifoRetry({
      isPresent: (channel) => this.#list.has(channel) && !this.#configured.isLeaving(channel),
      reopen: (options) => this.#openConfigured(options),
    });
  }

  get channels(): ReadonlyMap<string, StreamChannel> {
    return this.#list.channels;
  }

  /** The one that is named, or else the first that clients can play. */
  get default(): StreamChannel | undefined {
    const named = this.channels.get(this.#options.settings().defaultSource ?? '');
    if (named?.isPlayable) return named;
    for (const channel of this.channels.values()) if (channel.isPlayable) return channel;
    return undefined;
  }

  /**
   * Adds a stream of the configuration.
   *
   * Failure: one with a bad address is left out and the log says why; one whose source cannot be
   * opened is there, disabled.
   */
  async addConfigured(address: string): Promise<void> {
    for (const options of this.#optionsOf([address]).wanted) await this.#openConfigured(options);
  }

  /**
   * Makes the streams of the configuration those of `addresses`, and their order that of a start.
   *
   * A stream that would be opened as it is now goes on untouched, unless it is disabled: then it is
   * tried again. What has changed takes the place of what had its name, and its groups stay. All
   * that goes has ended before anything new is opened, so that ports and fifos can change hands,
   * but its groups are given to the default stream only when the new ones are there. Streams that
   * controllers or the program have added are not concerned.
   *
   * Failure: as `addConfigured`; one call at a time.
   */
  async reconfigure(addresses: readonly string[]): Promise<StreamsReport> {
    await this.#fifoRetry.settled();
    const { wanted, faults } = this.#optionsOf(addresses);
    const open = (options: StreamOptions) => this.#openConfigured(options);
    const report = await this.#configured.change(wanted, open);
    this.tellMissing();
    return { ...report, warnings: [...faults, ...report.warnings] };
  }

  /**
   * Adds a stream that a controller asks for; it has started when this resolves.
   *
   * Failure: rejects with a `SourceError` when the address is bad, the name is taken, the source
   * cannot be opened, or it names a program that a controller may not start, and with an
   * `RpcError` for such a script; nothing stays behind.
   */
  async add(address: string, by?: Requester): Promise<StreamChannel> {
    const options = this.#options.factory.optionsOf(address);
    if (!this.channels.has(options.name)) refuseMasked(options.uri);
    return this.#add({ options, isTrusted: false, savedAs: address }, by);
  }

  /** The same for the program that this server runs in, which may start what it likes. */
  async addTrusted(address: string): Promise<StreamChannel> {
    return this.#add({ options: this.#options.factory.optionsOf(address), isTrusted: true });
  }

  /** Adds a stream with a source of the program's own. Failure: as `add`. */
  async addSource(
    custom: CustomStreamOptions & { readonly createSource: SourceFactory },
    by?: Requester,
  ): Promise<StreamChannel> {
    const { createSource } = custom;
    const options = this.#options.factory.customOptions(custom);
    return this.#add({ options, isTrusted: true, createSource }, by);
  }

  /** Adds a stream of audio that is at hand. Failure: as `add`. */
  async addInput({
    input,
    ...custom
  }: CustomStreamOptions & Pick<IterableInput, 'input'>): Promise<StreamChannel> {
    return this.addSource({
      ...custom,
      createSource: ({ format, packed24 }) => iterableSource({ format, packed24, input }),
    });
  }

  /** Takes the place of a stream that is passed on, with what its server sends now. */
  async renew(old: StreamChannel): Promise<void> {
    if (!this.#list.has(old)) return;
    const isConfigured = this.#configured.has(old);
    const options = this.#options.factory.optionsOf(formatStreamUri(old.stream.options.uri));
    try {
      await this.#add({ options, isTrusted: true, isPatient: true, isConfigured, renewed: old });
    } catch (error) {
      // Such as a reload that replaces it at the same time.
      this.#skip(error);
    }
  }

  /** Puts these in front of all others, in this order. */
  putFirst(names: readonly string[]): void {
    const before = [...this.channels.keys()];
    this.#list.putFirst(names.flatMap((name) => this.channels.get(name) ?? []));
    const isChanged = [...this.channels.keys()].some((name, index) => name !== before[index]);
    if (isChanged) this.#list.announceOrder();
  }

  /** Adds the saved streams; one that cannot be opened stays saved. */
  async restoreAdded(): Promise<void> {
    const { factory, persist } = this.#options;
    for (const address of persist?.addresses ?? []) {
      try {
        const options = factory.optionsOf(address);
        await this.#add({ options, isTrusted: false, isPatient: true });
      } catch (error) {
        this.#logger.error('saved stream left out', { reason: reasonOf(error) });
      }
    }
  }

  /** Tells the log which streams are named by settings and others, and are not there. */
  tellMissing(): void {
    const { defaultSource = '' } = this.#options.settings();
    if (defaultSource !== '' && !this.channels.has(defaultSource)) {
      this.#logger.warn('default_source names no stream that is there', {
        default_source: defaultSource,
        instead: this.default?.id ?? '',
      });
    }
    for (const { id, children } of this.channels.values()) {
      const missing = children?.missing(this.channels) ?? [];
      if (missing.length === 0) continue;
      this.#logger.notice('meta stream waits for others', {
        stream: id,
        missing: missing.join(', '),
      });
    }
  }

  /** Its port, fifo, child and control script are gone when this resolves; unknown ids are fine. */
  async remove(id: string, by?: Requester): Promise<void> {
    const opening = this.#openings.get(id);
    if (opening) await opening;
    this.#options.persist?.remove(id);
    const channel = this.channels.get(id);
    if (channel) this.#list.remove(channel, by);
    await this.#list.released(id);
  }

  /** Tells that a stream is idle, plays, or cannot go on; ignored before and after its time. */
  stateChanged(channel: StreamChannel): void {
    this.#list.announce('stream-state', channel);
    if (this.#list.has(channel) && this.#configured.has(channel)) this.#fifoRetry.consider(channel);
  }

  propertiesChanged(channel: StreamChannel): void {
    this.#list.announce('stream-properties', channel);
  }

  /** What `close` waits for: streams that still open, or still hold something. */
  get held(): readonly string[] {
    return [...this.#openings.keys(), ...this.#list.held];
  }

  /** Ends all streams without a word; what is saved stays saved. */
  async close(): Promise<void> {
    this.#list.close();
    const saved = this.#options.persist?.close();
    const retried = this.#fifoRetry.close();
    const opened = Promise.all(this.#openings.values());
    // What is just being opened stops by itself.
    await Promise.all([saved, opened, retried]);
    await this.#list.ended();
  }

  /** Takes the name at once, so that the second of two requests fails. */
  async #add(request: AddRequest, by?: Requester): Promise<StreamChannel> {
    const { name, format } = request.options;
    const predecessor = this.#predecessorOf(request);
    this.#refuse(request, predecessor);
    const replaced = predecessor && this.#list.shareOf(predecessor);
    const share = request.isTrusted ? undefined : this.#budget.take(format, replaced);
    const opening = this.#open({ ...request, by, predecessor, share });
    this.#openings.set(
      name,
      opening.catch(() => undefined),
    );
    try {
      return await opening;
    } catch (error) {
      share?.release();
      throw error;
    } finally {
      this.#openings.delete(name);
    }
  }

  #refuse(request: AddRequest, predecessor: StreamChannel | undefined): void {
    const { name } = request.options;
    if (this.#list.isClosed) throw new SourceError('server-stops', 'the server stops');
    if (this.channels.get(name) !== predecessor || this.#openings.has(name)) throw isTaken(name);
    // What the user has written into the configuration is wanted, whatever was added before.
    if (request.isConfigured || predecessor) return;
    const present = this.channels.size + this.#openings.size + this.#list.held.length;
    const count = present - this.#configured.leavingCount;
    const { maxStreams } = this.#options.settings();
    if (count >= maxStreams) {
      throw new SourceError(
        'many-streams',
        `there are ${count} streams already, and ${maxStreams} are the limit: remove one ` +
          'that is not needed, or raise [limits] max_streams',
      );
    }
  }

  async #open(
    request: AddRequest & {
      readonly by: Requester | undefined;
      /** What it takes the place of. */
      readonly predecessor: StreamChannel | undefined;
      /** Absent: no limit. */
      readonly share: SampleShare | undefined;
    },
  ): Promise<StreamChannel> {
    const { options, isTrusted, isConfigured = false, savedAs, by, predecessor, share } = request;
    const { renewed } = request;
    // What had this name may still hold the port or the fifo.
    await this.#list.released(options.name);
    const channel = await this.#options.factory.build({ ...request, others: () => this.#staying });
    try {
      await channel.start(predecessor);
      const { fault } = channel.stream;
      if (fault && !isConfigured && !renewed)
        throw isTrusted ? fault : discreetFault(fault, options.uri);
      if (this.#list.isClosed) throw new SourceError('server-stops', 'the server stops');
      // Two that would contain each other may have been opened side by side.
      channel.children?.check(this.#staying);
      share?.resize(channel.stream.format);
      // It led somewhere after all.
      if (!isTrusted && predecessor?.stream.state === 'playing') throw isTaken(options.name);
    } catch (error) {
      await channel.stop();
      throw error;
    }
    if (isConfigured) this.#configured.opened(channel);
    if (savedAs !== undefined) this.#options.persist?.add(channel.id, savedAs);
    this.#list.put(channel, { share, by });
    this.#warnOfSharedFifo(channel);
    if (isConfigured) this.#fifoRetry.consider(channel);
    this.#list.announce('stream-added', channel, by);
    return channel;
  }

  get #staying(): ReadonlyMap<string, StreamChannel> {
    return new Map(
      [...this.channels].filter(([, channel]) => !this.#configured.isLeaving(channel)),
    );
  }

  /** Streams that are made of others follow what becomes of those. */
  #tellMetas(change: Change): void {
    if (!('channel' in change) && change.kind !== 'stream-order') return;
    for (const { children } of this.channels.values()) {
      if (change.kind === 'stream-properties') children?.propertiesChanged(change.channel);
      else if (change.kind !== 'stream-state') children?.link(this.channels);
    }
  }

  #warnOfSharedFifo(opened: StreamChannel): void {
    const running = [...this.#staying.values()];
    const shared = sharedFifos(running.map(({ stream }) => stream.options));
    const found = shared.find(({ names }) => names.includes(opened.id));
    if (found) {
      const { fault: reason } = found;
      this.#logger.warn('streams share a fifo', { reason, remedy: sharedFifoAdvice });
    }
  }

  /** Opens a stream of the configuration; returns why it is left out, if so. */
  async #openConfigured(options: StreamOptions): Promise<string | undefined> {
    try {
      await this.#add({ options, isTrusted: true, isConfigured: true, isPatient: true });
      // What had the name before counts as a stream until then.
      await this.#list.released(options.name);
      return undefined;
    } catch (error) {
      return this.#list.isClosed ? reasonOf(error) : this.#skip(error);
    }
  }

  /** What addresses of the configuration ask for, and why some are left out. */
  #optionsOf(addresses: readonly string[]): { wanted: StreamOptions[]; faults: string[] } {
    const faults: string[] = [];
    const wanted = addresses.flatMap((address) => {
      try {
        return [this.#options.factory.optionsOf(address)];
      } catch (error) {
        faults.push(this.#skip(error));
        return [];
      }
    });
    return { wanted, faults };
  }

  /** Returns the sentence that it logs. */
  #skip(error: unknown): string {
    const reason = reasonOf(error);
    this.#logger.error('stream left out', { reason });
    return reason;
  }

  /**
   * Some producers never remove their stream and listen elsewhere after a restart: what they add
   * takes the place of what leads nowhere any more, or that name would be silent for ever.
   */
  #predecessorOf(request: AddRequest): StreamChannel | undefined {
    const { options, isTrusted, isConfigured, renewed } = request;
    const old = this.channels.get(options.name);
    if (renewed) return renewed;
    // What has ended for this one, when the configuration was read again.
    if (isConfigured && old && this.#configured.isLeaving(old)) return old;
    if (isConfigured && old && this.#fifoRetry.has(old)) return old;
    if (isTrusted || !old || !this.#list.shareOf(old)) return undefined;
    const [from, to] = [old.stream.options.uri, options.uri];
    const hasMoved =
      isTcpClient(from) && isTcpClient(to) && formatStreamUri(from) !== formatStreamUri(to);
    if (!hasMoved || old.stream.state !== 'idle') return undefined;
    this.#logger.info('producer of stream has moved', { stream: old.id, from: from.host });
    return old;
  }
}

/** Controllers save and restore the addresses that they were told, in which secrets are masked. */
function refuseMasked({ query }: StreamUri): void {
  const masked = Object.keys(query).find((key) => isMasked(key, query[key] ?? ''));
  if (masked === undefined) return;
  throw new SourceError(
    'masked-secret',
    `${masked} holds ${addressMask} in place of the secret, which is shown to nobody: write it anew`,
  );
}

function isTaken(name: string): SourceError {
  return new SourceError('duplicate-name', `Stream with name "${name}" already exists`);
}

function isTcpClient({ scheme, query }: StreamUri): boolean {
  return scheme === 'tcp' && query.mode?.toLowerCase() === 'client';
}

/** What to say about a stream that is left out; our own bugs are nothing to go on after. */
function reasonOf(error: unknown): string {
  if (error instanceof RpcError) return error.data ?? error.message;
  if (error instanceof SourceError) return error.message;
  throw error;
}
