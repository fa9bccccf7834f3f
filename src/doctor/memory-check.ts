import { freemem } from 'node:os';
import { streamDefaults } from '../app/streams.ts';
import { parseStreamOptions } from '../audio/stream-options.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, ok, warning } from './finding.ts';

/** The process before the first client (test/bench/results.md, "memory"). */
const baseBytes = 96 * 1024 * 1024;
/** The encoded past, and the PCM for players that may still join. */
const copies = 2;
const mebibyte = 1024 * 1024;
/** Where a limit for this container or service may stand, version 2 and version 1. */
const groupLimits = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];

/** What the streams need, against what there is. */
export function memoryCheck(context: DoctorContext): Check {
  return {
    name: 'memory',
    run: () => {
      const needed = baseBytes + bufferedBytes(context);
      const text = `the streams and the server need about ${inMebibytes(needed)}`;
      const tight = supplies(context).filter(({ bytes }) => bytes < needed);
      if (tight.length === 0) return [ok(text)];
      return tight.map(({ what, bytes }): Finding => {
        const advice = 'give it more, or lower buffer or the number of sources in [stream]';
        return warning(`${text}, and ${what} is ${inMebibytes(bytes)}`, advice);
      });
    },
  };
}

function bufferedBytes({ config }: DoctorContext): number {
  const defaults = streamDefaults(config);
  return config.stream.source.reduce((sum, address) => {
    try {
      const { format, bufferMs } = parseStreamOptions(address, defaults);
      return sum + copies * format.framesIn(bufferMs) * format.frameBytes;
    } catch {
      // Told by the check of the sources.
      return sum;
    }
  }, 0);
}

function supplies({ files }: DoctorContext): readonly { what: string; bytes: number }[] {
  const limits = groupLimits.flatMap((path) => files.number(path) ?? []);
  const [, available] = /^MemAvailable:\s+(\d+) kB/m.exec(files.text('/proc/meminfo') ?? '') ?? [];
  const bytes = available === undefined ? freemem() : Number(available) * 1024;
  return [
    ...limits.map((limit) => ({ what: 'the limit of this container or service', bytes: limit })),
    { what: 'what the machine has left', bytes },
  ];
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}
