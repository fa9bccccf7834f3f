import { cpuTimeBetween, readCpuTime } from './cpu-time.mjs';
import { describeFanOut, summarise } from './fan-out-report.mjs';
import { runLoad } from './load-run.mjs';
import { listFailures, runCases } from './run-cases.mjs';
import { ServerProcess } from './server-process.mjs';
import { startZerocast } from './zerocast-server.mjs';

const baselineName = 'C send loop';
const nameOf = (sendInterval) => `zerocast, send_interval ${sendInterval}`;
const autoName = nameOf('auto');
// What coalescing must save at the least, where the fixed cost of a process no longer shows.
const manyClients = 1000;
const coalescedShare = 0.5;

async function startBaseline({ sendLoop, port }) {
  const server = new ServerProcess(sendLoop, [String(port)]);
  await server.listening(port);
  return server;
}

function listServers({ codec, sendIntervals }) {
  return [
    { name: baselineName, start: startBaseline },
    ...sendIntervals.map((sendInterval) => ({
      name: nameOf(sendInterval),
      start: (context) => startZerocast({ ...context, codec, sendInterval }),
    })),
  ];
}

async function measure({ running, port, clients, options, context }) {
  const cpu = {};
  const loadOptions = {
    port,
    clients,
    'connects-per-second': options.connectsPerSec,
    'warm-up-ms': options.warmUpMs,
    'window-ms': options.windowMs,
  };
  const load = await runLoad(context.loadClient, loadOptions, (event) => {
    cpu[event] = readCpuTime(running.pid);
  });
  return { cpu: cpuTimeBetween(cpu['window-start'], cpu['window-end']), load };
}

/**
 * CPU per client, age of chunks and round trip of Time requests, against one `send()` per client
 * and chunk in C.
 */
export async function runFanOut(options, context) {
  const cases = await runCases({ servers: listServers(options), measure, options, context });
  const rows = summarise(cases, baselineName);
  const failures = [...listFailures(cases), ...listTooExpensive(rows)];
  return { options, cases, rows, text: describeFanOut(rows), failures };
}

function listTooExpensive(rows) {
  return rows
    .filter(({ clients, server, ofBaseline }) => {
      return clients >= manyClients && server === autoName && ofBaseline > coalescedShare;
    })
    .map(({ clients, ofBaseline }) => {
      const percent = Math.round(ofBaseline * 100);
      return `${clients} clients: ${autoName} needs ${percent} % of the CPU of the baseline`;
    });
}
