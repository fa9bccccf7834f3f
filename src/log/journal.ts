import { fstatSync } from 'node:fs';
import type { LogSink } from './log-sink.ts';
import { withoutStamp } from './text-line.ts';

/**
 * Whether a descriptor leads straight to the journal of systemd.
 *
 * Source: systemd.exec(5), JOURNAL_STREAM: device and inode, in decimal, with a colon in between.
 */
export function isJournal(
  descriptor: number,
  stream: string | undefined = process.env.JOURNAL_STREAM,
): boolean {
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return `${dev}:${ino}` === stream;
  } catch {
    return false;
  }
}

/** Lines for the journal: priority in front, no time, as it has its own. Source: sd-daemon(3). */
export function journalSink(output: LogSink): LogSink {
  return {
    write: (line, severity) => output.write(`<${severity.syslog}>${withoutStamp(line)}`, severity),
    flushSync: () => output.flushSync(),
    close: () => output.close(),
  };
}
