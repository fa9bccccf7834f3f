import { setTimeout as delay } from 'node:timers/promises';
import type { AccessGate } from '../auth/access-gate.ts';
import { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Config } from '../config/config.ts';
import { differencesBetween, type SettingDifference } from '../config/difference.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import type { ControlServer } from '../control/control-server.ts';
import type { PlayerServer } from '../players/player-server.ts';
import type { StreamsReport } from '../streams/configured-streams.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { configuredAccess } from './configured-access.ts';
import type { Listeners } from './listeners.ts';

/**
 * Controllers may ask as often as they like: all of them together get one reload in this time, as
 * each reads files, looks at every part of the server, and is logged.
 */
export const reloadPauseMs = 1000;

/** Where the configuration is read from once more. */
export interface ReloadInputs {
  /** Reads all inputs; `file` must be there. Failure: a `ConfigError` that lists all faults. */
  readonly load: (file: string | undefined) => LoadedConfig;
  /** The file that was read at the start, and its warnings. */
  readonly file: string | undefined;
  readonly warnings: readonly string[];
  /** Puts the settings of the log into force. Failure: a `ConfigError`; nothing has changed. */
  readonly configureLog?: (logging: Config['logging']) => void;
  /** Are told of each reload; `outcome` is a short sentence. */
  readonly onBegin?: () => void;
  readonly onEnd?: (outcome: string) => void;
}

/** What is read, and the parts of the server that follow it. */
interface ConfigReloadOptions {
  readonly inputs: ReloadInputs;
  readonly live: LiveConfig;
  readonly logger: Logger;
  readonly access: AccessGate;
  readonly server: PlayerServer;
  readonly control: ControlServer;
  readonly streams: StreamDirectory;
  readonly listeners: Listeners;
}

export interface ReloadReport {
  readonly changed: readonly {
    readonly section: string;
    readonly key: string;
    readonly applies: 'now' | 'restart';
  }[];
  readonly streams: Omit<StreamsReport, 'warnings'>;
  /** Of the file, and why streams are left out. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration again and puts into force what can be changed while the server runs.
 *
 * Everything is checked before anything is changed: a configuration with a fault changes nothing.
 */
export class ConfigReload {
  readonly #options: ConfigReloadOptions;
  readonly #logger: Logger;
  #file: string | undefined;
  #warnings: readonly string[];
  #running: Promise<unknown> = Promise.resolve();
  /** What has been asked for and not begun yet. */
  #waiting: Promise<ReloadReport> | undefined;
  /** What controllers have asked for and has not begun yet. */
  #paced: Promise<ReloadReport> | undefined;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  readonly #closing = new AbortController();

  constructor(options: ConfigReloadOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('Config');
    this.#file = options.inputs.file;
    this.#warnings = options.inputs.warnings;
  }

  /**
   * Resolves when all is done; callers while a reload is under way share the next one, as the
   * file may have changed since it was read.
   *
   * Failure: rejects with a `ConfigError` that lists every fault; nothing has changed.
   */
  run(): Promise<ReloadReport> {
    if (this.#waiting) return this.#waiting;
    const waiting = this.#running.then(() => {
      this.#waiting = undefined;
      return this.#reload();
    });
    this.#waiting = waiting;
    this.#running = waiting.catch(() => undefined);
    return waiting;
  }

  /**
   * The same for controllers, which may ask without end: it begins `reloadPauseMs` after the end
   * of the last reload, and all that ask until then share it.
   */
  runPaced(): Promise<ReloadReport> {
    this.#paced ??= this.#rest().then(() => {
      this.#paced = undefined;
      return this.run();
    });
    return this.#paced;
  }

  /** Resolves when no reload is under way; those that wait are refused. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  /** Resolves when the last reload was long enough ago, or the server stops. */
  async #rest(): Promise<void> {
    await this.#running;
    const { signal } = this.#closing;
    const leftMs = this.#endedAtMs + reloadPauseMs - performance.now();
    if (leftMs > 0) await delay(leftMs, undefined, { signal }).catch(() => undefined);
  }

  async #reload(): Promise<ReloadReport> {
    if (this.#closing.signal.aborted) throw new ConfigError('server-stops', 'the server stops');
    const { inputs } = this.#options;
    inputs.onBegin?.();
    try {
      const report = await this.#change(await this.#prepare());
      this.#summarize(report);
      inputs.onEnd?.('the configuration was reloaded');
      return report;
    } catch (error) {
      if (error instanceof ConfigError) this.#refuse(error);
      inputs.onEnd?.('the configuration has faults, nothing was reloaded');
      throw error;
    } finally {
      this.#endedAtMs = performance.now();
    }
  }

  /** All that may fail. */
  async #prepare(): Promise<Prepared> {
    const { inputs, live, listeners } = this.#options;
    const loaded = inputs.load(this.#file);
    const applies = await allOf([this.#prepareAccess(loaded), listeners.prepare(loaded.config)]);
    const differences = differencesBetween(live.current, loaded.config);
    const config = live.with(loaded.config);
    // The last one, as it changes the log: all or nothing.
    inputs.configureLog?.(config.logging);
    return { loaded, applies, differences, config };
  }

  async #change({ loaded, applies, differences, config }: Prepared): Promise<ReloadReport> {
    const { live, server, streams: directory } = this.#options;
    for (const difference of differences) this.#tell(difference);
    live.put(config);
    for (const apply of applies) apply();
    // Whether muted players get audio is decided when they are given their stream.
    server.reroute();
    this.#file = loaded.file;
    this.#warn(loaded.warnings);
    const { warnings, ...streams } = await directory.reconfigure(config.stream.source);
    const changed = differences.map(({ row: { section, key, setting } }) => ({
      section,
      key,
      applies: setting.isLive ? ('now' as const) : ('restart' as const),
    }));
    return { changed, streams, warnings: [...loaded.warnings, ...warnings] };
  }

  /** Users, roles and tokens; a peer that has lost its right is disconnected at once. */
  async #prepareAccess({ config, origins }: LoadedConfig): Promise<() => void> {
    const { access, server, control } = this.#options;
    const entries = await configuredAccess(config, origins, access.entries);
    return () => {
      access.replace(entries);
      control.reviewLogins((login) => access.holds(login));
      server.reviewLogins();
    };
  }

  #tell({ row, before, after }: SettingDifference): void {
    const setting = `[${row.section}] ${row.key}`;
    const applies = row.setting.isLive ? 'now' : 'restart';
    const isNews = row.setting.isLive ? 'info' : 'notice';
    this.#logger[isNews]('setting has changed', { setting, from: before, to: after, applies });
  }

  /** What was warned of before is only counted. */
  #warn(warnings: readonly string[]): void {
    const known = new Set(this.#warnings);
    const fresh = warnings.filter((warning) => !known.has(warning));
    for (const warning of fresh) this.#logger.warn(warning);
    const repeated = warnings.length - fresh.length;
    if (repeated > 0) this.#logger.info('warnings as before', { count: repeated });
    this.#warnings = warnings;
  }

  #refuse({ faults }: ConfigError): void {
    for (const fault of faults) this.#logger.error('fault of the configuration', { fault });
    this.#logger.error('the configuration was not reloaded, nothing has changed', {
      file: this.#file ?? 'built-in',
      faults: faults.length,
    });
  }

  #summarize({ changed, streams }: ReloadReport): void {
    const restart = changed.filter(({ applies }) => applies === 'restart');
    this.#logger.notice('the configuration was reloaded', {
      file: this.#file ?? 'built-in',
      settings: changed.length,
      ...(restart.length > 0 && {
        needRestart: restart.map(({ section, key }) => `[${section}] ${key}`).join(', '),
      }),
      added: streams.added.join(', '),
      removed: streams.removed.join(', '),
      replaced: streams.replaced.join(', '),
      unchanged: streams.unchanged.length,
    });
  }
}

/** A configuration that was checked. */
interface Prepared {
  readonly loaded: LoadedConfig;
  /** What the parts of the server do with it, in this order. */
  readonly applies: readonly (() => void)[];
  readonly differences: readonly SettingDifference[];
  /** What will be in force. */
  readonly config: Config;
}

/** Failure: rejects with one `ConfigError` for the faults of all. */
async function allOf<Value>(preparations: readonly Promise<Value>[]): Promise<readonly Value[]> {
  const results = await Promise.allSettled(preparations);
  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  const ours = errors.find((error) => !(error instanceof ConfigError));
  if (ours !== undefined) throw ours;
  const faults = errors.flatMap((error) => (error instanceof ConfigError ? error.faults : []));
  if (faults.length > 0) throw new ConfigError('bad-config', faults.join('\n'), { faults });
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
