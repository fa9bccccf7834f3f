// scripts/bench calls this after it has built the server.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeEnvironment, readEnvironment } from './environment.ts';
import { buildNative } from './native-build.ts';
import { type BenchValues, benchmarks, optionsFor, parse, usage } from './options.ts';
import type { BenchContext, BenchReport } from './run-cases.ts';

/** Keeps this process and what it starts off a core; returns what puts a command on it. */
function reserveCore(core: string | undefined): readonly string[] {
  if (core === undefined) return [];
  const others = cpus()
    .map((_, index) => index)
    .filter((index) => String(index) !== core);
  execFileSync('taskset', ['-acp', others.join(), String(process.pid)]);
  return ['taskset', '-c', core];
}

async function runAll(names: readonly string[], values: BenchValues, workDir: string) {
  const environment = readEnvironment();
  const context: BenchContext = {
    ...(await buildNative(workDir)),
    main: resolve(values.server),
    snapserver: values.snapserver,
    core: reserveCore(values.core),
    workDir,
    progress: (text) => void process.stderr.write(`${text}\n`),
  };
  const results: Record<string, BenchReport> = {};
  for (const name of names) {
    const options = optionsFor(name, values);
    const report = await benchmarks[name]!.run(options, context);
    results[name] = report;
    const { rounds, windowMs } = options;
    const usual = `Median of ${rounds} interleaved rounds of ${windowMs} ms.`;
    const { text, path, method = usual } = report;
    console.log(`\n## ${name}\n\n${describeEnvironment(environment, path)}.`);
    console.log(`${method}\n\n${text}`);
  }
  if (values.json) {
    await writeFile(values.json, `${JSON.stringify({ environment, results }, null, 2)}\n`);
  }
  return Object.values(results).flatMap(({ failures }) => failures);
}

async function main(): Promise<void> {
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
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
