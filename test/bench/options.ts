import { parseArgs } from 'node:util';
import { runBreakEven } from './break-even.ts';
import { runControl } from './control.ts';
import { runFanOut } from './fan-out.ts';
import { serverNames } from './fan-out-servers.ts';
import { formats } from './formats.ts';
import { runHeap } from './heap.ts';
import { runPool } from './pool.ts';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';

const full = { clients: '1000', rounds: '3', 'window-ms': '10000', 'warm-up-ms': '3000' };
const short = { clients: '100', rounds: '1', 'window-ms': '2000', 'warm-up-ms': '1000' };

type Defaults = typeof full;

interface Benchmark {
  readonly full: Partial<Defaults>;
  readonly short: Partial<Defaults>;
  run(options: BenchOptions, context: BenchContext): Promise<BenchReport>;
}

export type BenchValues = ReturnType<typeof parse>['values'];

/** What can be measured, with the defaults that differ from the common ones. */
export const benchmarks: Readonly<Record<string, Benchmark>> = {
  'fan-out': { run: runFanOut, full: {}, short: {} },
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
  pool: {
    run: runPool,
    full: { 'window-ms': '1500', 'warm-up-ms': '500' },
    short: { 'window-ms': '200', 'warm-up-ms': '100' },
  },
};

const formatNames = Object.keys(formats);
const defaultServers = 'c,native,zerocopy,node,naive';

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
  --json FILE           writes every figure of every round
For fan-out:
  --formats pcm48       of ${formatNames.map((name) => `${name} (${formats[name]?.sampleFormat})`).join(', ')}
  --servers ${defaultServers}
                        of ${serverNames.join(', ')}:
                        the loop in C, Zerocast's default, zero-copy for every send, zero-copy
                        where it pays, Zerocast without the addon, one socket.write per client
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
      short: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      clients: { type: 'string' },
      rounds: { type: 'string' },
      'window-ms': { type: 'string' },
      'warm-up-ms': { type: 'string' },
      'connects-per-second': { type: 'string', default: '500' },
      'send-interval': { type: 'string', default: '0,auto' },
      formats: { type: 'string', default: 'pcm48' },
      servers: { type: 'string', default: defaultServers },
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
  const number = (key: Exclude<keyof Defaults, 'clients'>) =>
    wholeNumber(key, values[key] ?? defaults[key], { least: 1 });
  const clients = (values.clients ?? defaults.clients).split(',');
  return {
    clients: clients.map((text) => wholeNumber('clients', text, { least: 1 })),
    rounds: number('rounds'),
    windowMs: number('window-ms'),
    warmUpMs: number('warm-up-ms'),
    connectsPerSec: wholeNumber('connects-per-second', values['connects-per-second'], { least: 0 }),
    sendIntervals: sendIntervals(values['send-interval']),
    formats: someOf('formats', values.formats, formatNames),
    servers: someOf('servers', values.servers, serverNames),
    syscalls: values.syscalls,
  };
}
