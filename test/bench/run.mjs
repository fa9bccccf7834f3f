// scripts/bench calls this after it has built the server.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeEnvironment, readEnvironment } from './environment.mjs';
import { runFanOut } from './fan-out.mjs';
import { runHeap } from './heap.mjs';
import { buildNative } from './native-build.mjs';

const full = { rounds: '3', 'window-ms': '10000', 'warm-up-ms': '3000' };
const short = { rounds: '1', 'window-ms': '2000', 'warm-up-ms': '1000' };

const benchmarks = {
  'fan-out': { run: runFanOut, full: '1,100,500,1000', short: '1,100' },
  heap: { run: runHeap, full: '1,100,500', short: '1,100', 'window-ms': '4000' },
};

const usage = `usage: scripts/bench [${Object.keys(benchmarks).join('|')}] [options]

Without a name all of them run. Options:
  --short               one quick round with few clients, to see that everything works
  --clients 1,100       numbers of clients
  --rounds 3            the table shows the median of this many rounds
  --window-ms 10000     measured time of one case
  --warm-up-ms 3000     time between the last client's start and the window
  --connects-per-second 500   0: all at once
  --codec pcm           codec of the stream; the baseline always sends pcm
  --send-interval 0,auto
  --server dist/main.js the server to measure, for example that of another build
  --json FILE           writes every figure of every round
`;

function parse(args) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      short: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      clients: { type: 'string' },
      rounds: { type: 'string' },
      'window-ms': { type: 'string' },
      'warm-up-ms': { type: 'string' },
      'connects-per-second': { type: 'string', default: '500' },
      codec: { type: 'string', default: 'pcm' },
      'send-interval': { type: 'string', default: '0,auto' },
      server: { type: 'string', default: 'dist/main.js' },
      json: { type: 'string' },
    },
  });
}

function wholeNumber(name, text, least) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${name}: "${text}" is not a whole number of at least ${least}`);
}

function optionsFor(name, values) {
  const benchmark = benchmarks[name];
  const defaults = values.short ? short : { ...full, ...benchmark };
  const number = (key) => wholeNumber(key, values[key] ?? defaults[key], 1);
  const clients = values.clients ?? (values.short ? benchmark.short : benchmark.full);
  return {
    clients: clients.split(',').map((text) => wholeNumber('clients', text, 1)),
    rounds: number('rounds'),
    windowMs: number('window-ms'),
    warmUpMs: number('warm-up-ms'),
    connectsPerSec: wholeNumber('connects-per-second', values['connects-per-second'], 0),
    codec: values.codec,
    sendIntervals: values['send-interval'].split(','),
  };
}

async function runAll(names, values, workDir) {
  const environment = readEnvironment();
  const context = {
    ...(await buildNative(workDir)),
    main: resolve(values.server),
    workDir,
    progress: (text) => process.stderr.write(`${text}\n`),
  };
  const results = {};
  for (const name of names) {
    const options = optionsFor(name, values);
    results[name] = await benchmarks[name].run(options, context);
    const { rounds, windowMs, codec } = options;
    console.log(`\n## ${name}\n\n${describeEnvironment(environment)}.`);
    console.log(`Median of ${rounds} interleaved rounds of ${windowMs} ms; ${codec}.\n`);
    console.log(results[name].text);
  }
  if (values.json) {
    await writeFile(values.json, `${JSON.stringify({ environment, results }, null, 2)}\n`);
  }
  return Object.values(results).flatMap(({ failures }) => failures);
}

async function main() {
  const { values, positionals } = parse(process.argv.slice(2));
  if (values.help) {
    console.log(usage);
    return;
  }
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks);
  const unknown = names.find((name) => !Object.hasOwn(benchmarks, name));
  if (unknown !== undefined) throw new Error(`no benchmark "${unknown}"\n\n${usage}`);
  for (const name of names) optionsFor(name, values);
  if (!existsSync(values.server)) throw new Error(`no server at ${values.server}: build it first`);
  const workDir = await mkdtemp(join(tmpdir(), 'zerocast-bench-'));
  try {
    const failures = await runAll(names, values, workDir);
    for (const failure of failures) console.error(`failed: ${failure}`);
    if (failures.length > 0) process.exitCode = 1;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
