import { Registry as MetricsRegistry } from 'prom-client';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { Reception } from '../audio/reception.ts';
import type { Registry } from '../clients/registry.ts';
import type { CopyStatistics } from '../clips/copy-statistics.ts';
import type { Config } from '../config/config.ts';
import type { ControlServer } from '../control/control-server.ts';
import type { OriginLink } from '../edge/origin-link.ts';
import type { LevelFigure } from '../metering/level-figures.ts';
import type { PlayerServer } from '../players/player-server.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { clipMetrics } from './clip-metrics.ts';
import { edgeMetrics } from './edge-metrics.ts';
import { levelMetrics } from './level-metrics.ts';
import { addMetric, type Metric, type Sample } from './metric.ts';
import { processMetrics } from './process-metrics.ts';
import { clientMetrics, readSends, type Sends, sendMetrics } from './send-metrics.ts';
import { timeMetrics } from './time-metrics.ts';
import type { TimeFigures } from './time-watch.ts';

/** Of those who get frames. */
interface FrameFigures {
  readonly sessionCount: number;
  readonly lostFrames: number;
}

/** What the figures are about. */
interface ServerMetricsOptions {
  readonly pool: ChunkPool;
  readonly server: PlayerServer;
  readonly streams: StreamDirectory;
  readonly registry: Registry;
  readonly control: ControlServer;
  /** Connections that were refused since the start, by reason. */
  readonly refusals: () => ReadonlyMap<string, number>;
  readonly time: () => TimeFigures;
  /** Absent while no program has asked for a tap. */
  readonly taps: () => FrameFigures | undefined;
  /** Absent while there was no viewer. */
  readonly live: () => FrameFigures | undefined;
  /** Peak and loudness of streams, while they are switched on. */
  readonly levels: () => Promise<readonly LevelFigure[]>;
  /** Absent while no controller has asked for a clip. */
  readonly copies: () => Promise<CopyStatistics['figures'] | undefined>;
  /** To the origin of an edge. */
  readonly edge: OriginLink | undefined;
  /** Whether there are figures, and a series for every single client. */
  readonly settings: () => Pick<Config['http'], 'metrics' | 'metricsPerClient'>;
}

const usPerSecond = 1e6;
const msPerSecond = 1000;

/** The figures in the format of Prometheus. Nothing is measured until they are first asked for. */
export class ServerMetrics {
  readonly #options: ServerMetricsOptions;
  #registry: MetricsRegistry | undefined;
  #sends: Sends;

  constructor(options: ServerMetricsOptions) {
    this.#options = options;
    this.#sends = readSends(options.server);
  }

  get isOn(): boolean {
    return this.#options.settings().metrics;
  }

  get contentType(): string {
    return this.#metrics.contentType;
  }

  text(): Promise<string> {
    this.#sends = readSends(this.#options.server);
    return this.#metrics.metrics();
  }

  get #metrics(): MetricsRegistry {
    this.#registry ??= this.#start();
    return this.#registry;
  }

  #start(): MetricsRegistry {
    const metrics = new MetricsRegistry();
    const sends = () => this.#sends;
    const own = [
      ...peerMetrics(this.#options),
      ...streamMetrics(this.#options),
      ...poolMetrics(this.#options),
      ...sendMetrics(sends),
      ...clipMetrics(this.#options.copies),
      ...timeMetrics(this.#options.time),
      ...(this.#options.edge ? edgeMetrics(this.#options.edge) : []),
      ...levelMetrics(this.#options.levels),
      ...clientMetrics(() =>
        this.#options.settings().metricsPerClient ? sends() : { ofClients: [] },
      ),
    ];
    for (const metric of own) addMetric(metrics, metric);
    return MetricsRegistry.merge([processMetrics(), metrics]);
  }
}

function peerMetrics({
  server,
  registry,
  control,
  refusals,
  taps,
  live,
}: ServerMetricsOptions): Metric[] {
  return [
    {
      type: 'counter',
      name: 'zerocast_refused_connections_total',
      help: 'Connections that were refused, by the limit that was reached',
      labels: ['reason'],
      samples: () => [...refusals()].map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      type: 'gauge',
      name: 'zerocast_clients',
      help: 'Clients that the server knows',
      labels: ['state'],
      samples: () => clientCounts(registry),
    },
    {
      type: 'gauge',
      name: 'zerocast_sessions',
      help: 'Connections of players',
      samples: () => [{ value: server.sessionCount }],
    },
    {
      type: 'gauge',
      name: 'zerocast_edges',
      help: 'Servers that take streams from this one',
      samples: () => [{ value: server.edgeNames.size }],
    },
    {
      type: 'gauge',
      name: 'zerocast_control_sessions',
      help: 'Connections of controllers',
      samples: () => [{ value: control.sessionCount }],
    },
    {
      type: 'gauge',
      name: 'zerocast_taps',
      help: 'Programs that listen to the audio of streams',
      samples: () => [{ value: taps()?.sessionCount ?? 0 }],
    },
    {
      type: 'counter',
      name: 'zerocast_tap_lost_frames_total',
      help: 'Frames that these did not get because they were too slow',
      samples: () => [{ value: taps()?.lostFrames ?? 0 }],
    },
    {
      type: 'gauge',
      name: 'zerocast_live_viewers',
      help: 'Connections of those who watch',
      samples: () => [{ value: live()?.sessionCount ?? 0 }],
    },
    {
      type: 'counter',
      name: 'zerocast_live_lost_frames_total',
      help: 'Frames that these did not get because they were too slow',
      samples: () => [{ value: live()?.lostFrames ?? 0 }],
    },
    {
      type: 'gauge',
      name: 'zerocast_groups',
      help: 'Groups of clients',
      samples: () => [{ value: registry.groups.size }],
    },
  ];
}

function clientCounts({ clients }: Registry): Sample[] {
  const connected = [...clients.values()].filter(({ isConnected }) => isConnected).length;
  return [
    { labels: { state: 'connected' }, value: connected },
    { labels: { state: 'away' }, value: clients.size - connected },
  ];
}

/** Of streams whose audio comes in packets. */
const receptionFigures: readonly {
  readonly type?: Metric['type'];
  readonly name: string;
  readonly help: string;
  readonly of: (reception: Reception) => number;
}[] = [
  {
    name: 'zerocast_stream_packets_total',
    help: 'Packets that came from the sender of the stream',
    of: ({ packets }) => packets,
  },
  {
    name: 'zerocast_stream_lost_packets_total',
    help: 'Packets that did not come, or not in time',
    of: ({ lostPackets }) => lostPackets,
  },
  {
    name: 'zerocast_stream_late_packets_total',
    help: 'Packets that came when their time was over',
    of: ({ latePackets }) => latePackets,
  },
  {
    name: 'zerocast_stream_duplicate_packets_total',
    help: 'Packets that came once more',
    of: ({ duplicatePackets }) => duplicatePackets,
  },
  {
    name: 'zerocast_stream_ignored_packets_total',
    help: 'Packets that were malformed, from another sender, or of a kind that is not played',
    of: ({ ignoredPackets }) => ignoredPackets,
  },
  {
    name: 'zerocast_stream_concealed_seconds_total',
    help: 'Audio that was put in the place of lost audio',
    of: ({ concealedMs }) => concealedMs / msPerSecond,
  },
  {
    type: 'gauge',
    name: 'zerocast_stream_packet_jitter_seconds',
    help: 'How much the time between packets varies',
    of: ({ jitterMs }) => jitterMs / msPerSecond,
  },
];

function streamMetrics({ streams }: ServerMetricsOptions): Metric[] {
  const perStream = (read: (channel: StreamChannel) => number | undefined) => () =>
    [...streams.channels.values()].flatMap((channel) => {
      const value = read(channel);
      return value === undefined ? [] : [{ labels: { stream: channel.id }, value }];
    });
  const metric = (
    type: Metric['type'],
    {
      name,
      help,
      value,
    }: { name: string; help: string; value: (of: StreamChannel) => number | undefined },
  ): Metric => ({ type, name, help, labels: ['stream'], samples: perStream(value) });
  return [
    metric('gauge', {
      name: 'zerocast_stream_playing',
      help: '1 while the stream plays, 0 while it is idle or disabled',
      value: ({ stream }) => (stream.state === 'playing' ? 1 : 0),
    }),
    metric('gauge', {
      name: 'zerocast_stream_listeners',
      help: 'Clients that get the audio of the stream',
      value: (channel) => channel.subscribers,
    }),
    metric('gauge', {
      name: 'zerocast_stream_variants',
      help: 'Encodings of the stream for some of its clients, with something mixed',
      value: ({ variants }) => variants.size,
    }),
    metric('counter', {
      name: 'zerocast_stream_variant_encoded_chunks_total',
      help: 'Chunks that were encoded for variants',
      value: (channel) => channel.variantFigures.encodedChunks,
    }),
    metric('counter', {
      name: 'zerocast_stream_variant_encode_seconds_total',
      help: 'Time that encoding for variants took',
      value: (channel) => channel.variantFigures.encodeUs / usPerSecond,
    }),
    metric('counter', {
      name: 'zerocast_stream_encoded_chunks_total',
      help: 'Chunks that were encoded',
      value: ({ stream }) => stream.encodeFigures.encodedChunks,
    }),
    metric('counter', {
      name: 'zerocast_stream_encode_seconds_total',
      help: 'Time that encoding took',
      value: ({ stream }) => stream.encodeFigures.encodeUs / usPerSecond,
    }),
    metric('counter', {
      name: 'zerocast_stream_encoder_dropped_chunks_total',
      help: 'Chunks that were dropped because the encoder was too slow',
      value: ({ stream }) => stream.encodeFigures.droppedChunks,
    }),
    metric('counter', {
      name: 'zerocast_stream_outdated_chunks_total',
      help: 'Chunks that were older than the buffer when they were ready, so that nobody got them',
      value: ({ broadcast }) => broadcast.outdatedChunks,
    }),
    {
      type: 'counter',
      name: 'zerocast_stream_relay_dropped_chunks_total',
      help: 'Chunks from another server that were not passed on',
      labels: ['stream', 'reason'],
      samples: () =>
        [...streams.channels.values()].flatMap(({ id, stream: { relayFigures = {} } }) =>
          Object.entries(relayFigures).map(([reason, value]) => ({
            labels: { stream: id, reason },
            value,
          })),
        ),
    },
    metric('gauge', {
      name: 'zerocast_stream_chunk_age_seconds',
      help: 'Time from the first sample of the newest chunk to its publication',
      value: ({ broadcast }) => broadcast.chunkAgeUs / usPerSecond,
    }),
    metric('gauge', {
      name: 'zerocast_stream_source_drift_ppm',
      help: 'By how many millionths the source runs faster than the clock of this machine',
      value: ({ stream }) => stream.driftPpm,
    }),
    metric('gauge', {
      name: 'zerocast_stream_source_backlog_seconds',
      help: 'Audio that has arrived from the source and waits to be read, where that can be told',
      value: ({ stream: { backlogMs } }) =>
        backlogMs === undefined ? undefined : backlogMs / msPerSecond,
    }),
    metric('counter', {
      name: 'zerocast_stream_overruns_total',
      help: 'How often the device of the stream lost audio that was not fetched in time',
      value: ({ stream }) => stream.overruns,
    }),
    metric('counter', {
      name: 'zerocast_stream_connections_total',
      help: 'Connections to the station of the stream, the first included',
      value: ({ stream }) => stream.buffering?.connections,
    }),
    metric('counter', {
      name: 'zerocast_stream_shortages_total',
      help: 'How often the station was too slow, which is heard as a gap',
      value: ({ stream }) => stream.buffering?.shortages,
    }),
    metric('gauge', {
      name: 'zerocast_stream_buffered_seconds',
      help: 'Audio of the station that waits to be read',
      value: ({ stream: { buffering } }) => buffering && buffering.bufferedMs / msPerSecond,
    }),
    ...receptionFigures.map(({ type = 'counter', name, help, of }) =>
      metric(type, {
        name,
        help,
        value: ({ stream: { reception } }) => reception && of(reception),
      }),
    ),
    metric('gauge', {
      name: 'zerocast_stream_max_chunk_age_seconds',
      help: 'The longest such time of the last minute',
      value: ({ broadcast }) => broadcast.maxChunkAgeUs / usPerSecond,
    }),
  ];
}

function poolMetrics({ pool }: ServerMetricsOptions): Metric[] {
  return [
    {
      type: 'gauge',
      name: 'zerocast_pool_slots',
      help: 'Slots of memory for chunks',
      labels: ['state'],
      samples: () => {
        const { totalSlots, availableSlots } = pool.statistics;
        return [
          { labels: { state: 'available' }, value: availableSlots },
          { labels: { state: 'used' }, value: totalSlots - availableSlots },
        ];
      },
    },
    {
      type: 'gauge',
      name: 'zerocast_pool_bytes',
      help: 'Memory of these slots',
      samples: () => [{ value: pool.statistics.bytesAllocated }],
    },
    {
      type: 'counter',
      name: 'zerocast_pool_slots_reused_total',
      help: 'Slots that served once more',
      samples: () => [{ value: pool.statistics.reused }],
    },
    {
      type: 'counter',
      name: 'zerocast_pool_slots_created_total',
      help: 'Slots that were made',
      samples: () => [{ value: pool.statistics.created }],
    },
  ];
}
