import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FigureRow, type Figures, reportFigures } from './figure-report.ts';
import { openFormats } from './formats.ts';
import { runLoadOn } from './load-run.ts';
import { closeObservation, openObservation } from './observation.ts';
import type {
  BenchContext,
  BenchOptions,
  BenchReport,
  BenchServer,
  CaseSetup,
  StartContext,
} from './run-cases.ts';
import { listServers } from './servers.ts';

/** Those that play already, one for two that come. */
const playingShare = 0.5;
const calmMs = 1000;
/** All that a server has to remember is saved by then. */
const knownAfterMs = 3000;
const observer = 'loop-observer';
const restarted = ', killed and restarted';

type StormFigure =
  | 'firstP50Ms'
  | 'firstP99Ms'
  | 'firstMaxMs'
  | 'syncP50Ms'
  | 'syncP99Ms'
  | 'holdMs';
type StormFigures = Figures<StormFigure>;

/** All at once. */
async function joinAll(setup: CaseSetup, firstNumber: number): Promise<StormFigures> {
  const { running, server } = setup;
  let seen: Promise<{ readonly holdMs: number }> | undefined;
  if (server.observer) openObservation(running);
  const { firstChunkUs, syncErrorUs } = await runLoadOn(
    setup,
    (event) => {
      if (event === 'joined' && server.observer) seen = closeObservation(running, server.observer);
      seen?.catch(() => {});
    },
    { 'first-number': firstNumber, 'connects-per-second': 0, 'warm-up-ms': 0 },
  );
  return {
    figures: {
      firstP50Ms: firstChunkUs.p50 / 1000,
      firstP99Ms: firstChunkUs.p99 / 1000,
      firstMaxMs: firstChunkUs.max / 1000,
      syncP50Ms: syncErrorUs.p50 / 1000,
      syncP99Ms: syncErrorUs.p99 / 1000,
      holdMs: (await seen)?.holdMs,
    },
  };
}

/** A gap of those who play fails the case, as one of those who join. */
async function measureBeside(setup: CaseSetup): Promise<StormFigures> {
  const playing = Math.ceil(setup.clients * playingShare);
  let storm: Promise<StormFigures> | undefined;
  const { windowMs } = setup.options;
  await runLoadOn(
    { ...setup, clients: playing },
    (event) => {
      if (event !== 'window-start') return;
      storm = sleep(calmMs).then(() => joinAll(setup, playing));
      storm.catch(() => {});
    },
    { 'window-ms': calmMs + 2 * windowMs },
  );
  if (!storm) throw new Error('nobody came');
  return storm;
}

/** What knows all its players, is killed and stands again; its data folder remains. */
function restart(server: BenchServer, options: BenchOptions): BenchServer {
  const start = async (context: StartContext) => {
    const { port, clients } = context;
    const folder = mkdtempSync(join(context.workDir, 'storm-'));
    const known = await server.start({ ...context, folder });
    try {
      await runLoadOn({ port, clients, server, options, context }, undefined, {
        'warm-up-ms': 0,
        'window-ms': knownAfterMs,
      });
    } finally {
      await known.kill();
    }
    return server.start({ ...context, folder });
  };
  return { ...server, name: server.name + restarted, start };
}

const isFor = ({ key, clients }: FigureRow<StormFigure>) => key === 'native' && clients <= 1000;
const inMs = { isFor, unit: 'ms' } as const;

/**
 * Players that connect all at once, each with its Hello and 50 requests for the time: beside half as
 * many that play, and all known ones after the server was killed.
 */
export async function runStorm(options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const { servers: names, isFed } = options;
  const formats = await openFormats(options.formats, context);
  const servers = formats.flatMap((format) =>
    listServers({ names, format, sendIntervals: ['auto'], isFed, observer }),
  );
  return reportFigures({
    servers: servers.flatMap((server) => [server, restart(server, options)]),
    measure: (setup) =>
      setup.server.name.endsWith(restarted) ? joinAll(setup, 0) : measureBeside(setup),
    options,
    context,
    columns: {
      'first chunk p50 / p99 / max, ms': [['firstP50Ms', 'firstP99Ms', 'firstMaxMs'], 0],
      'clock wrong by p50 / p99, ms': [['syncP50Ms', 'syncP99Ms'], 2],
      'loop held at most, ms': [['holdMs'], 1],
    },
    targets: [
      { ...inMs, what: 'first chunk p50', figure: 'firstP50Ms', most: 400 },
      { ...inMs, what: 'first chunk p99', figure: 'firstP99Ms', most: 700 },
      { ...inMs, what: 'clock wrong by p50', figure: 'syncP50Ms', most: 1 },
      { ...inMs, what: 'loop held at most', figure: 'holdMs', most: 20 },
    ],
  });
}
