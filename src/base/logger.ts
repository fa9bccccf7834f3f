export type LogFields = Readonly<Record<string, unknown>>;

export type SeverityName = 'trace' | 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'fatal';

/** The same facts twice: as rows for people and as fields for programs. */
export interface LogReport {
  readonly phrase: string;
  readonly rows: readonly string[];
  readonly fields: LogFields;
}

/**
 * What a component needs to log: a constant phrase and its variables as fields.
 *
 * A text sink writes `phrase key=value …`, a JSON sink one record. Nothing is logged per chunk.
 */
export interface Logger {
  trace(phrase: string, fields?: LogFields): void;
  debug(phrase: string, fields?: LogFields): void;
  info(phrase: string, fields?: LogFields): void;
  notice(phrase: string, fields?: LogFields): void;
  warn(phrase: string, fields?: LogFields): void;
  error(phrase: string, fields?: LogFields): void;
  fatal(phrase: string, fields?: LogFields): void;
  /** Logs as `info`: a text sink writes one line per row, a JSON sink one record with the fields. */
  report(report: LogReport): void;
  /** Whether anything of this severity is written: asked before a report that costs work. */
  isEnabled(severity: SeverityName): boolean;
  /** The same destination under another tag: the word in brackets of a text line. */
  tagged(tag: string): Logger;
}
