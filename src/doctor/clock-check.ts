import { setTimeout as sleep } from 'node:timers/promises';
import type { SystemContext } from './context.ts';
import { type Check, type Finding, note, ok, warning } from './finding.ts';
import type { SystemFiles } from './system-files.ts';

/** No version of this program is older. */
const programMs = Date.UTC(2026, 0, 1);
const measureMs = 1000;
const tickMs = 10;
/** Late by this much, chunks are late by this much. */
const lateMs = 100;
const stealShare = 0.05;
const coarseNs = 1_000_000;
/** Who keeps the wall clock right, besides systemd-timesyncd. */
const timeKeepers = new Set(['chronyd', 'ntpd', 'ntpd-rs', 'openntpd']);
const ntpAdvice = 'let the machine take the time from the network: apt install systemd-timesyncd';

/** Clocks, and whether this process gets its turns in time. */
export function clockCheck(context: SystemContext, nowMs: () => number = Date.now): Check {
  return {
    name: 'clock',
    run: async () => [monotonic(), ...wallClock(nowMs(), context), ...(await scheduling(context))],
  };
}

function monotonic(): Finding {
  const first = process.hrtime.bigint();
  let second = first;
  while (second === first) second = process.hrtime.bigint();
  const resolutionNs = Number(second - first);
  if (resolutionNs < coarseNs) return ok('the monotonic clock is fine enough');
  const text = `the monotonic clock advances in steps of ${resolutionNs / 1e6} ms`;
  return warning(text, 'see that the kernel uses a good clock source (dmesg | grep clocksource)');
}

function wallClock(nowMs: number, { files, processes }: SystemContext): readonly Finding[] {
  if (nowMs < programMs) {
    const now = new Date(nowMs).toISOString();
    const text = `the machine thinks that it is ${now}, before this program was made`;
    return [warning(text, `${ntpAdvice}; certificates and tokens are judged by this clock`)];
  }
  const isSynchronized = files.exists('/run/systemd/timesync/synchronized');
  const keeper = processes.all.find(({ name }) => timeKeepers.has(name));
  if (isSynchronized || keeper) {
    return [ok(`the wall clock is kept right by ${keeper?.name ?? 'systemd-timesyncd'}`)];
  }
  const text = 'nothing is seen to keep the wall clock right; audio does not depend on it';
  return [note(text, ntpAdvice)];
}

/** How late timers come, and what the processor did meanwhile. */
async function scheduling({ files }: SystemContext): Promise<readonly Finding[]> {
  const before = processorTimes(files);
  const startMs = performance.now();
  let worstMs = 0;
  while (performance.now() - startMs < measureMs) {
    const dueMs = performance.now() + tickMs;
    await sleep(tickMs);
    worstMs = Math.max(worstMs, performance.now() - dueMs);
  }
  const after = processorTimes(files);
  const steal = (after.steal - before.steal) / Math.max(1, after.total - before.total);
  const text = `timers came up to ${worstMs.toFixed(1)} ms late within a second`;
  const advice = 'see who else uses the processor (top); resync_tolerance bridges what is left';
  return [
    worstMs < lateMs ? ok(text) : warning(text, advice),
    ...(steal > stealShare ? [stolen(steal)] : []),
    ...governor(files),
  ];
}

function stolen(share: number): Finding {
  return warning(
    `other virtual machines took ${Math.round(100 * share)} % of the processor`,
    'give this virtual machine a processor of its own',
  );
}

/** Source: proc(5), /proc/stat: user nice system idle iowait irq softirq steal. */
function processorTimes(files: SystemFiles): { readonly steal: number; readonly total: number } {
  const [line = ''] = (files.text('/proc/stat') ?? '').split('\n');
  const times = line.split(/\s+/).slice(1, 9).map(Number);
  return { steal: times[7] ?? 0, total: times.reduce((sum, time) => sum + time, 0) };
}

function governor(files: SystemFiles): readonly Finding[] {
  const name = files.text('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor');
  if (name !== 'powersave') return [];
  const text = 'the processor saves power (governor "powersave"), which may make it late';
  return [note(text, 'choose schedutil or performance where that matters')];
}
