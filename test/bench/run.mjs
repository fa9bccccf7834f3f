// scripts/bench calls this after it has built the server.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeEnvironment, readEnvironment } from './environment.mjs';
import { buildNative } from './native-build.mjs';
import { benchmarks, optionsFor, parse, usage } from './options.mjs';

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
    const { rounds, windowMs } = options;
    const usual = `Median of ${rounds} interleaved rounds of ${windowMs} ms.`;
    const { text, path, method = usual } = results[name];
    console.log(`\n## ${name}\n\n${describeEnvironment(environment, path)}.`);
    console.log(`${method}\n\n${text}`);
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
