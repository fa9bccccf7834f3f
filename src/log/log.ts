import { type Logger as Pino, pino } from 'pino';
import { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type FileOwner, FileSink } from './file-sink.ts';
import { type LevelOfTag, levelFor, parseLogFilter } from './log-filter.ts';
import type { LogSink } from './log-sink.ts';
import { openSink } from './open-sink.ts';
import { PinoLogger } from './pino-logger.ts';
import type { RecentWarning, RecentWarnings } from './recent-warnings.ts';
import { type LogFormat, RecordWriter } from './record-writer.ts';
import { severities } from './severity.ts';

export interface LogOptions {
  readonly format: LogFormat;
  /** `stdout`, `stderr`, `system`, `null` or `file:<name>`; empty for the usual one. */
  readonly sink: string;
  /** Comma lists of `<tag>:<level>`; later ones win. */
  readonly filter: readonly string[];
  /** What an empty `sink` stands for; `stdout` unless given. */
  readonly usualSink?: 'stdout' | 'system';
  /** A log file keeps the lines that it has; it loses them unless given. */
  readonly keepsLines?: boolean;
  /** Gets the log files, so that it can open them anew when this process runs as that user. */
  readonly fileOwner?: FileOwner | undefined;
  /** Wall-clock time in milliseconds since 1970. */
  readonly now?: () => number;
  /** The program behind the sink `system`. */
  readonly systemCommand?: string;
}

/** The log of a server: one sink that can be changed while its loggers are in use. */
export class Log {
  /** Logs under the tag `Snapserver`, the one that programs look for in the first line. */
  readonly logger: Logger;
  readonly #options: LogOptions;
  readonly #recent: RecentWarnings;
  #sink: LogSink;
  #sinkName: string;
  #format: LogFormat;
  #levels: LevelOfTag;
  /** The ends of sinks that were replaced. */
  #earlier: Promise<unknown> = Promise.resolve();
  #isClosing = false;

  /** *Failure:* throws a `ConfigError` when the sink cannot be opened. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#format = options.format;
    this.#levels = levelsOf(options.filter);
    this.#sinkName = this.#nameOf(options.sink);
    this.#sink = this.#open(this.#sinkName, { isEmptied: !options.keepsLines });
    const { now = Date.now } = options;
    const settings = () => ({ sink: this.#sink, format: this.#format });
    const writer = new RecordWriter(settings, now);
    this.#recent = writer.recent;
    const root = openPino(writer, now);
    this.logger = new PinoLogger('Snapserver', {
      openTag: (tag) => root.child({ tag }),
      levelOf: (tag) => levelFor(tag, this.#levels),
      hasRows: () => this.#format === 'text',
    });
  }

  /** The last ones, the newest at the end; also those that no sink has. */
  get recentWarnings(): readonly RecentWarning[] {
    return this.#recent.all;
  }

  /**
   * Changes a running log; all its loggers follow. A file that is new to it keeps its lines.
   *
   * *Failure:* throws a `ConfigError` when the sink cannot be opened; then nothing changes.
   */
  configure({ sink, format, filter }: Pick<LogOptions, 'format' | 'sink' | 'filter'>): void {
    if (this.#isClosing) return;
    const name = this.#nameOf(sink);
    const levels = levelsOf(filter);
    if (name !== this.#sinkName) this.#replaceSink(name);
    this.#format = format;
    this.#levels = levels;
  }

  /**
   * Opens a log file anew, after it has been moved away; false when the log is no file.
   *
   * *Failure:* throws the error of the file system; the file at hand stays in use.
   */
  reopen(): boolean {
    if (!(this.#sink instanceof FileSink)) return false;
    this.#sink.reopen();
    return true;
  }

  /** Writes what is still queued; later lines are lost. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([this.#earlier, this.#sink.close()]);
  }

  #replaceSink(name: string): void {
    const previous = this.#sink;
    this.#sink = this.#open(name, { isEmptied: false });
    this.#sinkName = name;
    this.#earlier = Promise.all([this.#earlier, previous.close()]);
  }

  #nameOf(sink: string): string {
    return sink === '' ? (this.#options.usualSink ?? 'stdout') : sink;
  }

  #open(sink: string, { isEmptied }: { readonly isEmptied: boolean }): LogSink {
    const { fileOwner, systemCommand } = this.#options;
    return openSink({ sink, isEmptied, fileOwner, systemCommand });
  }
}

function openPino(destination: RecordWriter, now: () => number): Pino<'notice'> {
  return pino<'notice'>(
    {
      level: 'trace',
      customLevels: { notice: severities.notice.level },
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
}

/** *Failure:* throws a `ConfigError`; the settings were checked when they were read. */
function levelsOf(filter: readonly string[]): LevelOfTag {
  return new Map(
    filter.flatMap((text) => {
      const parsed = parseLogFilter(text);
      if (!parsed) throw new ConfigError('bad-log-filter', `"${text}" is no <tag>:<level> list`);
      return [...parsed.levels];
    }),
  );
}
