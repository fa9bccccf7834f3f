import type { ServerProcess } from '../support/server-process.ts';
import { type CpuTime, cpuTimeBetween, readCpuTime } from './cpu-time.ts';
import { type LoadResult, runLoad, type Samples } from './load-run.ts';
import { readResidentKiB } from './memory.ts';
import type { CaseSetup } from './run-cases.ts';

// The server is warm and has its ring filled before memory per client is compared.
const fewClients = 10;
const fewTimes = { 'warm-up-ms': 500, 'window-ms': 1000 };
const countedMs = 2000;
// The counter needs a moment to attach itself.
const lingerMs = 3000;
const reportLimitMs = 5000;

/** What the tick observer prints. */
interface Ticks {
  readonly tickUs: Samples | null;
  readonly observerUs: number;
}

export interface FanOutFigures {
  readonly cpu: CpuTime;
  readonly load: LoadResult;
  /** Of resident memory, per client beyond the first few. */
  readonly kibPerClient: number | undefined;
  /** Per client and second, taken in a time of their own after the window. */
  readonly systemCalls: number | undefined;
  readonly tickUs: Samples | undefined;
  readonly observerUs: number | undefined;
}

async function readWithFew(setup: CaseSetup): Promise<number | undefined> {
  const { running, port, clients, context } = setup;
  if (clients <= 2 * fewClients) return undefined;
  let residentKiB: number | undefined;
  await runLoad(context.loadClient, { port, clients: fewClients, ...fewTimes }, (event) => {
    if (event === 'window-end') residentKiB = readResidentKiB(running.pid);
  });
  return residentKiB;
}

async function countCalls({ running, clients, context }: CaseSetup): Promise<number | undefined> {
  const { systemCalls, workDir } = context;
  if (!systemCalls) return undefined;
  const calls = await systemCalls.count(running.pid, { durationMs: countedMs, workDir });
  return (calls * 1000) / countedMs / clients;
}

/** Closes the window of the observer. */
async function readTicks(running: ServerProcess): Promise<Ticks> {
  running.signal('SIGUSR2');
  const [, report = ''] = await running.log.waitFor(/^tick-observer (.*)$/m, reportLimitMs);
  return JSON.parse(report);
}

/** One server under the load of `clients`. */
export async function measureFanOut(setup: CaseSetup): Promise<FanOutFigures> {
  const { running, port, server, clients, options, context } = setup;
  const fewKiB = await readWithFew(setup);
  const { pid } = running;
  let before = readCpuTime(pid);
  let after = before;
  let residentKiB = 0;
  let ticks: Promise<Ticks> | undefined;
  let systemCalls: Promise<number | undefined> | undefined;
  const onEvent = (event: string) => {
    if (event === 'window-start') {
      if (server.isObserved) running.signal('SIGUSR2');
      before = readCpuTime(pid);
    } else if (event === 'window-end') {
      after = readCpuTime(pid);
      residentKiB = readResidentKiB(pid);
      if (server.isObserved) ticks = readTicks(running);
      systemCalls = countCalls(setup);
      // What fails here is heard where it is awaited, or the load has failed before.
      for (const late of [ticks, systemCalls]) late?.catch(() => {});
    }
  };
  const loadOptions = {
    port,
    clients,
    'connects-per-second': options.connectsPerSec,
    'warm-up-ms': options.warmUpMs,
    'window-ms': options.windowMs,
    'linger-ms': context.systemCalls ? lingerMs : 0,
  };
  const load = await runLoad(context.loadClient, loadOptions, onEvent);
  const observed = await ticks;
  return {
    cpu: cpuTimeBetween(before, after),
    load,
    kibPerClient:
      fewKiB === undefined ? undefined : (residentKiB - fewKiB) / (clients - fewClients),
    systemCalls: await systemCalls,
    tickUs: observed?.tickUs ?? undefined,
    observerUs: observed?.observerUs,
  };
}
