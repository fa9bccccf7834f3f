export type LogFields = Readonly<Record<string, unknown>>;

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
  /** The same destination under another tag: the word in brackets of a text line. */
  tagged(tag: string): Logger;
}
