import { parseArgs } from 'node:util';
import { runAnnounce } from './announce.ts';
import { runBreakEven } from './break-even.ts';
import { runControl } from './control.ts';
import { runDsp } from './dsp.ts';
import { runFanOut } from './fan-out.ts';
import { formats } from './formats.ts';
import { runHeap } from './heap.ts';
import { runIdle } from './idle.ts';
import { runMeters } from './meters.ts';
import { runPool } from './pool.ts';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';
import { serverNames } from './servers.ts';
import { runStart } from './start.ts';
import { runStorm } from './storm.ts';

const full = {
  clients: '1000',
  rounds: '3',
  'window-ms': '10000',
  'warm-up-ms': '3000',
  formats: 'pcm48',
  servers: 'c,c10,native,zerocopy,node,naive',
};
const short = { ...full, clients: '100', rounds: '1', 'window-ms': '2000', 'warm-up-ms': '1000' };

type Defaults = typeof full;

interface Benchmark {
  readonly full: Partial<Defaults>;
  readonly short: Partial<Defaults>;
  readonly leastClients?: number;
  run(options: BenchOptions, context: BenchContext): Promise<BenchReport>;
}

export type BenchValues = ReturnType<typeof parse>['values'];

const loops = { servers: 'c,c10,native' };
const idle = { ...loops, clients: '0,1,10', formats: 'pcm48,flac48,opus48' };
const starts = { servers: 'c,naive,native' };

/** What can be measured, with the defaults that differ from the common ones. */
export const benchmarks: Readonly<Record<string, Benchmark>> = {
  'fan-out': { run: runFanOut, full: {}, short: {} },
  idle: {
    run: runIdle,
    // V8 compiles for minutes what runs a few times per second, which costs as much again.
    full: { ...idle, 'warm-up-ms': '60000' },
    short: { ...idle, clients: '0,1' },
    leastClients: 0,
  },
  storm: {
    run: runStorm,
    full: { ...loops, 'window-ms': '3000' },
    short: loops,
  },
  start: {
    run: runStart,
    full: { ...starts, clients: '500', rounds: '5' },
    short: starts,
  },
  heap: {
    run: runHeap,
    full: { clients: '1,100,500', 'window-ms': '4000' },
    // What a client costs once, also when its state is saved, must not be counted as steady.
    short: { clients: '1,100', 'window-ms': '4000', 'warm-up-ms': '8000' },
  },
  'break-even': {
    run: runBreakEven,
    full: { clients: '250', rounds: '7' },
    short: { clients: '50', rounds: '1' },
  },
  control: {
    run: runControl,
    full: { clients: '1000', 'window-ms': '8000' },
    short: { 'window-ms': '4000' },
  },
  announce: {
    run: runAnnounce,
    full: { clients: '300', formats: 'pcm48,flac48,opus48' },
    short: { formats: 'pcm48' },
  },
  pool: {
    run: runPool,
    full: { 'window-ms': '1500', 'warm-up-ms': '500' },
    short: { 'window-ms': '200', 'warm-up-ms': '100' },
  },
  dsp: {
    run: runDsp,
    full: { rounds: '15', 'window-ms': '20' },
    short: { 'window-ms': '3' },
  },
  meters: {
    run: runMeters,
    full: { rounds: '10', 'window-ms': '200' },
    short: { 'window-ms': '20' },
  },
};

const formatNames = Object.keys(formats);

export const usage = `usage: scripts/bench [${Object.keys(benchmarks).join('|')}] [options]

Without a name all of them run. It prints a report in Markdown; the exit status is 1 when a byte
was missing or a target was missed. Options:
  --short               one quick round with few clients, to see that everything works
  --clients 100,1000    numbers of clients
  --rounds 3            the table shows the median of this many rounds
  --window-ms 10000     measured time of one case
  --warm-up-ms 3000     time between the last client's start and the window
  --connects-per-second 500   0: all at once
  --send-interval 0,auto      milliseconds or auto; for the servers that have this setting
  --server dist/main.js the server to measure, for example that of another build
  --core 0              keeps the servers on this core and all else off it
  --json FILE           writes every figure of every round
For fan-out, idle, storm and start, and the first for announce:
  --formats pcm48       of ${formatNames.map((name) => `${name} (${formats[name]?.sampleFormat})`).join(', ')}
  --servers ${full.servers}
                        of ${serverNames.join(', ')}:
                        the loop in C with one and with ten chunks per send, one socket.write per
                        client, the C++ original, Zerocast's default, zero-copy for every send,
                        zero-copy where it pays, Zerocast without the addon
  --snapserver snapserver     the program of the C++ original
  --fed                 Zerocast gets its audio by a fifo from a program, as in idle, and as the C++
                        original does; else it generates it
For fan-out:
  --syscalls            counts system calls, 3 s more per case; needs perf (as root) or strace

Everything that fan-out knows, which takes many hours:
  scripts/bench fan-out --clients 100,500,1000,2000 --formats ${formatNames.join(',')} \\
    --send-interval 0,20,100,200,auto --servers ${serverNames.join(',')} --syscalls
`;

export function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      short: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
      clients: { type: 'string' },
      rounds: { type: 'string' },
      'window-ms': { type: 'string' },
      'warm-up-ms': { type: 'string' },
      'connects-per-second': { type: 'string', default: '500' },
      'send-interval': { type: 'string', default: '0,auto' },
      formats: { type: 'string' },
      servers: { type: 'string' },
      fed: { type: 'boolean', default: false },
      snapserver: { type: 'string', default: 'snapserver' },
      core: { type: 'string' },
      syscalls: { type: 'boolean', default: false },
      server: { type: 'string', default: 'dist/main.js' },
      json: { type: 'string' },
    },
  });
}

function wholeNumber(
  name: string,
  text: string,
  { least, most = Number.MAX_SAFE_INTEGER }: { readonly least: number; readonly most?: number },
): number {
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
  const range =
    most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`;
  throw new Error(`--${name}: "${text}" is not a whole number ${range}`);
}

function someOf(name: string, text: string, known: readonly string[]): string[] {
  const names = text.split(',');
  const unknown = names.find((each) => !known.includes(each));
  if (unknown === undefined) return names;
  throw new Error(`--${name}: "${unknown}" is none of ${known.join(', ')}`);
}

function sendIntervals(text: string): string[] {
  return text.split(',').map((each) => {
    if (each === 'auto') return each;
    return String(wholeNumber('send-interval', each, { least: 0, most: 1000 }));
  });
}

/** Failure: throws when a value is not possible. */
export function optionsFor(name: string, values: BenchValues): BenchOptions {
  const own = benchmarks[name]!;
  const defaults = values.short ? { ...short, ...own.short } : { ...full, ...own.full };
  const number = (key: 'rounds' | 'window-ms' | 'warm-up-ms') =>
    wholeNumber(key, values[key] ?? defaults[key], { least: 1 });
  const names = (key: 'formats' | 'servers', known: readonly string[]) =>
    someOf(key, values[key] ?? defaults[key], known);
  const clients = (values.clients ?? defaults.clients).split(',');
  return {
    isShort: values.short,
    clients: clients.map((text) => wholeNumber('clients', text, { least: own.leastClients ?? 1 })),
    rounds: number('rounds'),
    windowMs: number('window-ms'),
    warmUpMs: number('warm-up-ms'),
    connectsPerSec: wholeNumber('connects-per-second', values['connects-per-second'], { least: 0 }),
    sendIntervals: sendIntervals(values['send-interval']),
    formats: names('formats', formatNames),
    servers: names('servers', serverNames),
    isFed: values.fed,
    syscalls: values.syscalls,
  };
}
