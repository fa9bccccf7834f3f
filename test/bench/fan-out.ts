import { measureFanOut } from './fan-out-case.ts';
import { describeFanOut, describeMethod } from './fan-out-report.ts';
import { listServers } from './fan-out-servers.ts';
import { observerShare, summarise } from './fan-out-summary.ts';
import { checkTargets } from './fan-out-targets.ts';
import { type OpenedFormat, openFormat } from './formats.ts';
import {
  type BenchContext,
  type BenchOptions,
  type BenchReport,
  listFailures,
  runCases,
} from './run-cases.ts';
import { findSystemCallCounter } from './system-calls.ts';

async function openFormats(names: readonly string[], context: BenchContext) {
  const opened: OpenedFormat[] = [];
  for (const name of names) opened.push(await openFormat(name, context));
  return opened;
}

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
  const { servers: names, sendIntervals } = options;
  const cases = await runCases({
    servers: formats.flatMap((format) => listServers({ names, format, sendIntervals })),
    measure: measureFanOut,
    options,
    context: { ...context, systemCalls: counter },
  });
  const rows = summarise(cases);
  const targets = checkTargets(rows);
  const method = describeMethod({ counter, observerShare: observerShare(cases) });
  const text = [
    method,
    describeFanOut(rows, { formats, counter }),
    targets.map(({ text, isMet }) => `- ${text}: ${isMet ? 'met' : 'missed'}.`).join('\n'),
  ];
  const failures = [
    ...listFailures(cases),
    ...targets.filter(({ isMet }) => !isMet).map(({ text }) => text),
  ];
  return { options, cases, rows, text: text.join('\n\n').trimEnd(), failures, path: 'loopback' };
}
