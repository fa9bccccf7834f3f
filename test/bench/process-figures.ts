import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process now, KiB. Source: proc(5), status. */
export function readResidentKiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

/** How often the threads of a process have slept up to now. Source: proc(5), status. */
export function readSleeps(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'))
    .reduce(
      (sum, status) => sum + Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]),
      0,
    );
}
