import { type FigureRow, type Figures, reportFigures } from './figure-report.ts';
import { openFormats } from './formats.ts';
import { runLoadOn } from './load-run.ts';
import { readResidentKiB } from './process-figures.ts';
import type { BenchContext, BenchOptions, BenchReport, CaseSetup } from './run-cases.ts';
import { listServers } from './servers.ts';

type StartFigure = 'listeningMs' | 'residentMb' | 'kibPerClient';

async function readResidentWith(clients: number, setup: CaseSetup): Promise<number> {
  let residentKiB = Number.NaN;
  await runLoadOn({ ...setup, clients }, (event) => {
    if (event === 'window-end') residentKiB = readResidentKiB(setup.running.pid);
  });
  return residentKiB;
}

async function measure(setup: CaseSetup): Promise<Figures<StartFigure>> {
  const { running, clients } = setup;
  const oneKiB = await readResidentWith(1, setup);
  const allKiB = await readResidentWith(clients, setup);
  const kibPerClient = (allKiB - oneKiB) / Math.max(1, clients - 1);
  return {
    figures: { listeningMs: running.listeningMs, residentMb: oneKiB / 1024, kibPerClient },
  };
}

const isFor = ({ key }: FigureRow<StartFigure>) => key === 'native';

/** How long a server needs to listen after it was executed, and the memory of its players. */
export async function runStart(options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const { servers: names, isFed } = options;
  const formats = await openFormats(options.formats, context);
  return reportFigures({
    servers: formats.flatMap((format) =>
      listServers({ names, format, sendIntervals: ['auto'], isFed }),
    ),
    measure,
    options,
    context,
    columns: {
      'listening after, ms': [['listeningMs'], 0],
      'resident with one, MB': [['residentMb'], 1],
      'KiB for each further': [['kibPerClient'], 1],
    },
    targets: [
      { isFor, what: 'listening after', figure: 'listeningMs', most: 350, unit: 'ms' },
      { isFor, what: 'resident with one', figure: 'residentMb', most: 62, unit: 'MB' },
      { isFor, what: 'for each further', figure: 'kibPerClient', most: 20, unit: 'KiB' },
    ],
  });
}
