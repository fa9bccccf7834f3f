import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ControlClient } from '../support/control-client.ts';
import { freePort, type ServerProcess } from '../support/server-process.ts';
import type { ServerStatus } from '../support/server-status.ts';
import { openFormat } from './formats.ts';
import { type LoadEvent, type LoadResult, runLoadOn } from './load-run.ts';
import {
  type BenchContext,
  type BenchOptions,
  type BenchReport,
  type Case,
  type CaseSetup,
  listFailures,
  runCases,
  type StartContext,
  wholeOf,
} from './run-cases.ts';
import { decimals, markdownTable, median } from './table.ts';
import { startZerocast } from './zerocast-server.ts';

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

type Controlled = ServerProcess & { readonly controlPort: number };

interface StatusFigures {
  readonly load: LoadResult;
  readonly kib: number;
  readonly answers: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface StormFigures {
  readonly load: LoadResult;
  readonly joinMs: number;
  readonly updates: number;
  readonly kib: number;
}

type ControlFigures = Partial<StatusFigures & StormFigures>;

async function startServer(context: StartContext): Promise<Controlled> {
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

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

async function poll(controller: ControlClient, isOver: () => boolean, answers: Answer[]) {
  while (!isOver()) {
    answers.push(await controller.ask('Server.GetStatus'));
    await sleep(pollMs);
  }
}

/** Asks for the status all the time while `clients` play. */
async function measureStatus(setup: CaseSetup<Controlled>): Promise<StatusFigures> {
  const { running, clients } = setup;
  const controller = await ControlClient.connect(running.controlPort, { keeps: false });
  const answers: Answer[] = [];
  let isMeasuring = false;
  let polling: Promise<void> | undefined;
  const load = await runLoadOn(setup, (event) => {
    isMeasuring = event === 'window-start';
    if (isMeasuring) polling = poll(controller, () => !isMeasuring, answers);
  });
  await polling;
  controller.close();
  const [first] = answers;
  if (!first) throw new Error('the status was never asked for');
  const { groups } = (first.result as { server: ServerStatus }).server;
  if (groups.length !== clients) throw new Error(`the status lists ${groups.length} groups`);
  const times = answers.map(({ roundTripMs }) => roundTripMs);
  return {
    load,
    kib: first.bytes / 1024,
    answers: times.length,
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    p99Ms: percentile(times, 0.99),
    maxMs: Math.max(...times),
  };
}

/** Lets `clients` connect within a second while others play and a controller listens. */
async function measureStorm(setup: CaseSetup<Controlled>): Promise<StormFigures> {
  const { running, clients } = setup;
  const controller = await ControlClient.connect(running.controlPort, { keeps: false });
  const updates = () => controller.notified.get('Server.OnUpdate') ?? 0;
  const storm = { joinMs: Number.NaN, updates: Number.NaN, kib: Number.NaN };
  const start = async () => {
    await sleep(stormDelayMs);
    const updatesBefore = updates();
    const bytesBefore = controller.receivedBytes;
    const startMs = performance.now();
    const onEvent = (event: LoadEvent) => {
      if (event === 'joined') storm.joinMs = performance.now() - startMs;
      if (event === 'window-end') {
        storm.updates = updates() - updatesBefore;
        storm.kib = (controller.receivedBytes - bytesBefore) / 1024;
      }
    };
    await runLoadOn(setup, onEvent, {
      'first-number': playing,
      'connects-per-second': clients,
      'warm-up-ms': 0,
      'window-ms': stormWindowMs,
    });
  };
  let storming: Promise<void> | undefined;
  const load = await runLoadOn({ ...setup, clients: playing }, (event) => {
    if (event !== 'window-start') return;
    storming = start();
    // What fails here is heard where it is awaited.
    storming.catch(() => {});
  });
  await storming;
  controller.close();
  return { load, ...storm };
}

type ControlCase = Case<ControlFigures>;

const medianOf = (cases: readonly ControlFigures[], key: Exclude<keyof ControlFigures, 'load'>) =>
  median(cases.map((each) => each[key]));

function describe(cases: readonly ControlCase[], clients: readonly number[]): string {
  const rows = clients.flatMap((count) => {
    const at = wholeOf(cases).filter((each) => each.clients === count);
    const status = at.filter(({ server }) => server === 'status');
    const storm = at.filter(({ server }) => server === 'storm');
    const times = (['p50Ms', 'p95Ms', 'p99Ms', 'maxMs'] as const).map((key) =>
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

function missedTargets(cases: readonly ControlCase[]): string[] {
  return wholeOf(cases).flatMap(({ clients, p95Ms = 0, updates = 0 }) => {
    if (p95Ms > maxAnswerMs) {
      return [`${clients} clients: p95 of GetStatus is ${p95Ms.toFixed(2)} ms`];
    }
    if (updates > maxUpdates) {
      return [`${clients} clients: ${updates} times Server.OnUpdate in a storm`];
    }
    return [];
  });
}

/**
 * What controllers cost: the complete status while all clients play, and a storm of clients that
 * connect while others play. A gap of anybody who plays fails the case.
 */
export async function runControl(
  options: BenchOptions,
  context: BenchContext,
): Promise<BenchReport> {
  const servers = ['status', 'storm'].map((name) => ({ name, start: startServer }));
  const measure = (setup: CaseSetup<Controlled>): Promise<ControlFigures> =>
    setup.server.name === 'status' ? measureStatus(setup) : measureStorm(setup);
  const cases = await runCases({ servers, measure, options, context });
  const failures = [...listFailures(cases), ...missedTargets(cases)];
  return { options, cases, text: describe(cases, options.clients), failures, path: 'loopback' };
}
