import type { AnnouncementDesk } from '../announcements/announcement-desk.ts';
import { ChunkPool } from '../audio/chunk-pool.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import { AccessGate } from '../auth/access-gate.ts';
import type { ChildPlaces } from '../base/children/child-places.ts';
import { type Clock, monotonicClock, timelineId } from '../base/clock.ts';
import { ConfigError, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { loadNativeAddon, type NativeAddonResult } from '../base/native/native-addon.ts';
import { Registry } from '../clients/registry.ts';
import { SceneList } from '../clients/scene-list.ts';
import { StateFile } from '../clients/state-file.ts';
import type { ClipParts } from '../clips/open-clips.ts';
import type { Config } from '../config/config.ts';
import { LiveConfig } from '../config/live-config.ts';
import type { SettingOrigins } from '../config/load-config.ts';
import { ControlServer } from '../control/control-server.ts';
import { hostFacts } from '../control/host-facts.ts';
import type { RpcHandler } from '../control/rpc.ts';
import { RpcDispatcher } from '../control/rpc-dispatcher.ts';
import { StatusTree } from '../control/status-tree.ts';
import type { Announcer } from '../discovery/announcer.ts';
import type { TimeResponder } from '../edge/time-responder.ts';
import type { Diagnose, ServerHealth } from '../figures/server-health.ts';
import { StatusReporter } from '../figures/status-reporter.ts';
import { TimeWatch } from '../figures/time-watch.ts';
import type { Hooks } from '../hooks/hooks.ts';
import type { RecentWarning } from '../log/recent-warnings.ts';
import { EventAxis } from '../observing/event-axis.ts';
import { changeEvent, timeEvent, troubleEvent } from '../observing/noted-events.ts';
import { GroupControl } from '../players/group-control.ts';
import { MixControl } from '../players/mix-control.ts';
import { PlayerServer } from '../players/player-server.ts';
import type { OriginFacts } from '../protocol/messages.ts';
import type { AddedStreams } from '../streams/added-streams.ts';
import type { Change, ChangeListener, Requester } from '../streams/change.ts';
import { ImageStore } from '../streams/image-store.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { StreamFactoryOptions } from '../streams/stream-factory.ts';
import type { FanOut } from '../transport/fan-out.ts';
import { openFanOut } from '../transport/open-fan-out.ts';
import { announce, loadAnnouncer } from './announcement.ts';
import { callMethod } from './call-method.ts';
import { ClosingOrder } from './closing-order.ts';
import { ConfigReload, type ReloadInputs, type ReloadReport } from './config-reload.ts';
import { configuredAccess } from './configured-access.ts';
import { openConnections } from './connections.ts';
import type { Edge } from './edge.ts';
import { warmUp } from './encoder-warm-up.ts';
import { Listeners } from './listeners.ts';
import { Observation } from './observation.ts';
import { openAddedStreams, openFileGate, openStreams, zeroCopyOptions } from './streams.ts';

/** Turns of the event loop that broken-off writes may take to report their end. */
const maxDrainTurns = 100;
/** For saving after an internal error: the service manager shall not wait long to restart us. */
const maxLastSaveMs = 3000;

export interface ApplicationOptions {
  readonly config: Config;
  /** Where the settings stand, for messages. */
  readonly origins?: SettingOrigins;
  /** From where the configuration can be read again; absent: it cannot. */
  readonly reload?: ReloadInputs | undefined;
  readonly logger: Logger;
  /** Stamps all audio and answers Time, of an edge it is set by; absent: the monotonic clock. */
  readonly clock?: Clock;
  /** Where clients, groups and added streams are saved; absent: nowhere. */
  readonly dataFolder?: string | undefined;
  /** Is told of every change of clients, groups and streams. */
  readonly onChange?: (change: Change) => void;
  /** Is called when all ports are bound, and before anything of the streams is opened. */
  readonly onBound?: () => void;
  /** Check all chunks for writes after their seal: for tests. */
  readonly verifySeals?: boolean;
  /** The last warnings of the log; absent where it is that of another program. */
  readonly recentWarnings?: () => readonly RecentWarning[];
  /** Looks at what the server needs, for who asks how it is. */
  readonly diagnose?: Diagnose | undefined;
  /** Time between two reports of the statistics: for tests. */
  readonly statusIntervalMs?: number;
}

/** Streams that Music Assistant makes for an announcement. */
const adoptedEnding = ' (announcement)';

/** It may change which group plays which stream. */
function isOfGroups({ kind }: Change): boolean {
  return kind.startsWith('group') || /^stream-(added|removed|state)$/.test(kind);
}

/** What has to be read before the server can be built. */
interface Prepared {
  readonly access: AccessGate;
  readonly persist: AddedStreams | undefined;
  /** Absent unless the server is one. */
  readonly edge: Edge | undefined;
}

type OpenedLink = Awaited<ReturnType<Required<StreamFactoryOptions>['openLink']>>;

/** Loads what only an edge needs. */
async function openEdge({ config, clock, logger }: ApplicationOptions): Promise<Edge | undefined> {
  if (config.edge.origin === '') return undefined;
  const { Edge } = await import('./edge.ts');
  return Edge.open({ config, logger, local: clock });
}

/** The whole server: builds every part once and wires it. */
export class Application {
  readonly pool: ChunkPool;
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly server: PlayerServer;
  readonly control: ControlServer;
  readonly mixes: MixControl;
  readonly #options: ApplicationOptions;
  readonly #edge: Edge | undefined;
  readonly #clock: Clock;
  readonly #fanOut: FanOut;
  readonly #status: StatusTree;
  readonly #rpc: RpcHandler;
  readonly #listeners: Listeners;
  readonly #statusReporter: StatusReporter;
  readonly #reload: ConfigReload | undefined;
  readonly #timeWatch: TimeWatch;
  readonly #observation: Observation;
  readonly #events: EventAxis;
  readonly #persist: AddedStreams | undefined;
  readonly #settings: () => Config;
  readonly #children: ChildPlaces;
  /** Since the first one was asked for. */
  #announcements: Promise<AnnouncementDesk> | undefined;
  /** There was a stream that is mixed over what a group plays that is given it. */
  #hasAdopted = false;
  readonly #scenes = new SceneList(() => this.#onScenes());
  readonly #native: NativeAddonResult;
  /** Since the first one was asked for. */
  #clips: Promise<ClipParts> | undefined;
  /** Since there was one in the configuration. */
  #hooks: Promise<Hooks> | undefined;
  /** Since it was first asked for. */
  #health: ServerHealth | undefined;
  readonly #startedMs = performance.now();
  /** Since the first edge has come. */
  #time: TimeResponder | undefined;
  #stateFile: StateFile | undefined;
  #announcer: Announcer | undefined;

  /** Failure: rejects with a `ConfigError` when a port cannot be bound; nothing stays open. */
  static async start(options: ApplicationOptions): Promise<Application> {
    const { config, origins, logger, dataFolder: folder } = options;
    const access = new AccessGate(await configuredAccess(config, origins));
    const persist = await openAddedStreams(config, { folder, logger });
    // What takes long is loaded and run before a peer can be kept waiting by it.
    await warmUp(config, {
      addresses: [...config.stream.source, ...(persist?.addresses ?? [])],
      logger: logger.tagged('Zerocast'),
    });
    await loadAnnouncer(config);
    const edge = await openEdge(options);
    const application = new Application(options, { access, persist, edge });
    try {
      await application.#open();
    } catch (error) {
      await application.close();
      throw error;
    }
    return application;
  }

  private constructor(options: ApplicationOptions, { access, persist, edge }: Prepared) {
    const { logger, verifySeals = false, statusIntervalMs } = options;
    const live = new LiveConfig(options.config);
    const settings = () => edge?.settingsOf(live.current) ?? live.current;
    const config = settings();
    const clock = edge?.link.timeline ?? options.clock ?? monotonicClock;
    this.#options = options;
    this.#edge = edge;
    this.#clock = clock;
    this.#settings = settings;
    this.#persist = persist;
    const onChange: ChangeListener = (change, by) => this.#onChange(change, by);
    const events = new EventAxis(clock);
    this.#events = events;
    const native = loadNativeAddon();
    this.#native = native;
    this.pool = new ChunkPool({
      verifySeals,
      ...('addon' in native && {
        allocate: native.addon.allocateSlab,
        release: native.addon.releaseSlab,
      }),
    });
    this.#fanOut = openFanOut({
      pool: this.pool,
      native,
      zeroCopy: zeroCopyOptions(config),
      logger: logger.tagged('Zerocast'),
    });
    this.registry = new Registry({
      bufferMs: config.stream.buffer,
      settings: () => ({
        initialVolume: settings().streamingClient.initialVolume,
        maxClients: settings().limits.maxKnownClients,
      }),
      nowMs: Date.now,
    });
    const { admission, surroundings } = openConnections({
      settings,
      native,
      logger: logger.tagged('Zerocast'),
    });
    this.#children = surroundings.children;
    const images = new ImageStore();
    this.streams = openStreams({
      settings,
      clock,
      logger,
      pool: this.pool,
      fanOut: this.#fanOut,
      images,
      surroundings: {
        ...surroundings,
        findClip: async (name) => (await this.#openClips()).library.findPlayable(name),
      },
      onChange,
      onTrouble: (id, trouble) => events.add(troubleEvent(id, trouble)),
      openLink: (wanted) => this.#openLink(wanted),
      persist,
      own: this.#own,
      httpPort: () => this.ports.http || settings().http.port,
    });
    this.#observation = new Observation({
      settings,
      access,
      streamOf: (id) => this.streams.channels.get(id)?.stream,
      streamIds: () => this.streams.channels.keys(),
      streams: this.streams,
      sessions: () => this.server.sessions,
      events,
      pool: this.pool,
      clock,
      logger,
      native,
    });
    this.server = new PlayerServer({
      clock,
      logger,
      fanOut: this.#fanOut,
      registry: this.registry,
      streams: this.streams,
      access,
      onChange,
      edges: {
        bufferMs: () => settings().stream.buffer,
        timelineId: () => edge?.link.timelineId || timelineId(),
        openTime: () => this.#openTime(),
      },
      isReady: () => edge?.link.timeline.isKnown ?? true,
      onLeft: ({ id }, text) => events.add({ side: 'player', what: 'left', id, text }),
      settings: () => ({
        sendToMuted: settings().stream.sendToMuted,
        helloTimeoutMs: settings().tcpStreaming.helloTimeout,
        stallTimeoutMs: settings().tcpStreaming.stallTimeout,
      }),
      variantFor: (client, channel) => this.mixes.variantFor(client, channel),
      overrideOf: (variant) => this.mixes.overrideOf(variant),
    });
    const isIdle = () => this.server.sessionCount === 0;
    this.#timeWatch = new TimeWatch({
      clock: monotonicClock,
      logger,
      isIdle,
      onNews: (news) => events.add(timeEvent(news)),
    });
    const { registry, streams, server } = this;
    this.mixes = new MixControl({
      registry,
      streams,
      server,
      logger: logger.tagged('Stream'),
      clock,
      bufferMs: config.stream.buffer,
    });
    const groups = new GroupControl({
      registry,
      server,
      streams,
      bufferMs: config.stream.buffer,
      isMixedOver: (id) => this.#isAdopted(id),
      onChange,
    });
    this.#status = new StatusTree({ registry, streams, host: hostFacts() });
    this.#rpc = new RpcDispatcher({
      access,
      groups,
      streams,
      registry,
      scenes: this.#scenes,
      status: this.#status,
      announcements: () => this.#openAnnouncements(),
      clips: () => this.#openClips(),
      reload: () => this.#reloadOn((reload) => reload.runPaced()),
      logger,
    });
    this.control = new ControlServer({
      access,
      handler: this.#rpc,
      status: this.#status,
      logger,
      settings: () => ({ loginTimeoutMs: settings().limits.loginTimeout }),
    });
    this.#listeners = new Listeners({
      settings,
      logger,
      native,
      server,
      control: this.control,
      admission,
      http: {
        access,
        images,
        taps: () => this.#observation.openTaps(),
        live: () => this.#observation.openLive(),
        announcements: () => this.#openAnnouncements(),
        clips: () => this.#openClips(),
        health: { text: (what) => this.#openHealth().then((health) => health.text(what)) },
      },
      metrics: async () => {
        const { ServerMetrics } = await import('../figures/server-metrics.ts');
        return new ServerMetrics({
          pool: this.pool,
          server,
          streams,
          registry,
          control: this.control,
          time: () => this.#timeWatch.figures,
          refusals: () => admission.refusals,
          taps: () => this.#observation.taps,
          live: () => this.#observation.live,
          levels: () => this.#observation.readLevels(),
          edge: this.#edge?.link,
          copies: async () => (await this.#clips)?.copier.statistics.figures,
          settings: () => settings().http,
        });
      },
    });
    this.#statusReporter = new StatusReporter({
      server,
      pool: this.pool,
      logger,
      ...(statusIntervalMs !== undefined && { intervalMs: statusIntervalMs }),
    });
    this.#reload =
      options.reload &&
      new ConfigReload({
        inputs: options.reload,
        live,
        logger,
        access,
        server,
        control: this.control,
        streams,
        listeners: this.#listeners,
      });
  }

  /** To the origin; absent unless this is an edge. */
  get edge() {
    return this.#edge?.link;
  }

  /** The ports really bound; 0 for what is disabled. */
  get ports() {
    return this.#listeners.ports;
  }

  /** Calls a method of the JSON-RPC interface. Failure: rejects with an `RpcError`. */
  async request(method: string, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    return callMethod(this.#rpc, method, params);
  }

  /**
   * Reads the configuration again and puts into force what can be changed while the server runs.
   *
   * Failure: rejects with a `ConfigError` that lists every fault; then nothing has changed.
   */
  async reload(): Promise<ReloadReport> {
    return this.#reloadOn((reload) => reload.run());
  }

  /**
   * Closes listeners, sessions, sources and children, in this order.
   *
   * Shape: resolves with the names of what did not close in time, which the log has, too.
   * Failure: rejects with an `AssertionError` when a chunk did not come home.
   */
  async close(): Promise<readonly string[]> {
    const order = new ClosingOrder(this.#options.logger.tagged('Zerocast'));
    const { streams } = this;
    await order.step('reload', () => this.#reload?.close());
    this.#statusReporter.close();
    this.#timeWatch.close();
    const goodbye = order.step('mDNS', () => this.#announcer?.close());
    await order.step('ports', () => this.#listeners.close());
    this.#time?.close();
    const parted = order.step('controllers', () => this.control.close());
    const untapped = order.step('taps', () => this.#observation.close());
    await order.step('hooks', async () => (await this.#hooks)?.close());
    await order.step('announcements', async () => (await this.#announcements)?.close());
    await order.step('clips', async () => (await this.#clips)?.close());
    await order.step('players', () => this.server.close());
    await order.step(
      'streams',
      () => streams.close(),
      () => streams.held,
    );
    this.#edge?.link.close();
    await order.step('fan-out', () => this.#fanOut.close());
    await Promise.all([goodbye, parted, untapped]);
    await order.step('state file', () => this.#stateFile?.close());
    // What is left may have chunks, and the process ends.
    if (order.late.length === 0) await order.step('pool', () => this.#closePool());
    order.finish();
    return order.late;
  }

  /**
   * Saves what is not saved yet and touches nothing else: for an end that was not planned. The
   * last save: later changes stay unsaved.
   *
   * Failure: never rejects, and gives up what does not answer in time; the log says so.
   */
  async saveLast(): Promise<void> {
    const limits = { maxStepMs: maxLastSaveMs, maxCloseMs: maxLastSaveMs };
    const order = new ClosingOrder(this.#options.logger.tagged('Zerocast'), limits);
    await Promise.all([
      order.step('state file', () => this.#stateFile?.close()),
      order.step('added streams', () => this.#persist?.close()),
    ]);
  }

  #openAnnouncements(): Promise<AnnouncementDesk> {
    this.#announcements ??= this.#loadAnnouncements();
    return this.#announcements;
  }

  async #reviewAnnouncers(): Promise<void> {
    (await this.#openAnnouncements()).reviewAnnouncers(this.streams.channels.values());
  }

  /** Also when the last one is gone: then nothing is run any more. */
  #reviewHooks(): void {
    const { onPlaying, onIdle } = this.#settings().hooks;
    if (!this.#hooks && onPlaying.length + onIdle.length === 0) return;
    this.#hooks ??= this.#loadHooks();
    void this.#hooks.then((hooks) => hooks.review());
  }

  async #loadHooks(): Promise<Hooks> {
    const { Hooks } = await import('../hooks/hooks.ts');
    const { registry, streams } = this;
    return new Hooks({
      ...{ registry, streams },
      children: this.#children,
      logger: this.#options.logger,
      settings: () => this.#settings().hooks,
    });
  }

  #isAdopted(streamId: string): boolean {
    return this.#settings().announce.adoptMa && streamId.endsWith(adoptedEnding);
  }

  async #reviewGroups(): Promise<void> {
    const announcements = await this.#openAnnouncements();
    const groups = new Set(this.registry.groups.values());
    announcements.reviewGroups(groups, this.streams.channels);
  }

  async #loadAnnouncements(): Promise<AnnouncementDesk> {
    const { openDesk } = await import('./open-desk.ts');
    const { logger } = this.#options;
    return openDesk({
      mixes: this.mixes,
      settings: this.#settings,
      registry: this.registry,
      streams: this.streams,
      children: this.#children,
      meters: () => this.#observation.openMeters(),
      clock: this.#clock,
      logger,
      clips: await this.#openClips(),
      onUpdate: (params) => {
        this.control.tell({
          interest: 'Announce',
          permission: 'Announce.List',
          method: 'Announce.OnUpdate',
          params,
        });
        this.#events.add({ side: 'house', what: 'announcement', text: params.state });
      },
    });
  }

  /** Files and folders of the server that its configuration does not name. */
  get #own(): readonly string[] {
    const { dataFolder, reload } = this.#options;
    return [dataFolder, reload?.file].filter((path) => path !== undefined);
  }

  #openClips(): Promise<ClipParts> {
    this.#clips ??= this.#loadClips();
    return this.#clips;
  }

  async #loadClips(): Promise<ClipParts> {
    const { openClips } = await import('../clips/open-clips.ts');
    const tell = (method: string, params: object) =>
      this.control.tell({ interest: 'Clips', permission: 'Clips.GetClips', method, params });
    return openClips({
      settings: this.#settings,
      dataFolder: this.#options.dataFolder,
      native: this.#native,
      fileGate: openFileGate({ settings: this.#settings, own: this.#own }),
      onChange: () => tell('Clips.OnUpdate', {}),
      onProgress: ({ name, bytes, totalBytes: size }) =>
        tell('Clips.OnProgress', { name, bytes, size }),
    });
  }

  async #openHealth(): Promise<ServerHealth> {
    const { ServerHealth } = await import('../figures/server-health.ts');
    const { recentWarnings: warnings, diagnose } = this.#options;
    this.#health ??= new ServerHealth({
      server: this.server,
      control: this.control,
      streams: this.streams,
      registry: this.registry,
      native: this.#native,
      edge: this.#edge?.link,
      settings: this.#settings,
      ports: () => this.ports,
      certificate: () => this.#listeners.certificate,
      startedMs: this.#startedMs,
      warnings,
      diagnose,
    });
    return this.#health;
  }

  async #closePool(): Promise<void> {
    // Sockets that were destroyed with a write under way report it in the next turns of the loop.
    for (let turn = 0; turn < maxDrainTurns && !this.pool.isFull; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.pool.close();
  }

  async #reloadOn(run: (reload: ConfigReload) => Promise<ReloadReport>): Promise<ReloadReport> {
    if (this.#reload) return run(this.#reload).finally(() => this.#reviewHooks());
    throw new ConfigError(
      'nothing-to-reload',
      'there is nothing to reload: this server was given its settings by a program',
    );
  }

  async #open(): Promise<void> {
    const { config, logger, dataFolder, onBound } = this.#options;
    if (dataFolder !== undefined) {
      const { registry } = this;
      const scenes = this.#scenes;
      this.#stateFile = await StateFile.open({ folder: dataFolder, logger, registry, scenes });
    }
    await this.#listeners.open();
    onBound?.();
    if (this.#edge) await this.#followOrigin(this.#edge);
    const timeline = this.#edge?.link.timeline;
    // Sources are read by a time that must not jump.
    if (timeline && !timeline.isKnown) void timeline.locked().then(() => this.#openOwnStreams());
    else await this.#openOwnStreams();
    // The first one costs most; no controller shall wait for it.
    this.#status.server();
    this.#listeners.release();
    this.#announcer = await announce(config, this.ports, { logger });
    this.#timeWatch.start();
  }

  async #openOwnStreams(): Promise<void> {
    for (const address of this.#options.config.stream.source) {
      await this.streams.addConfigured(address);
    }
    await this.streams.restoreAdded();
    this.streams.tellMissing();
  }

  async #followOrigin(edge: Edge): Promise<void> {
    const { RelayedStreams } = await import('../streams/relayed-streams.ts');
    const { registry, streams, server } = this;
    const { logger, config } = this.#options;
    const { link } = edge;
    const relayed = new RelayedStreams({ streams, link, wanted: config.edge.streams, logger });
    let reviewed = Promise.resolve();
    edge.follow(() => {
      const { buffer } = this.#settings().stream;
      if (registry.bufferMs !== buffer) {
        registry.bufferMs = buffer;
        for (const client of registry.clients.values()) server.sendSettings(client);
      }
      reviewed = relayed.review();
    });
    await reviewed;
  }

  /** The link of an edge serves all streams of its origin; others have one each. */
  async #openLink(wanted: StreamOptions): Promise<OpenedLink> {
    if (this.#edge?.isFrom(wanted)) return { link: this.#edge.link };
    const { openLinkTo } = await import('./edge.ts');
    const { logger } = this.#options;
    const link = openLinkTo(wanted, { config: this.#settings(), clock: this.#clock, logger });
    return { link, close: () => link.close() };
  }

  /** Failure: where it cannot be bound, edges ask by TCP; the log tells. */
  async #openTime(): Promise<OriginFacts['time']> {
    const { edge, tcpStreaming } = this.#settings();
    const port = edge.timePort === 'auto' ? this.ports.streaming : edge.timePort;
    if (port === 0) return undefined;
    const { TimeResponder } = await import('../edge/time-responder.ts');
    const { bindToAddress: addresses } = tcpStreaming;
    try {
      this.#time = await TimeResponder.open({ port, addresses, clock: this.#clock });
      return this.#time.facts;
    } catch (error) {
      const reason = messageOf(error);
      const logger = this.#options.logger.tagged('Edge');
      logger.warn('edges are not told the time by UDP, they ask by TCP', { port, reason });
      return undefined;
    }
  }

  #onScenes(): void {
    this.#stateFile?.schedule();
    this.control.tell({
      interest: 'Scene',
      permission: 'Scene.List',
      method: 'Scene.OnUpdate',
      params: {},
    });
  }

  #onChange(change: Change, by?: Requester): void {
    this.#status.invalidate(change);
    this.#observation.changed(change);
    this.#events.add(changeEvent(change));
    if (change.kind === 'client-added' || change.kind === 'client-connected') {
      this.#timeWatch.hurry();
    }
    if ('channel' in change && change.channel.stream.options.isAnnouncer) {
      void this.#reviewAnnouncers();
    }
    // From the stream on, as its audio follows soon and needs what is loaded then.
    if ('channel' in change) this.#hasAdopted ||= this.#isAdopted(change.channel.id);
    if ('group' in change) this.#hasAdopted ||= change.group.underId !== undefined;
    if (this.#hasAdopted && isOfGroups(change)) void this.#reviewGroups();
    if (change.kind === 'stream-removed') this.server.streamRemoved();
    else if ('channel' in change) this.server.reroute();
    else if (change.kind !== 'stream-order') this.#stateFile?.schedule();
    if (change.kind !== 'stream-properties') this.#reviewHooks();
    this.control.announce(change, by);
    this.#options.onChange?.(change);
  }
}
