import { readFileSync } from 'node:fs';

/** How long the main thread of a process was ready to run and got no processor, milliseconds. */
export function starvedMs(pid: number): number {
  const [, waitedNs = 0] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ').map(Number);
  return waitedNs / 1e6;
}
