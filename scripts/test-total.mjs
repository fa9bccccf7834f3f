// Adds up the results of all test runs in a folder, prints the total as the last line, and exits
// with 1 when something failed. Tests that passed only when they were tried again are named, and
// more than one such attempt in all counts as a failure: a fault in every second run would pass.
//
//   node scripts/test-total.mjs FOLDER
//
// The folder holds reports of vitest (NAME.json), TAP (NAME.tap), and a list of the vitest runs
// that ended with an error (broken-runs).

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
/** Of tests that passed in the end: one for each attempt that failed before. */
const retries = [];
const maxRetries = 1;

for (const file of readdirSync(folder).sort()) {
  if (file.endsWith('.json')) addVitest(JSON.parse(readFileSync(join(folder, file), 'utf8')));
  if (file.endsWith('.tap')) addTap(readFileSync(join(folder, file), 'utf8'));
}
addBrokenRuns();
if (retries.length > maxRetries) fail(`${retries.length} attempts failed of tests that passed`);

for (const retry of retries) console.log(`tried again: ${retry}`);
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

function addVitest(report) {
  for (const { name, status, message, assertionResults } of report.testResults) {
    for (const test of assertionResults) {
      if (test.status === 'passed') addPassed(test, name);
      else if (test.status === 'failed') fail(`${test.fullName} (${name})`);
      else total.skipped += 1;
    }
    // A file that cannot be loaded, or whose hooks fail, has no failed test to show for it.
    const shown = assertionResults.some((test) => test.status === 'failed');
    if (status === 'failed' && !shown) fail(`${name}: ${message.split('\n')[0]}`);
  }
}

function addPassed({ fullName, failureMessages }, file) {
  total.passed += 1;
  for (const message of failureMessages) {
    retries.push(`${fullName} (${file}): ${message.split('\n')[0]}`);
  }
}

function addTap(text) {
  for (const line of text.split('\n')) {
    if (line.startsWith('not ok')) fail(line.replace(/^not ok[ \d-]*/, ''));
    else if (/^ok.*# skip/i.test(line)) total.skipped += 1;
    else if (line.startsWith('ok')) total.passed += 1;
  }
}

/** Catches what no report shows: a crash of the runner, an error outside of every test. */
function addBrokenRuns() {
  const file = join(folder, 'broken-runs');
  if (!existsSync(file) || total.failed > 0) return;
  for (const run of readFileSync(file, 'utf8').trim().split('\n'))
    fail(`${run} ended with an error`);
}

function fail(what) {
  total.failed += 1;
  failures.push(what);
}
