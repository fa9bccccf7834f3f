import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type RealPath, RealPathUnavailable, withRealPath } from './real-path.ts';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';
import { decimals, groupBy, markdownTable, median } from './table.ts';

// In a namespace of its own every port is free.
const port = 1704;
const sizesKiB = [4, 8, 16, 24, 32, 48, 64, 96, 128];
const layouts = {
  pieces: 'one iovec per chunk of 3878 bytes',
  whole: 'one piece',
} as const;

/** A line of one of the programs. */
interface ProgramEvent {
  readonly event: string;
}

interface ProgramResult extends ProgramEvent {
  readonly event: 'result';
  readonly problems: readonly string[];
  readonly sentBytes?: number;
  readonly receivedBytes?: number;
}

interface Trial {
  readonly clients: number;
  readonly bytes: number;
  readonly layout: keyof typeof layouts;
  readonly plainUs: number;
  readonly plainPeerUs: number;
  readonly zeroCopyUs: number;
  readonly zeroCopyPeerUs: number;
  readonly copied: number;
  readonly completed: number;
  readonly noBuffers: number;
}

type Row = ReturnType<typeof summariseGroup>;

interface StartedProgram {
  readonly child: ChildProcess;
  readonly events: Promise<readonly ProgramEvent[]>;
}

/** Starts a program that prints one JSON object per line; `events` has them when it has ended. */
function start(
  command: string,
  options: Readonly<Record<string, string | number>>,
  inside: RealPath['inside'] = (file, args) => ({ command: file, args }),
): StartedProgram {
  const flat = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { command: file, args } = inside(command, flat);
  const child = spawn(file, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const events = Promise.all([text(child.stdout), once(child, 'close')]).then(([lines]) =>
    lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line)),
  );
  return { child, events };
}

const isResult = (one: ProgramEvent): one is ProgramResult => one.event === 'result';
const isTrial = (one: ProgramEvent): one is ProgramEvent & Omit<Trial, 'clients'> =>
  one.event === 'trial';

function resultOf(name: string, events: readonly ProgramEvent[]): ProgramResult {
  const result = events.find(isResult);
  if (result === undefined) throw new Error(`${name} ended without a result`);
  if (result.problems.length > 0) throw new Error(`${name}: ${result.problems.join('; ')}`);
  return result;
}

async function measure(
  { path, clients, options }: { path: RealPath; clients: number; options: BenchOptions },
  { tapPeers, sendRatio }: BenchContext,
): Promise<Trial[]> {
  const peers = start(tapPeers, { ...path.peerOptions, port, clients, sink: 1 });
  const sizes = sizesKiB.map((size) => size * 1024).join(',');
  const sender = start(
    sendRatio,
    {
      host: path.host,
      port,
      sockets: clients,
      sizes,
      rounds: options.rounds,
      'peer-pid': peers.child.pid ?? 0,
    },
    path.inside,
  );
  try {
    const events = await sender.events;
    const { sentBytes } = resultOf('send-ratio', events);
    const { receivedBytes } = resultOf('tap-peers', await peers.events);
    if (sentBytes !== receivedBytes) {
      throw new Error(`${sentBytes} bytes were sent, ${receivedBytes} received`);
    }
    return events.filter(isTrial).map((each) => ({ clients, ...each }));
  } finally {
    const programs = [sender, peers];
    for (const { child } of programs) child.kill('SIGTERM');
    await Promise.allSettled(programs.map(({ events }) => events));
  }
}

function summariseGroup(group: readonly Trial[]) {
  const { clients, bytes, layout } = group[0]!;
  const sum = (pick: (trial: Trial) => number) =>
    group.reduce((total, trial) => total + pick(trial), 0);
  return {
    clients,
    bytes,
    layout,
    plainUs: median(group.map(({ plainUs }) => plainUs)),
    zeroCopyUs: median(group.map(({ zeroCopyUs }) => zeroCopyUs)),
    ratio: median(group.map(({ plainUs, zeroCopyUs }) => zeroCopyUs / plainUs)) ?? Number.NaN,
    ratioWithPeers: median(
      group.map((trial) => {
        const plainUs = trial.plainUs + trial.plainPeerUs;
        return (trial.zeroCopyUs + trial.zeroCopyPeerUs) / plainUs;
      }),
    ),
    copiedShare: sum(({ copied }) => copied) / sum(({ completed }) => completed),
    noBuffers: sum(({ noBuffers }) => noBuffers),
  };
}

/**
 * One row per number of sockets, layout and size, medians over the rounds.
 *
 * Units: CPU in microseconds per send; the ratios are zero-copy divided by plain.
 */
function summarise(cases: readonly Trial[]): Row[] {
  const groups = groupBy(cases, ({ clients, layout, bytes }) => `${clients} ${layout} ${bytes}`);
  return groups.map(summariseGroup).sort((a, b) => {
    return a.clients - b.clients || a.layout.localeCompare(b.layout) || a.bytes - b.bytes;
  });
}

/** The least size from which zero-copy costs less and stays so; `undefined` when there is none. */
function findBreakEven(rows: readonly Row[]): number | undefined {
  const bySize = rows.toSorted((a, b) => a.bytes - b.bytes);
  const lastLoss = bySize.findLastIndex(({ ratio }) => !(ratio < 1));
  return bySize[lastLoss + 1]?.bytes;
}

function describe(rows: readonly Row[]): string {
  const head = [
    'sockets',
    'layout',
    'size, KiB',
    'plain, µs/send',
    'zero-copy, µs/send',
    'ratio',
    "ratio with the peers' side",
    'copied',
    'ENOBUFS',
  ];
  const body = rows.map((row) => [
    String(row.clients),
    layouts[row.layout],
    String(row.bytes / 1024),
    decimals(row.plainUs, 1),
    decimals(row.zeroCopyUs, 1),
    decimals(row.ratio, 2),
    decimals(row.ratioWithPeers, 2),
    `${decimals(row.copiedShare * 100, 1)} %`,
    String(row.noBuffers),
  ]);
  return markdownTable([head, ...body]);
}

function describeBreakEvens(rows: readonly Row[]): string[] {
  const names = rows.map(({ clients, layout }) => `${clients} sockets, ${layouts[layout]}`);
  return [...new Set(names)].map((name) => {
    const bytes = findBreakEven(rows.filter((_, i) => names[i] === name));
    const answer = bytes === undefined ? 'nowhere' : `from ${bytes / 1024} KiB on`;
    return `Zero-copy costs less, ${name}: ${answer}.`;
  });
}

function listCopies(rows: readonly Row[]): string[] {
  return rows
    .filter(({ copiedShare }) => copiedShare > 0)
    .map(({ bytes, copiedShare }) => {
      const percent = decimals(copiedShare * 100, 1);
      return `${bytes} bytes: the kernel copied ${percent} %; does a packet sniffer run?`;
    });
}

/**
 * CPU per send with and without MSG_ZEROCOPY on a path where the kernel does not copy, by size of
 * the batch; the server's default of `zerocopy_min_bytes` comes from here.
 *
 * Failure: where there is no such path the text says so, and nothing fails.
 */
export async function runBreakEven(
  options: BenchOptions,
  context: BenchContext,
): Promise<BenchReport> {
  const cases: Trial[] = [];
  const failures: string[] = [];
  try {
    await withRealPath(async (path) => {
      for (const clients of options.clients) {
        context.progress(`${options.rounds} rounds, ${clients} sockets, zero-copy and plain sends`);
        try {
          cases.push(...(await measure({ path, clients, options }, context)));
        } catch (error) {
          failures.push(`${clients} sockets: ${error instanceof Error ? error.message : error}`);
        }
      }
    });
  } catch (error) {
    if (!(error instanceof RealPathUnavailable)) throw error;
    const text = `Not measured, there is no path where zero-copy is real: ${error.message}.`;
    return { options, cases, rows: [], text, failures, path: 'no network' };
  }
  const rows = summarise(cases);
  const text = [describe(rows), '', ...describeBreakEvens(rows)].join('\n');
  const path = 'veth to macvtap, peers in user space';
  const method = `Median of ${options.rounds} interleaved rounds of sends every 20 ms.`;
  return { options, cases, rows, text, path, method, failures: [...failures, ...listCopies(rows)] };
}
