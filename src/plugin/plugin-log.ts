import type { Clock } from '../clock.ts';
import { cutText } from '../foreign-text.ts';
import type { LogFields, Logger, SeverityName } from '../logger.ts';

/** Lines that one control script gets into the log within a window of time. */
export const maxWindowLines = 100;
const windowMs = 10_000;
/** Lines of a script that was asked to end. */
export const maxLastLines = 10;
/** Longer texts of a control script are cut. */
export const maxTextCharacters = 1000;

/** By the words of existing scripts. Source: protocol reference, 16.1 and 16.3. */
const severities: ReadonlyMap<string, SeverityName> = new Map([
  ['trace', 'trace'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['notice', 'notice'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['error', 'error'],
  ['fatal', 'fatal'],
  ['critical', 'fatal'],
]);
const severityWord = new RegExp(`\\b(${[...severities.keys()].join('|')})\\b`, 'i');

/** The severity that a control script names; `info` when nobody knows the name. */
export function severityNamed(name: unknown): SeverityName {
  return (typeof name === 'string' && severities.get(name.toLowerCase())) || 'info';
}

/** Guesses the severity of a line on the standard error from the first word that names one. */
export function guessSeverity(line: string): SeverityName {
  return severityNamed(severityWord.exec(line)?.[1]);
}

export interface PluginLogOptions {
  readonly logger: Logger;
  readonly streamId: string;
  readonly clock: Clock;
}

/** What is logged because of one control script: as much as is bearable, the rest is counted. */
export class PluginLog {
  readonly #logger: Logger;
  readonly #streamId: string;
  readonly #clock: Clock;
  #windowStartUs = Number.NEGATIVE_INFINITY;
  #windowLines = 0;
  #maxLines = maxWindowLines;
  #dropped = 0;
  #reportTimer: NodeJS.Timeout | undefined;

  constructor(options: PluginLogOptions) {
    this.#logger = options.logger.tagged('Plugin');
    this.#streamId = options.streamId;
    this.#clock = options.clock;
  }

  /** What the server itself says, which is never too much. */
  own(severity: SeverityName, phrase: string, fields?: LogFields): void {
    this.#logger[severity](phrase, { stream: this.#streamId, ...fields });
  }

  /** What the script says or causes by what it sends. */
  foreign(severity: SeverityName, phrase: string, fields: LogFields): void {
    if (!this.#logger.isEnabled(severity)) return;
    const nowUs = this.#clock.nowUs();
    if (nowUs - this.#windowStartUs >= windowMs * 1000 && !this.#isParting) {
      this.#reportDropped();
      this.#windowStartUs = nowUs;
      this.#windowLines = 0;
    }
    this.#windowLines += 1;
    if (this.#windowLines <= this.#maxLines) this.own(severity, phrase, fields);
    else {
      this.#dropped += 1;
      this.#reportTimer ??= setTimeout(() => this.#reportDropped(), windowMs);
    }
  }

  /** From here on there are last words alone. */
  part(): void {
    this.#maxLines = maxLastLines;
    this.#windowLines = 0;
  }

  close(): void {
    this.#reportDropped();
  }

  get #isParting(): boolean {
    return this.#maxLines === maxLastLines;
  }

  #reportDropped(): void {
    clearTimeout(this.#reportTimer);
    this.#reportTimer = undefined;
    if (this.#dropped === 0) return;
    this.own('warn', 'control script says too much for the log', { droppedLines: this.#dropped });
    this.#dropped = 0;
  }
}

/** Bounds what a text of a control script takes in the log and in answers. */
export function cut(text: string): string {
  return text.length <= maxTextCharacters ? text : `${cutText(text, maxTextCharacters)}…`;
}
