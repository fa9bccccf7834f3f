import type { SeverityName } from '../base/logger.ts';

/** Names and numbers of one severity: upstream's label, pino's level, syslog's number. */
export interface Severity {
  readonly label: string;
  readonly level: number;
  readonly syslog: number;
}

export const severities = {
  trace: { label: 'Trace', level: 10, syslog: 7 },
  debug: { label: 'Debug', level: 20, syslog: 7 },
  info: { label: 'Info', level: 30, syslog: 6 },
  notice: { label: 'Notice', level: 35, syslog: 5 },
  warn: { label: 'Warn', level: 40, syslog: 4 },
  error: { label: 'Error', level: 50, syslog: 3 },
  fatal: { label: 'Fatal', level: 60, syslog: 2 },
} as const satisfies Record<SeverityName, Severity>;

export const severityNames: readonly SeverityName[] = [
  'trace',
  'debug',
  'info',
  'notice',
  'warn',
  'error',
  'fatal',
];
