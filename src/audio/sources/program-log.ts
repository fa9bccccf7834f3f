import type { Clock } from '../../base/clock.ts';
import type { LogFields, Logger, SeverityName } from '../../base/logger.ts';

/** Lines that one program gets into the log within a window of time. */
export const maxWindowLines = 100;
const windowMs = 10_000;
/** Lines of a program that was asked to end. */
export const maxLastLines = 10;

interface ProgramLogOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** What the log calls the program. */
  readonly kind: 'control script' | 'program';
  readonly streamId: string;
}

/** What is logged because of one child of a stream: as much as is bearable, the rest is counted. */
export class ProgramLog {
  readonly #options: ProgramLogOptions;
  #windowStartUs = Number.NEGATIVE_INFINITY;
  #windowLines = 0;
  #maxLines = maxWindowLines;
  #dropped = 0;
  #reportTimer: NodeJS.Timeout | undefined;

  constructor(options: ProgramLogOptions) {
    this.#options = options;
  }

  /** What the server itself says, which is never too much. */
  own(severity: SeverityName, phrase: string, fields?: LogFields): void {
    const { logger, streamId } = this.#options;
    logger[severity](phrase, { stream: streamId, ...fields });
  }

  /** What the program says or causes by what it sends. */
  foreign(severity: SeverityName, phrase: string, fields: LogFields): void {
    const { logger, clock } = this.#options;
    if (!logger.isEnabled(severity)) return;
    const nowUs = clock.nowUs();
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

  /** Says what was left out; what is said from here on counts anew. */
  close(): void {
    this.#reportDropped();
    this.#maxLines = maxWindowLines;
  }

  get #isParting(): boolean {
    return this.#maxLines === maxLastLines;
  }

  #reportDropped(): void {
    clearTimeout(this.#reportTimer);
    this.#reportTimer = undefined;
    if (this.#dropped === 0) return;
    const phrase = `${this.#options.kind} says too much for the log`;
    this.own('warn', phrase, { droppedLines: this.#dropped });
    this.#dropped = 0;
  }
}
