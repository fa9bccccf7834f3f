import { type CpuTime, cpuTimeBetween, readCpuTime } from './cpu-time.ts';
import { type LoadEvent, type LoadResult, runLoadOn, type Samples } from './load-run.ts';
import { closeObservation, openObservation } from './observation.ts';
import { readResidentKiB } from './process-figures.ts';
import type { CaseSetup } from './run-cases.ts';

// The server is warm and has its ring filled before memory per client is compared.
const fewClients = 10;
const fewTimes = { 'warm-up-ms': 500, 'window-ms': 1000 };
const countedMs = 2000;
// The counter needs a moment to attach itself.
const lingerMs = 3000;

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
  if (setup.clients <= 2 * fewClients) return undefined;
  let residentKiB: number | undefined;
  const onEvent = (event: LoadEvent) => {
    if (event === 'window-end') residentKiB = readResidentKiB(setup.running.pid);
  };
  await runLoadOn({ ...setup, clients: fewClients }, onEvent, fewTimes);
  return residentKiB;
}

async function countCalls({ running, clients, context }: CaseSetup): Promise<number | undefined> {
  const { systemCalls, workDir } = context;
  if (!systemCalls) return undefined;
  const calls = await systemCalls.count(running.pid, { durationMs: countedMs, workDir });
  return (calls * 1000) / countedMs / clients;
}

/** One server under the load of `clients`. */
export async function measureFanOut(setup: CaseSetup): Promise<FanOutFigures> {
  const { running, server, clients, context } = setup;
  const fewKiB = await readWithFew(setup);
  const { pid } = running;
  let before = readCpuTime(pid);
  let after = before;
  let residentKiB = 0;
  let ticks: Promise<Ticks> | undefined;
  let systemCalls: Promise<number | undefined> | undefined;
  const onEvent = (event: LoadEvent) => {
    if (event === 'window-start') {
      if (server.observer) openObservation(running);
      before = readCpuTime(pid);
    } else if (event === 'window-end') {
      after = readCpuTime(pid);
      residentKiB = readResidentKiB(pid);
      if (server.observer) ticks = closeObservation(running, server.observer);
      systemCalls = countCalls(setup);
      // What fails here is heard where it is awaited, or the load has failed before.
      for (const late of [ticks, systemCalls]) late?.catch(() => {});
    }
  };
  const load = await runLoadOn(setup, onEvent, { 'linger-ms': context.systemCalls ? lingerMs : 0 });
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
