import { setTimeout as sleep } from 'node:timers/promises';
import { Controller } from './controller.mjs';
import { openFormat } from './formats.mjs';
import { runLoad } from './load-run.mjs';
import { listFailures, runCases } from './run-cases.mjs';
import { freePort } from './server-process.mjs';
import { decimals, markdownTable, median } from './table.mjs';
import { startZerocast } from './zerocast-server.mjs';

/** Every so often a controller asks for the complete status. */
const pollMs = 50;
/**
 * What 19 of 20 answers may take while all clients play; of the rest the clients beside the server
 * on its two cores have a part.
 */
const maxAnswerMs = 10;
/** Beside those that play already, as many clients as are measured come within one second. */
const playing = 500;
const stormDelayMs = 1000;
const stormWindowMs = 2000;
/** More complete status messages than these in the seconds of a storm are a flood. */
const maxUpdates = 20;

async function startServer(context) {
  const format = await openFormat('pcm48', context);
  const controlPort = await freePort();
  const serverArgs = [
    '--tcp-control.enabled=true',
    '--tcp-control.bind_to_address=127.0.0.1',
    `--tcp-control.port=${controlPort}`,
  ];
  const running = await startZerocast({ ...context, format, sendInterval: 'auto', serverArgs });
  await running.listening(controlPort);
  return Object.assign(running, { controlPort });
}

function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function poll(controller, isOver, answers) {
  while (!isOver()) {
    answers.push(await controller.ask('Server.GetStatus'));
    await sleep(pollMs);
  }
}

/** Asks for the status all the time while `clients` play. */
async function measureStatus({ running, port, clients, options, context }) {
  const controller = await Controller.connect(running.controlPort);
  const answers = [];
  let isMeasuring = false;
  let polling;
  const load = await runLoad(
    context.loadClient,
    {
      port,
      clients,
      'connects-per-second': options.connectsPerSec,
      'warm-up-ms': options.warmUpMs,
      'window-ms': options.windowMs,
    },
    (event) => {
      isMeasuring = event === 'window-start';
      if (isMeasuring) polling = poll(controller, () => !isMeasuring, answers);
    },
  );
  await polling;
  controller.close();
  const { groups } = answers[0].result.server;
  if (groups.length !== clients) throw new Error(`the status lists ${groups.length} groups`);
  const times = answers.map(({ roundTripMs }) => roundTripMs);
  return {
    load,
    kib: answers[0].bytes / 1024,
    answers: times.length,
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    p99Ms: percentile(times, 0.99),
    maxMs: Math.max(...times),
  };
}

/** Lets `clients` connect within a second while others play and a controller listens. */
async function measureStorm({ running, port, clients, options, context }) {
  const controller = await Controller.connect(running.controlPort);
  let storm;
  const start = async () => {
    await sleep(stormDelayMs);
    const before = new Map(controller.received);
    const bytesBefore = controller.receivedBytes;
    const startMs = performance.now();
    await runLoad(
      context.loadClient,
      {
        port,
        clients,
        'first-number': playing,
        'connects-per-second': clients,
        'warm-up-ms': 0,
        'window-ms': stormWindowMs,
      },
      (event) => {
        if (event === 'joined') storm.joinMs = performance.now() - startMs;
        if (event === 'window-end') {
          const updates = controller.received.get('Server.OnUpdate') ?? 0;
          storm.updates = updates - (before.get('Server.OnUpdate') ?? 0);
          storm.kib = (controller.receivedBytes - bytesBefore) / 1024;
        }
      },
    );
  };
  let storming;
  const load = await runLoad(
    context.loadClient,
    {
      port,
      clients: playing,
      'connects-per-second': options.connectsPerSec,
      'warm-up-ms': options.warmUpMs,
      'window-ms': options.windowMs,
    },
    (event) => {
      if (event !== 'window-start') return;
      storm = {};
      storming = start();
      // What fails here is heard where it is awaited.
      storming.catch(() => {});
    },
  );
  await storming;
  controller.close();
  return { load, ...storm };
}

const ofKind = (cases, name) => cases.filter(({ server }) => server === name);
const medianOf = (cases, key) => median(cases.map((each) => each[key]));

function describe(cases, clients) {
  const rows = clients.flatMap((count) => {
    const at = cases.filter((each) => each.clients === count);
    const status = ofKind(at, 'status');
    const storm = ofKind(at, 'storm');
    const times = ['p50Ms', 'p95Ms', 'p99Ms', 'maxMs'].map((key) =>
      decimals(medianOf(status, key), 2),
    );
    return [
      [
        String(count),
        decimals(medianOf(status, 'kib'), 0),
        times.join(' / '),
        decimals(medianOf(storm, 'joinMs'), 0),
        decimals(medianOf(storm, 'updates'), 0),
        decimals(medianOf(storm, 'kib'), 0),
        String(at.reduce((sum, { load }) => sum + (load?.gaps ?? 0), 0)),
      ],
    ];
  });
  const head = [
    'clients',
    'status, KiB',
    'GetStatus p50 / p95 / p99 / max, ms',
    `storm beside ${playing}: all joined after, ms`,
    'Server.OnUpdate',
    'KiB to the controller',
    'gaps of all',
  ];
  return markdownTable([head, ...rows]);
}

function missedTargets(cases) {
  return cases.flatMap(({ server, clients, p95Ms, updates }) => {
    if (server === 'status' && p95Ms > maxAnswerMs) {
      return [`${clients} clients: p95 of GetStatus is ${p95Ms.toFixed(2)} ms`];
    }
    if (server === 'storm' && updates > maxUpdates) {
      return [`${clients} clients: ${updates} times Server.OnUpdate in a storm`];
    }
    return [];
  });
}

/**
 * What controllers cost: the complete status while all clients play, and a storm of clients that
 * connect while others play. A gap of anybody who plays fails the case.
 */
export async function runControl(options, context) {
  const kinds = { status: measureStatus, storm: measureStorm };
  const servers = Object.keys(kinds).map((name) => ({ name, start: startServer }));
  const measure = (setup) => kinds[setup.server.name](setup);
  const cases = await runCases({ servers, measure, options, context });
  const failures = [...listFailures(cases), ...missedTargets(cases)];
  return { options, cases, text: describe(cases, options.clients), failures, path: 'loopback' };
}
