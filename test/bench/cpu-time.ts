import { readdirSync, readFileSync } from 'node:fs';

// Clock ticks in /proc/<pid>/stat; the kernel always shows 100 a second to user space.
const tickUs = 10_000;

/** Units: microseconds. */
export interface CpuTime {
  /** Of a span: absent when too few ticks passed to tell user and system apart. */
  readonly userUs: number | undefined;
  readonly systemUs: number | undefined;
  readonly totalUs: number;
}

type CpuReading = Readonly<Record<keyof CpuTime, number>>;

function runTimeUs(pid: number): number {
  let totalNs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [ranNs] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    totalNs += Number(ranNs);
  }
  return totalNs / 1000;
}

/**
 * What a process has used up to now, seen from outside.
 *
 * Units: microseconds. `totalUs` is exact to the nanosecond, user and system to 10 ms.
 * Source: proc(5), schedstat and stat (fields 14 and 15).
 */
export function readCpuTime(pid: number): CpuReading {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may itself hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    userUs: Number(fields[11]) * tickUs,
    systemUs: Number(fields[12]) * tickUs,
    totalUs: runTimeUs(pid),
  };
}

/** The use between two readings; user and system share the exact total in the proportion of ticks. */
export function cpuTimeBetween(before: CpuReading, after: CpuReading): CpuTime {
  const totalUs = after.totalUs - before.totalUs;
  const userTicksUs = after.userUs - before.userUs;
  const ticksUs = userTicksUs + after.systemUs - before.systemUs;
  if (ticksUs < 10 * tickUs) return { totalUs, userUs: undefined, systemUs: undefined };
  const userUs = (totalUs * userTicksUs) / ticksUs;
  return { totalUs, userUs, systemUs: totalUs - userUs };
}
