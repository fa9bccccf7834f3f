// scripts/mutate calls this.
import { readFileSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { keyOf } from './chosen-changes.mjs';

const usage = `usage: scripts/mutate [options] [FOLDER|FILE ...]

Changes the source (all of src but the page, unless something is named) at one place after the other,
runs the tests that touch the place, and lists the changes that no test has noticed. A change that the
unit tests miss is shown to the integration tests, then to those of the program itself; what runs in
the browser only unit tests can be shown. Options:
  --sample N            only N changes, drawn by chance
  --seed N              the same ones again; without it new ones
  --unit                only the unit tests
  --concurrency 1       how many changes at a time
  --minimum P           exit status 1 when less than P % are noticed`;

const definitions = {
  sample: { type: 'string' },
  seed: { type: 'string' },
  unit: { type: 'boolean', default: false },
  concurrency: { type: 'string', default: '1' },
  minimum: { type: 'string', default: '0' },
  help: { type: 'boolean', short: 'h', default: false },
};

/** The tests, from the fast ones to the slow ones; the last ones run a built server. */
const suites = ['unit', 'integration', 'process'];
/** A change that makes a test take longer than this, and half as long again as usual, counts as noticed. */
const timeoutMs = 120_000;
const unnoticed = new Set(['Survived', 'NoCoverage']);
const noticed = new Set(['Killed', 'Timeout', 'RuntimeError']);

async function main() {
  const { values, positionals } = parseArgs({ options: definitions, allowPositionals: true });
  if (values.help) {
    console.log(usage);
    return;
  }
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const sample = values.sample === undefined ? Number.POSITIVE_INFINITY : Number(values.sample);
  const concurrency = Number(values.concurrency);
  let files = positionals.length > 0 ? positionals.map(patternOf) : ['src/**/*.ts', '!src/web/**'];
  let chosenChanges = { sample: Math.min(sample, Number.MAX_SAFE_INTEGER), seed };
  const results = new Map();
  for (const suite of values.unit ? suites.slice(0, 1) : suites) {
    for (const change of await judge(suite, { files, chosenChanges, concurrency })) {
      results.set(keyOf(change), { ...change, suite });
    }
    const left = [...results.values()].filter(({ status }) => unnoticed.has(status));
    if (left.length === 0) break;
    // The next tests take an hour.
    console.log(`\nnot noticed by ${suite} tests:`);
    for (const change of left) console.log(describe(change));
    files = [...new Set(left.map(({ fileName }) => relative(process.cwd(), fileName)))];
    chosenChanges = { keys: left.map(keyOf), seed };
  }
  const share = report([...results.values()], seed);
  if (share < Number(values.minimum)) process.exitCode = 1;
}

function patternOf(path) {
  return statSync(path).isDirectory() ? `${path.replace(/\/$/, '')}/**/*.ts` : path;
}

/** What became of each chosen change. */
async function judge(suite, { files, chosenChanges, concurrency }) {
  process.env.MUTATION_TESTS = suite;
  const isProcess = suite === 'process';
  const stryker = new Stryker({
    mutate: files,
    chosenChanges,
    concurrency,
    checkers: ['chosen-changes'],
    plugins: ['@stryker-mutator/vitest-runner', './test/mutation/chosen-changes.mjs'],
    testRunner: 'vitest',
    vitest: { configFile: 'test/mutation/vitest.config.ts', related: !isProcess },
    // What a program does that a test has started is not seen from the test.
    coverageAnalysis: isProcess ? 'off' : 'perTest',
    buildCommand: 'node test/mutation/build.mjs',
    disableTypeChecks: '{src,test}/**/*.{ts,tsx}',
    ignorePatterns: ['/dist/**/*.js', '/dist/**/*.d.ts', '/build/**/obj.target'],
    reporters: ['progress-append-only'],
    timeoutMS: timeoutMs,
    dryRunTimeoutMinutes: 120,
    tempDirName: '.stryker-tmp',
    cleanTempDir: 'always',
  });
  const changes = await stryker.runMutationTest();
  return changes
    .filter(({ status }) => unnoticed.has(status) || noticed.has(status))
    .map(({ location: { start, end }, ...change }) => ({
      ...change,
      // Reports count lines and columns from 1, checkers from 0.
      location: { start: before(start), end: before(end) },
    }));
}

function before({ line, column }) {
  return { line: line - 1, column: column - 1 };
}

/** Prints the changes that nobody has noticed; returns how many in a hundred were. */
function report(changes, seed) {
  const counts = { unit: 0, integration: 0, process: 0 };
  for (const { status, suite } of changes) if (noticed.has(status)) counts[suite] += 1;
  for (const change of changes) {
    if (unnoticed.has(change.status)) console.log(`\n${describe(change)}`);
    if (change.status === 'Timeout') console.log(`\nin vain awaited: ${describe(change)}`);
  }
  const found = counts.unit + counts.integration + counts.process;
  const share = changes.length === 0 ? 100 : (100 * found) / changes.length;
  console.log(
    `\nseed ${seed}: ${found} of ${changes.length} changes were noticed (${share.toFixed(1)} %): ` +
      `${counts.unit} by unit tests, ${counts.integration} by integration tests, ` +
      `${counts.process} by those of the program`,
  );
  return share;
}

function describe({ fileName, location: { start, end }, mutatorName, replacement, status }) {
  const lines = readFileSync(fileName, 'utf8')
    .split('\n')
    .slice(start.line, end.line + 1);
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column);
  lines[0] = lines[0].slice(start.column);
  const place = `${relative(process.cwd(), fileName)}:${start.line + 1}:${start.column + 1}`;
  const before = lines.join('\n').replace(/\n\s*/g, ' ');
  return `${place} ${mutatorName}, ${status}\n  - ${before}\n  + ${replacement.replace(/\n\s*/g, ' ')}`;
}

await main();
