import { setTimeout as sleep } from 'node:timers/promises';
import { cpuTimeBetween, readCpuTime } from './cpu-time.ts';
import { type FigureRow, type Figures, reportFigures } from './figure-report.ts';
import { openFormats } from './formats.ts';
import { type LoadEvent, runLoadOn } from './load-run.ts';
import { readResidentKiB, readSleeps } from './process-figures.ts';
import type { BenchContext, BenchOptions, BenchReport, CaseSetup } from './run-cases.ts';
import { listServers } from './servers.ts';

type IdleFigure = 'corePercent' | 'wakeUpsPerSec' | 'residentMb';

function read(pid: number) {
  return { atMs: performance.now(), cpu: readCpuTime(pid), sleeps: readSleeps(pid) };
}

async function waitThrough({ options }: CaseSetup, onEvent: (event: LoadEvent) => void) {
  await sleep(options.warmUpMs);
  onEvent('window-start');
  await sleep(options.windowMs);
  onEvent('window-end');
}

async function measure(setup: CaseSetup): Promise<Figures<IdleFigure>> {
  const { pid } = setup.running;
  let before = read(pid);
  let after = before;
  const onEvent = (event: LoadEvent) => {
    if (event === 'window-start') before = read(pid);
    if (event === 'window-end') after = read(pid);
  };
  await (setup.clients > 0 ? runLoadOn(setup, onEvent) : waitThrough(setup, onEvent));
  const seconds = (after.atMs - before.atMs) / 1000;
  return {
    figures: {
      corePercent: cpuTimeBetween(before.cpu, after.cpu).totalUs / 1e4 / seconds,
      wakeUpsPerSec: (after.sleeps - before.sleeps) / seconds,
      residentMb: readResidentKiB(pid) / 1024,
    },
  };
}

const isOurs = (wanted: string, count: number) => (row: FigureRow<IdleFigure>) =>
  row.key === 'native' && row.format === wanted && row.clients === count;
const core = { what: 'CPU', figure: 'corePercent', unit: '% of a core' } as const;

/** What a server costs that has next to nothing to do, as in a household: it is fed by a fifo. */
export async function runIdle(options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const formats = await openFormats(options.formats, context);
  const isPcm = (name: string) => name.startsWith('pcm');
  return reportFigures({
    servers: formats.flatMap((format) => {
      // The C loops know nothing of codecs.
      const names = options.servers.filter((name) => isPcm(format.name) || !/^c(10)?$/.test(name));
      return listServers({ names, format, sendIntervals: ['auto'], isFed: true });
    }),
    measure,
    options,
    context,
    columns: {
      'CPU, % of a core': [['corePercent'], 2],
      'wake-ups/s': [['wakeUpsPerSec'], 0],
      'resident, MB': [['residentMb'], 1],
    },
    targets: [
      { ...core, isFor: isOurs('pcm48', 1), most: 0.6 },
      { ...core, isFor: isOurs('pcm48', 10), most: 1 },
      { ...core, isFor: isOurs('flac48', 1), most: 1 },
    ],
  });
}
