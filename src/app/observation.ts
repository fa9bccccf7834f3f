import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { Stream } from '../audio/stream.ts';
import type { Access } from '../auth/access.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { LiveServer } from '../live/live-server.ts';
import type { LevelFigure, LevelFigures } from '../metering/level-figures.ts';
import type { StreamMeters } from '../metering/stream-meters.ts';
import type { EventAxis } from '../observing/event-axis.ts';
import type { Session } from '../players/session.ts';
import type { Change } from '../streams/change.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { TapServer } from '../taps/tap-server.ts';

interface ObservationOptions {
  readonly settings: () => Config;
  readonly access: Access;
  readonly streamOf: (id: string) => Stream | undefined;
  readonly streamIds: () => Iterable<string>;
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly sessions: () => Iterable<Session>;
  readonly events: EventAxis;
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly native: NativeAddonResult;
}

/** Looks at what streams play, for those who ask; nothing of it is loaded before. */
export class Observation {
  readonly #options: ObservationOptions;
  #dsp: Promise<Dsp> | undefined;
  #taps: TapServer | undefined;
  #meters: StreamMeters | undefined;
  #levels: LevelFigures | undefined;
  #live: LiveServer | undefined;

  constructor(options: ObservationOptions) {
    this.#options = options;
  }

  /** Absent while no program has asked for one. */
  get taps(): TapServer | undefined {
    return this.#taps;
  }

  /** Absent while there was no viewer. */
  get live(): LiveServer | undefined {
    return this.#live;
  }

  async openTaps(): Promise<TapServer> {
    const { TapServer } = await import('../taps/tap-server.ts');
    const { logger, settings } = this.#options;
    this.#taps ??= new TapServer({
      ...this.#options,
      dsp: () => this.#openDsp(),
      logger: logger.tagged('Taps'),
      settings: () => ({ peerTimeoutMs: settings().server.peerTimeout }),
    });
    return this.#taps;
  }

  async openMeters(): Promise<StreamMeters> {
    const { StreamMeters } = await import('../metering/stream-meters.ts');
    const dsp = await this.#openDsp();
    this.#meters ??= new StreamMeters({ ...this.#options, dsp });
    return this.#meters;
  }

  async openLive(): Promise<LiveServer> {
    const [{ LiveServer }, { MeterTopic }, { SyncTopic }, meters] = await Promise.all([
      import('../live/live-server.ts'),
      import('../live/meter-topic.ts'),
      import('../live/sync-topic.ts'),
      this.openMeters(),
    ]);
    const { logger, settings, native } = this.#options;
    const measuresTruePeak = 'addon' in native && native.addon.dsp !== undefined;
    this.#live ??= new LiveServer({
      ...this.#options,
      topics: [
        new MeterTopic({ ...this.#options, meters, measuresTruePeak }),
        new SyncTopic(this.#options),
      ],
      logger: logger.tagged('Live'),
      settings: () => ({ loginTimeoutMs: settings().limits.loginTimeout }),
    });
    return this.#live;
  }

  /** Of all streams; measured from now on, for a while. None while they are switched off. */
  async readLevels(): Promise<readonly LevelFigure[]> {
    if (!this.#options.settings().http.metricsLevels) {
      this.#levels?.stop();
      return [];
    }
    const { LevelFigures } = await import('../metering/level-figures.ts');
    const meters = await this.openMeters();
    this.#levels ??= new LevelFigures({ ...this.#options, meters });
    return this.#levels.read();
  }

  /** Something about clients, groups or streams is different now. */
  changed(change: Change): void {
    if ('channel' in change) {
      this.#taps?.streamsChanged();
      this.#meters?.streamsChanged();
    }
    this.#live?.changed(change);
  }

  async close(): Promise<void> {
    this.#levels?.stop();
    this.#live?.close();
    await this.#taps?.close();
  }

  #openDsp(): Promise<Dsp> {
    this.#dsp ??= import('../dsp/dsp.ts').then(({ openDsp }) => openDsp(this.#options.native));
    return this.#dsp;
  }
}
