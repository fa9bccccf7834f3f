import type { LogFields, Logger, LogReport } from '../../src/base/logger.ts';

export interface LogLine {
  readonly level: string;
  readonly tag: string;
  readonly phrase: string;
  readonly fields: LogFields;
  /** Of a report only. */
  readonly rows?: readonly string[];
}

/** A logger that keeps what it is told, for tests about what is said. */
export class LogLines implements Logger {
  readonly lines: LogLine[];
  readonly #tag: string;

  constructor(tag = '', lines: LogLine[] = []) {
    this.#tag = tag;
    this.lines = lines;
  }

  tagged(tag: string): LogLines {
    const log = new LogLines(tag, this.lines);
    log.isEnabled = this.isEnabled;
    return log;
  }

  /** The lines whose text contains `part`. */
  with(part: string): LogLine[] {
    return this.lines.filter(({ phrase, fields }) =>
      `${phrase} ${JSON.stringify(fields)}`.includes(part),
    );
  }

  trace = (phrase: string, fields?: LogFields) => this.#add('trace', phrase, fields);
  debug = (phrase: string, fields?: LogFields) => this.#add('debug', phrase, fields);
  info = (phrase: string, fields?: LogFields) => this.#add('info', phrase, fields);
  notice = (phrase: string, fields?: LogFields) => this.#add('notice', phrase, fields);
  warn = (phrase: string, fields?: LogFields) => this.#add('warn', phrase, fields);
  error = (phrase: string, fields?: LogFields) => this.#add('error', phrase, fields);
  fatal = (phrase: string, fields?: LogFields) => this.#add('fatal', phrase, fields);

  report = ({ phrase, rows, fields }: LogReport) => {
    this.lines.push({ level: 'info', tag: this.#tag, phrase, fields, rows });
  };

  isEnabled = () => true;

  #add(level: string, phrase: string, fields: LogFields = {}): void {
    this.lines.push({ level, tag: this.#tag, phrase, fields });
  }
}
