import type { SeverityName } from '../base/logger.ts';
import type { LogSink } from './log-sink.ts';
import { RecentWarnings } from './recent-warnings.ts';
import { severities } from './severity.ts';
import { type LogRecord, textLine } from './text-line.ts';

export type LogFormat = 'text' | 'json';

const formatters: Readonly<Record<LogFormat, (json: string, record: LogRecord) => string>> = {
  json: (json) => json.trimEnd(),
  text: (_json, record) => textLine(record),
};

/** Takes the records of pino, formats them for the sink, and says how many it had to drop. */
export class RecordWriter {
  readonly #settings: () => { readonly sink: LogSink; readonly format: LogFormat };
  readonly #nowMs: () => number;
  readonly recent = new RecentWarnings();
  #droppedCount = 0;

  /** *Units:* `nowMs` tells wall-clock time in milliseconds since 1970. */
  constructor(
    settings: () => { readonly sink: LogSink; readonly format: LogFormat },
    nowMs: () => number,
  ) {
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  write(json: string): void {
    if (this.#droppedCount > 0 && !this.#reportDropped()) {
      this.#droppedCount += 1;
      return;
    }
    const record = JSON.parse(json) as LogRecord;
    this.recent.take(record);
    if (!this.#writeLine(json, record)) this.#droppedCount += 1;
  }

  /** pino calls this behind every fatal entry. */
  flushSync(): void {
    this.#settings().sink.flushSync();
  }

  #writeLine(json: string, record: LogRecord): boolean {
    const { sink, format } = this.#settings();
    return sink.write(formatters[format](json, record), severities[record.level]);
  }

  #reportDropped(): boolean {
    const level: SeverityName = 'warn';
    const record: LogRecord = {
      level,
      time: new Date(this.#nowMs()).toISOString(),
      tag: 'Log',
      count: this.#droppedCount,
      msg: 'log lines were dropped, nobody took them',
    };
    const taken = this.#writeLine(JSON.stringify(record), record);
    if (taken) this.#droppedCount = 0;
    return taken;
  }
}
