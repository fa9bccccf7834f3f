import type { SeverityName } from '../base/logger.ts';
import { printable } from './printable.ts';
import { severities } from './severity.ts';

/** One entry of the log, as a JSON sink writes it. */
export interface LogRecord {
  /** ISO 8601 in UTC. */
  readonly time: string;
  readonly level: SeverityName;
  readonly tag: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/**
 * `2026-11-20 12-00-00.123 [Info] (Tag) phrase key=value key2="value with spaces"`, in local time.
 *
 * Source: protocol reference, section 18.
 */
export function textLine({ time, level, tag, msg, ...fields }: LogRecord): string {
  const stamp = `${localTime(new Date(time))} [${severities[level].label}]`;
  const words = Object.entries(fields).map(
    ([key, value]) => `${printable(key)}=${fieldText(value)}`,
  );
  return [stamp, `(${printable(tag)})`, printable(msg), ...words].join(' ');
}

/** A text line without time and severity: a system log has these two of its own. */
export function withoutStamp(line: string): string {
  return line.replace(/^\d+-\d\d-\d\d \S+ \[\w+\] /, '');
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (/^[^\s"=\\]+$/.test(text) && printable(text) === text) return text;
  return printable(JSON.stringify(text));
}

function localTime(time: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  const clock = [two(time.getHours()), two(time.getMinutes()), two(time.getSeconds())].join('-');
  return `${date} ${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
