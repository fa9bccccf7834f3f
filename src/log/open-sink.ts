import { writeSync } from 'node:fs';
import { ConfigError, messageOf } from '../base/errors.ts';
import { DescriptorSink } from './descriptor-sink.ts';
import { type FileOwner, FileSink } from './file-sink.ts';
import { isJournal, journalSink } from './journal.ts';
import { type LogSink, nullSink } from './log-sink.ts';
import { openOutput } from './output-descriptor.ts';
import { SystemSink } from './system-sink.ts';

/** *Failure:* throws a `ConfigError` when the sink cannot be opened. */
export function openSink({
  sink,
  isEmptied,
  fileOwner,
  systemCommand,
}: {
  /** `stdout`, `stderr`, `system`, `null` or `file:<name>`. */
  readonly sink: string;
  /** Whether a log file loses the lines that it has. */
  readonly isEmptied: boolean;
  readonly fileOwner: FileOwner | undefined;
  /** The program behind the sink `system`. */
  readonly systemCommand: string | undefined;
}): LogSink {
  const [, fileName] = /^file:(.+)$/s.exec(sink) ?? [];
  if (fileName !== undefined) return openFileSink(fileName, isEmptied, fileOwner);
  switch (sink) {
    case 'null':
      return nullSink;
    case 'stdout':
      return outputSink(1, complain);
    case 'stderr':
      return outputSink(2);
    case 'system':
      return new SystemSink({
        ...(systemCommand !== undefined && { command: systemCommand }),
        owner: fileOwner,
        fallback: outputSink(2),
        onFault: complain,
      });
    default:
      throw new ConfigError(
        'bad-log-sink',
        `"${sink}" is no log sink; allowed: stdout, stderr, system, null, file:<name>`,
      );
  }
}

function outputSink(descriptor: 1 | 2, onFault: (sentence: string) => void = () => {}): LogSink {
  const output = new DescriptorSink({ ...openOutput(descriptor), onFault });
  return isJournal(descriptor) ? journalSink(output) : output;
}

function openFileSink(fileName: string, isEmptied: boolean, owner?: FileOwner): LogSink {
  try {
    return new FileSink({ fileName, isEmptied, owner, onFault: complain });
  } catch (thrown) {
    throw new ConfigError(
      'bad-log-file',
      `the log file cannot be opened: ${messageOf(thrown)}; fix [logging] sink = file:<name>`,
      { cause: thrown },
    );
  }
}

/** The last resort when the log itself is at fault. */
function complain(sentence: string): void {
  try {
    writeSync(2, `zerocast: ${sentence}\n`);
  } catch {
    // No process reads stderr either.
  }
}
