import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';
import { decimals, groupBy, markdownTable, median } from './table.ts';

const run = promisify(execFile);
const poolCase = fileURLToPath(new URL('pool-case.mjs', import.meta.url));
const sizes = [320, 3840, 16_384];
const variants = {
  'pool-addon': 'pool, slabs of the addon',
  'pool-plain': 'pool, plain slabs',
  'buffer-unsafe-slow': 'Buffer.allocUnsafeSlow',
  'uint8-array': 'new Uint8Array',
} as const;
type Variant = keyof typeof variants;
const fresh: readonly Variant[] = ['buffer-unsafe-slow', 'uint8-array'];

interface PoolCase {
  readonly variant: Variant;
  readonly bytes: number;
}

/** What `pool-case.mjs` prints. */
interface PoolFigures {
  readonly operations: number;
  readonly wallNs: number;
  readonly cpuNs: number;
  readonly collections: number;
  readonly collectingShare: number;
}

type PoolResult = PoolCase &
  ((PoolFigures & { readonly failure?: undefined }) | { readonly failure: string });

// As main.ts sets it for the server.
const nodeArgs = ['--semi-space-growth-factor=1', '--import', 'tsx'];

// At the usual size, 20 ms of 48000:16:2, the pool must be faster by this than any fresh memory.
const usualBytes = 3840;
const leastGain = 5;

async function measure(
  { variant, bytes }: PoolCase,
  { warmUpMs, windowMs }: BenchOptions,
): Promise<PoolResult> {
  const args = [variant, bytes, warmUpMs, windowMs].map(String);
  try {
    const { stdout } = await run(process.execPath, [...nodeArgs, poolCase, ...args]);
    return { variant, bytes, ...JSON.parse(stdout) };
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    return { variant, bytes, failure: stderr?.trim() || message };
  }
}

/** The variants in turn, so that a drift of the machine hits all of them. */
async function measureAll(options: BenchOptions, { progress }: BenchContext) {
  const cases: PoolResult[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const bytes of sizes) {
      for (const [variant, name] of Object.entries(variants)) {
        progress(`round ${round}/${options.rounds}, ${bytes} bytes, ${name}`);
        cases.push(await measure({ variant: variant as Variant, bytes }, options));
      }
    }
  }
  return cases;
}

type WholePoolCase = PoolCase & PoolFigures;

function summariseGroup(group: readonly WholePoolCase[]) {
  const { variant, bytes } = group[0]!;
  const middle = (pick: (one: WholePoolCase) => number) => median(group.map(pick)) ?? Number.NaN;
  return {
    variant,
    bytes,
    cpuNs: middle(({ cpuNs }) => cpuNs),
    wallNs: middle(({ wallNs }) => wallNs),
    collectionsPerMillion: middle(
      ({ collections, operations }) => (collections * 1e6) / operations,
    ),
    collectingShare: middle(({ collectingShare }) => collectingShare),
  };
}

/** One row per size and variant; `gain`: the CPU of the cheapest fresh memory divided by its own. */
function summarise(cases: readonly PoolResult[]) {
  const whole = cases.filter((each) => each.failure === undefined);
  const rows = groupBy(whole, ({ bytes, variant }) => `${bytes} ${variant}`).map(summariseGroup);
  return rows.map((row) => {
    const others = rows.filter(({ bytes, variant }) => {
      return bytes === row.bytes && fresh.includes(variant);
    });
    const freshNs = Math.min(...others.map(({ cpuNs }) => cpuNs));
    return { ...row, gain: freshNs / row.cpuNs };
  });
}

type PoolRow = ReturnType<typeof summarise>[number];

function describe(rows: readonly PoolRow[]): string {
  const head = [
    'bytes',
    'memory',
    'CPU, ns',
    'time, ns',
    'collections per million',
    'time in collections',
    'faster than fresh memory',
  ];
  const body = rows.map((row) => [
    String(row.bytes),
    variants[row.variant],
    decimals(row.cpuNs, 0),
    decimals(row.wallNs, 0),
    decimals(row.collectionsPerMillion, 0),
    `${decimals(row.collectingShare * 100, 1)} %`,
    fresh.includes(row.variant) ? '–' : `${decimals(row.gain, 1)} x`,
  ]);
  return markdownTable([head, ...body]);
}

function listTooSlow(rows: readonly PoolRow[]): string[] {
  return rows
    .filter(({ variant, bytes, gain }) => {
      return bytes === usualBytes && !fresh.includes(variant) && !(gain >= leastGain);
    })
    .map(({ variant, bytes, gain }) => {
      const measured = decimals(gain, 1);
      return `${variants[variant]}: ${measured} x faster at ${bytes} bytes, target ${leastGain} x`;
    });
}

/**
 * Getting memory for one chunk and letting go of it, by the pool and by fresh allocation, while as
 * many others live as a ring holds.
 *
 * Units: nanoseconds per piece of memory; CPU of all threads, so with all garbage collection.
 */
export async function runPool(options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const cases = await measureAll(options, context);
  const rows = summarise(cases);
  const broken = cases
    .filter(({ failure }) => failure !== undefined)
    .map(({ variant, bytes, failure }) => `${variants[variant]}, ${bytes} bytes: ${failure}`);
  const failures = [...broken, ...listTooSlow(rows)];
  return { options, cases, rows, text: describe(rows), failures, path: 'no network' };
}
