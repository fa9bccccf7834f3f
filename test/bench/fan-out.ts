import { measureFanOut } from './fan-out-case.ts';
import { describeFanOut, describeMethod } from './fan-out-report.ts';
import { observerShare, summarise } from './fan-out-summary.ts';
import { fanOutTargets } from './fan-out-targets.ts';
import { openFormats } from './formats.ts';
import {
  type BenchContext,
  type BenchOptions,
  type BenchReport,
  listFailures,
  runCases,
} from './run-cases.ts';
import { listServers } from './servers.ts';
import { findSystemCallCounter } from './system-calls.ts';
import { checkTargets, describeTargets, missedOf } from './targets.ts';

/**
 * What a server needs per client, against one `send()` per client and chunk in C: CPU, system
 * calls, memory, how long a tick keeps the event loop, and how late its audio and replies are.
 */
export async function runFanOut(
  options: BenchOptions,
  context: BenchContext,
): Promise<BenchReport> {
  const counter = options.syscalls ? findSystemCallCounter() : undefined;
  const formats = await openFormats(options.formats, context);
  const { servers: names, sendIntervals, isFed } = options;
  const observer = 'tick-observer';
  const cases = await runCases({
    servers: formats.flatMap((format) =>
      listServers({ names, format, sendIntervals, isFed, observer }),
    ),
    measure: measureFanOut,
    options,
    context: { ...context, systemCalls: counter },
  });
  const rows = summarise(cases);
  const targets = checkTargets(rows, fanOutTargets);
  const method = describeMethod({ counter, observerShare: observerShare(cases) });
  const text = [method, describeFanOut(rows, { formats, counter }), describeTargets(targets)];
  const failures = [...listFailures(cases), ...missedOf(targets)];
  return { options, cases, rows, text: text.join('\n\n').trimEnd(), failures, path: 'loopback' };
}
