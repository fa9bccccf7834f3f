import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * The one clock of a server, which its audio and its answers about time follow: monotonic, never
 * touched by wall-clock changes.
 *
 * Units: microseconds as a double, which stays exact far beyond any uptime.
 */
export interface Clock {
  nowUs(): number;
}

// `performance.now()` is the same kernel clock as `process.hrtime.bigint()` but allocates nothing;
// the difference is fixed once. Small and positive values are wanted: some microcontroller clients
// keep milliseconds in 32 bits (protocol reference, "Which clock").
// The first access to `performance` loads it, which takes milliseconds that must not count.
performance.now();
const originUs = Math.max(...Array.from({ length: 10 }, lookAtBothUs));

// Whatever comes in between makes the difference smaller. The addon tells players the time by the same
// kernel clock, so a pause here must not come between the two.
function lookAtBothUs(): number {
  return Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;
}

/** That of this machine, since its boot. */
export const monotonicClock: Clock = {
  nowUs: () => originUs + performance.now() * 1000,
};

let knownId: string | undefined;

/** The same for all processes of which the monotonic clock is the same: that of the boot of this machine. */
export function timelineId(): string {
  knownId ??= bootId() ?? randomUUID();
  return knownId;
}

/** With the namespace, as a container may have another clock than its machine. */
function bootId(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/time')}`;
  } catch {
    return undefined;
  }
}
