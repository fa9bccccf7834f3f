import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';
import { decimals, markdownTable } from './table.ts';

const run = promisify(execFile);
const metersCase = fileURLToPath(new URL('meters-case.mjs', import.meta.url));

/** What it may cost to watch one stream with the addon, in percent of a core. */
const mostPercent = 0.3;
const usPerPercent = 10_000;

/** What `meters-case.mjs` prints: microseconds per second of audio. */
type MeterFigures = Readonly<Record<string, { readonly addon: number; readonly script: number }>>;

/** Levels and taps of one stream, in percent of a core. */
export async function runMeters(
  options: BenchOptions,
  context: BenchContext,
): Promise<BenchReport> {
  const { rounds, windowMs, isShort } = options;
  context.progress('addon and TypeScript');
  const command = ['--import', 'tsx', metersCase, String(rounds), String(windowMs)];
  const figures = JSON.parse((await run(process.execPath, command)).stdout) as MeterFigures;
  const rows = Object.entries(figures).map(([name, { addon, script }]) => ({
    name,
    addonPercent: addon / usPerPercent,
    scriptPercent: script / usPerPercent,
  }));
  const body = rows.map(({ name, addonPercent, scriptPercent }) => [
    name,
    decimals(addonPercent, 3),
    decimals(scriptPercent, 3),
  ]);
  const [watched] = rows;
  const isTooMuch = watched && !isShort && watched.addonPercent > mostPercent;
  return {
    options,
    cases: [figures],
    rows,
    text: markdownTable([['one stream, % of a core', 'addon', 'TypeScript'], ...body]),
    failures: isTooMuch
      ? [`${watched.name}: ${decimals(watched.addonPercent, 3)} %, target ${mostPercent} %`]
      : [],
    path: 'no network',
    method: `48 kHz stereo in chunks of 20 ms. Best of ${rounds} interleaved rounds of ${windowMs} ms.`,
  };
}
