import type { Logger as Pino } from 'pino';
import { messageOf } from '../errors.ts';
import type { LogFields, Logger } from '../logger.ts';
import type { SeverityName } from './severity.ts';

/** Peers choose some of what is logged, so a single text is cut here. */
export const maxFieldCharacters = 2000;

/** Our `Logger` in front of one pino logger per tag. */
export class PinoLogger implements Logger {
  readonly #openTag: (tag: string) => Pino<'notice'>;
  readonly #pino: Pino<'notice'>;

  constructor(tag: string, openTag: (tag: string) => Pino<'notice'>) {
    this.#openTag = openTag;
    this.#pino = openTag(tag);
  }

  trace(phrase: string, fields?: LogFields): void {
    this.#log('trace', phrase, fields);
  }

  debug(phrase: string, fields?: LogFields): void {
    this.#log('debug', phrase, fields);
  }

  info(phrase: string, fields?: LogFields): void {
    this.#log('info', phrase, fields);
  }

  notice(phrase: string, fields?: LogFields): void {
    this.#log('notice', phrase, fields);
  }

  warn(phrase: string, fields?: LogFields): void {
    this.#log('warn', phrase, fields);
  }

  error(phrase: string, fields?: LogFields): void {
    this.#log('error', phrase, fields);
  }

  fatal(phrase: string, fields?: LogFields): void {
    this.#log('fatal', phrase, fields);
  }

  tagged(tag: string): Logger {
    return new PinoLogger(tag, this.#openTag);
  }

  #log(severity: SeverityName, phrase: string, fields: LogFields = {}): void {
    if (!this.#pino.isLevelEnabled(severity)) return;
    this.#pino[severity](recordFields(fields), phrase);
  }
}

/** The fields of a record that are not the caller's. */
const reserved: ReadonlySet<string> = new Set(['time', 'level', 'tag', 'msg']);

function recordFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      reserved.has(key) ? `${key}_` : key,
      fieldValue(value),
    ]),
  );
}

function fieldValue(value: unknown): unknown {
  const plain = value instanceof Error ? messageOf(value) : value;
  return typeof plain === 'string' && plain.length > maxFieldCharacters
    ? `${plain.slice(0, maxFieldCharacters)}...`
    : plain;
}
