import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';
import { decimals, markdownTable } from './table.ts';

const run = promisify(execFile);
const dspCase = fileURLToPath(new URL('dsp-case.mjs', import.meta.url));

/** The addon must be faster than TypeScript by this, calls included. */
const leastGain = 4;
const targets: readonly string[] = ['gain ramp', 'mix', 'peak', 'RMS'];

type Times = Readonly<Record<string, number>>;

/** What `dsp-case.mjs` prints: nanoseconds. */
interface DspFigures {
  readonly processor: string;
  readonly operations: Readonly<
    Record<string, { readonly addon: number; readonly script: number }>
  >;
  readonly memory: Times;
  readonly mel: readonly {
    readonly seconds: number;
    readonly rows: number;
    readonly bytesPerRow: number;
    readonly nsPerRow: Times;
  }[];
}

/** What `dsp-kernels` prints: nanoseconds per sample by kind of kernels. */
type KernelTimes = Readonly<Record<string, Times>>;

interface OperationRow {
  readonly name: string;
  readonly scalar: number | undefined;
  readonly baseline: number | undefined;
  /** Absent where the processor has nothing better than the baseline. */
  readonly best: number | undefined;
  readonly addon: number;
  readonly script: number;
  readonly gain: number;
}

function rowsOf(figures: DspFigures, kernels: KernelTimes): OperationRow[] {
  return Object.entries(figures.operations).map(([name, { addon, script }]) => {
    const { scalar, baseline, [figures.processor]: best } = kernels[name] ?? {};
    return { name, scalar, baseline, best, addon, script, gain: script / addon };
  });
}

function describeOperations(rows: readonly OperationRow[], processor: string): string {
  const head = ['ns per sample', 'C++, scalar', 'C++, baseline', `C++, ${processor}`];
  const body = rows.map(({ name, scalar, baseline, best, addon, script, gain }) => [
    ...[name, ...[scalar, baseline, best, addon, script].map((ns) => decimals(ns, 2))],
    `${decimals(gain, 1)} x`,
  ]);
  return markdownTable([
    [...head, 'addon, called by Node', 'TypeScript', 'addon faster by'],
    ...body,
  ]);
}

function describeMemory(memory: Times): string {
  const ways = { kept: 'kept by the caller', pool: 'result in a slot of the pool', fresh: 'fresh' };
  const body = Object.entries(ways).map(([way, name]) => [
    name,
    ...['addon', 'script'].flatMap((twin) => {
      const ns = memory[`${twin} ${way}`];
      const fresh = memory[`${twin} fresh`];
      return [decimals(ns, 2), ns && fresh ? `${decimals(fresh / ns, 2)} x` : '–'];
    }),
  ]);
  const head = ['mixing a chunk, memory', 'addon, ns per sample', 'gain', 'TypeScript', 'gain'];
  return markdownTable([head, ...body]);
}

function describeMel(mel: DspFigures['mel']): string {
  const ways = { given: 'given', fresh: 'fresh', copied: 'fresh, then copied into a frame' };
  const body = mel.flatMap(({ seconds, rows, bytesPerRow, nsPerRow }) =>
    Object.entries(ways).map(([way, name]) => [
      ...[`${seconds} s, ${rows} rows`, name, way === 'copied' ? String(bytesPerRow) : '0'],
      ...['addon', 'script'].map((twin) => decimals((nsPerRow[`${twin} ${way}`] ?? 0) / 1000, 2)),
    ]),
  );
  const head = [
    'mel, `speech`',
    'output',
    'bytes copied per row',
    'addon, µs per row',
    'TypeScript',
  ];
  return markdownTable([head, ...body]);
}

/** Arithmetic on samples: by C++ without and with vectors, by calls of the addon, by TypeScript. */
export async function runDsp(options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const { rounds, windowMs, isShort } = options;
  const args = [rounds, windowMs].map(String);
  context.progress('kernels');
  const kernels = JSON.parse((await run(context.dspKernels, args)).stdout) as KernelTimes;
  context.progress('addon and TypeScript');
  const command = ['--import', 'tsx', dspCase, ...args];
  const figures = JSON.parse((await run(process.execPath, command)).stdout) as DspFigures;
  const rows = rowsOf(figures, kernels);
  const failures = isShort
    ? []
    : rows
        .filter(({ name, gain }) => targets.includes(name) && gain < leastGain)
        .map(({ name, gain }) => `${name}: ${decimals(gain, 1)} x, target ${leastGain} x`);
  return {
    options,
    cases: [figures, kernels],
    rows,
    text: [
      describeOperations(rows, figures.processor),
      describeMemory(figures.memory),
      describeMel(figures.mel),
    ].join('\n\n'),
    failures,
    path: 'no network',
    method: `20 ms of 48 kHz stereo per call. Best of ${rounds} interleaved rounds of ${windowMs} ms.`,
  };
}
