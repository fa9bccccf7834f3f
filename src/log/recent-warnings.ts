import { cutText } from '../base/foreign-text.ts';
import type { SeverityName } from '../base/logger.ts';
import { severities } from './severity.ts';
import { type LogRecord, textLine, withoutStamp } from './text-line.ts';

const maxWarnings = 200;
const maxCharacters = 500;

/** A line of the log that says that something is wrong. */
export interface RecentWarning {
  /** ISO 8601 in UTC. */
  readonly time: string;
  readonly level: SeverityName;
  readonly text: string;
}

/** The last warnings of the log, for who asks how the server is. */
export class RecentWarnings {
  readonly #warnings: RecentWarning[] = [];

  /** The newest at the end. */
  get all(): readonly RecentWarning[] {
    return this.#warnings;
  }

  /** Forgets what is no warning. */
  take(record: LogRecord): void {
    if (severities[record.level].level < severities.warn.level) return;
    const { time, level } = record;
    const text = cutText(withoutStamp(textLine(record)), maxCharacters);
    this.#warnings.push({ time, level, text });
    if (this.#warnings.length > maxWarnings) this.#warnings.shift();
  }
}
