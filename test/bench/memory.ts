import { readFileSync } from 'node:fs';

/** Resident memory of a process now, KiB. Source: proc(5), status. */
export function readResidentKiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}
