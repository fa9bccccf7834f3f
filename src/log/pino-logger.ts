import type { Logger as Pino } from 'pino';
import { messageOf } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';
import type { LogFields, Logger, LogReport, SeverityName } from '../base/logger.ts';
import { withoutSecrets } from '../base/secrets.ts';
import { severities } from './severity.ts';

/** Peers choose some of what is logged, so a single text is cut here. */
export const maxFieldCharacters = 2000;

interface PinoLoggerOptions {
  /** Opens a logger that writes everything. */
  readonly openTag: (tag: string) => Pino<'notice'>;
  /** The least severity that is logged under a tag; `undefined`: nothing is. */
  readonly levelOf: (tag: string) => SeverityName | undefined;
  /** Whether a report is written row by row instead of as one record. */
  readonly hasRows: () => boolean;
}

/** Our `Logger` in front of one pino logger per tag. */
export class PinoLogger implements Logger {
  readonly #tag: string;
  readonly #options: PinoLoggerOptions;
  readonly #pino: Pino<'notice'>;

  constructor(tag: string, options: PinoLoggerOptions) {
    this.#tag = tag;
    this.#options = options;
    this.#pino = options.openTag(tag);
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

  report({ phrase, rows, fields }: LogReport): void {
    if (!this.#options.hasRows()) this.info(phrase, fields);
    else for (const row of rows) this.info(row);
  }

  isEnabled(severity: SeverityName): boolean {
    const least = this.#options.levelOf(this.#tag);
    return least !== undefined && severities[severity].level >= severities[least].level;
  }

  tagged(tag: string): Logger {
    return new PinoLogger(tag, this.#options);
  }

  #log(severity: SeverityName, phrase: string, fields: LogFields = {}): void {
    if (!this.isEnabled(severity)) return;
    this.#pino[severity](recordFields(fields), withoutSecrets(phrase));
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
  if (typeof plain !== 'string') return plain;
  const shown = withoutSecrets(plain);
  const text = cutText(shown, maxFieldCharacters);
  return text.length < shown.length ? `${text}...` : text;
}
