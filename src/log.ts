import { openSync, writeSync } from 'node:fs';
import { pino } from 'pino';
import { ConfigError, messageOf } from './errors.ts';
import { DescriptorSink } from './log/descriptor-sink.ts';
import { type LevelOfTag, levelFor, parseLogFilter } from './log/log-filter.ts';
import { type LogSink, nullSink } from './log/log-sink.ts';
import { openOutput } from './log/output-descriptor.ts';
import { PinoLogger } from './log/pino-logger.ts';
import { severities } from './log/severity.ts';
import { SystemSink } from './log/system-sink.ts';
import { type LogRecord, textLine } from './log/text-line.ts';
import type { Logger, SeverityName } from './logger.ts';

export interface LogOptions {
  readonly format: 'text' | 'json';
  /** `stdout`, `stderr`, `system`, `null` or `file:<name>`. */
  readonly sink: string;
  /** Comma lists of `<tag>:<level>`; later ones win. */
  readonly filter: readonly string[];
  /** Wall-clock time in milliseconds since 1970. */
  readonly now?: () => number;
  /** The program behind the sink `system`. */
  readonly systemCommand?: string;
}

export interface Log {
  /** Logs under the tag `Snapserver`, the one that programs look for in the first line. */
  readonly logger: Logger;
  /** Writes what is still queued; later lines are lost. */
  close(): Promise<void>;
}

/** *Failure:* throws a `ConfigError` when the sink cannot be opened. */
export function createLogger(options: LogOptions): Log {
  const { now = Date.now } = options;
  const sink = openSink(options);
  const levels: LevelOfTag = new Map(
    options.filter.flatMap((text) => [...(parseLogFilter(text)?.levels ?? [])]),
  );
  const formatLine = formatters[options.format];
  const destination = new RecordWriter({ sink, formatLine, now });
  const root = pino<'notice'>(
    {
      level: 'trace',
      customLevels: { notice: severities.notice.level },
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
  const logger = new PinoLogger('Snapserver', {
    openTag: (tag) => root.child({ tag }, { level: levelFor(tag, levels) ?? 'silent' }),
    hasRows: options.format === 'text',
  });
  return { logger, close: () => sink.close() };
}

type FormatLine = (json: string, record: LogRecord) => string;

const formatters: Readonly<Record<LogOptions['format'], FormatLine>> = {
  json: (json) => json.trimEnd(),
  text: (_json, record) => textLine(record),
};

/** Takes the records of pino, formats them for the sink, and says how many it had to drop. */
class RecordWriter {
  readonly #sink: LogSink;
  readonly #formatLine: FormatLine;
  readonly #now: () => number;
  #droppedCount = 0;

  constructor(options: {
    readonly sink: LogSink;
    readonly formatLine: FormatLine;
    readonly now: () => number;
  }) {
    this.#sink = options.sink;
    this.#formatLine = options.formatLine;
    this.#now = options.now;
  }

  write(json: string): void {
    if (this.#droppedCount > 0 && !this.#confess()) {
      this.#droppedCount += 1;
      return;
    }
    const record = JSON.parse(json) as LogRecord;
    const taken = this.#sink.write(this.#formatLine(json, record), severities[record.level]);
    if (!taken) this.#droppedCount += 1;
  }

  /** pino calls this behind every fatal entry. */
  flushSync(): void {
    this.#sink.flushSync();
  }

  #confess(): boolean {
    const level: SeverityName = 'warn';
    const record: LogRecord = {
      level,
      time: new Date(this.#now()).toISOString(),
      tag: 'Log',
      count: this.#droppedCount,
      msg: 'log lines were dropped, nobody took them',
    };
    const line = this.#formatLine(JSON.stringify(record), record);
    const taken = this.#sink.write(line, severities[level]);
    if (taken) this.#droppedCount = 0;
    return taken;
  }
}

function openSink({ sink, systemCommand }: LogOptions): LogSink {
  const [, fileName] = /^file:(.+)$/s.exec(sink) ?? [];
  if (fileName !== undefined) return openFileSink(fileName);
  switch (sink) {
    case 'null':
      return nullSink;
    case 'stdout':
      return new DescriptorSink({ ...openOutput(1), onFault: complain });
    case 'stderr':
      return stderrSink();
    case 'system':
      return new SystemSink({
        ...(systemCommand !== undefined && { command: systemCommand }),
        fallback: stderrSink(),
        onFault: complain,
      });
    default:
      throw new ConfigError(
        'bad-log-sink',
        `"${sink}" is no log sink; allowed: stdout, stderr, system, null, file:<name>`,
      );
  }
}

function stderrSink(): LogSink {
  return new DescriptorSink({ ...openOutput(2), onFault: () => {} });
}

function openFileSink(fileName: string): LogSink {
  try {
    const descriptor = openSync(fileName, 'w');
    return new DescriptorSink({ descriptor, owned: true, onFault: complain });
  } catch (thrown) {
    throw new ConfigError(
      'bad-log-file',
      `the log file cannot be opened: ${messageOf(thrown)}; mend [logging] sink = file:<name>`,
      { cause: thrown },
    );
  }
}

/** The last resort when the log itself is at fault. */
function complain(sentence: string): void {
  try {
    writeSync(2, `zerocast: ${sentence}\n`);
  } catch {
    // Nobody reads stderr either.
  }
}
