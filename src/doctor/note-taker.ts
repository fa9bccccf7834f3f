import type { LogFields, Logger, LogReport, SeverityName } from '../base/logger.ts';
import { type Finding, warning } from './finding.ts';

/** Takes what the parts of the server would log as warnings, so that it becomes findings. */
export class NoteTaker implements Logger {
  readonly #findings: Finding[] = [];

  /** What was said so far; then it is forgotten. */
  take(): readonly Finding[] {
    return this.#findings.splice(0);
  }

  warn(phrase: string, fields: LogFields = {}): void {
    const { hint, remedy = hint, ...facts } = fields;
    const text = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    const words = [phrase, ...text].join(', ');
    this.#findings.push(
      warning(words, typeof remedy === 'string' ? remedy : 'correct the setting'),
    );
  }

  error(phrase: string, fields?: LogFields): void {
    this.warn(phrase, fields);
  }

  fatal(phrase: string, fields?: LogFields): void {
    this.warn(phrase, fields);
  }

  trace(): void {}
  debug(): void {}
  info(): void {}
  notice(): void {}
  report(_report: LogReport): void {}

  isEnabled(severity: SeverityName): boolean {
    return severity === 'warn' || severity === 'error' || severity === 'fatal';
  }

  tagged(): Logger {
    return this;
  }
}
