import { cpuTimeBetween, readCpuTime } from './cpu-time.mjs';
import { runLoad } from './load-run.mjs';
import { readResidentKiB } from './memory.mjs';

// The server is warm and has its ring filled before memory per client is compared.
const fewClients = 10;
const fewTimes = { 'warm-up-ms': 500, 'window-ms': 1000 };
const countedMs = 2000;
// The counter needs a moment to attach itself.
const lingerMs = 3000;
const reportLimitMs = 5000;

async function readWithFew({ running, port, clients, context }) {
  if (clients <= 2 * fewClients) return undefined;
  let residentKiB;
  await runLoad(context.loadClient, { port, clients: fewClients, ...fewTimes }, (event) => {
    if (event === 'window-end') residentKiB = readResidentKiB(running.pid);
  });
  return residentKiB;
}

async function countCalls(pid, clients, { systemCalls, workDir }) {
  const calls = await systemCalls.count(pid, { durationMs: countedMs, workDir });
  return (calls * 1000) / countedMs / clients;
}

async function readTicks(running) {
  const report = running.nextLine('tick-observer ', reportLimitMs);
  running.signal('SIGUSR2');
  return JSON.parse(await report);
}

/**
 * One server under the load of `clients`.
 *
 * Units: `kibPerClient` is resident memory per client beyond the first few; system calls are per
 * client and second, taken in a time of their own after the window.
 */
export async function measureFanOut({ running, port, server, clients, options, context }) {
  const fewKiB = await readWithFew({ running, port, clients, context });
  const { pid } = running;
  const { isObserved } = server;
  const start = {};
  const end = {};
  const onEvent = (event) => {
    if (event === 'window-start') {
      if (isObserved) running.signal('SIGUSR2');
      start.cpu = readCpuTime(pid);
    } else if (event === 'window-end') {
      end.cpu = readCpuTime(pid);
      end.residentKiB = readResidentKiB(pid);
      if (isObserved) end.ticks = readTicks(running);
      if (context.systemCalls) end.systemCalls = countCalls(pid, clients, context);
      // What fails here is heard where it is awaited, or the load has failed before.
      for (const late of [end.ticks, end.systemCalls]) late?.catch(() => {});
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
  const { tickUs, observerUs } = (await end.ticks) ?? {};
  return {
    cpu: cpuTimeBetween(start.cpu, end.cpu),
    load,
    kibPerClient:
      fewKiB === undefined ? undefined : (end.residentKiB - fewKiB) / (clients - fewClients),
    systemCalls: await end.systemCalls,
    tickUs: tickUs ?? undefined,
    observerUs,
  };
}
