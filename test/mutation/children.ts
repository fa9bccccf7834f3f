import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, inject, type TestContext } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    readonly mode: 'dry-run' | 'mutant';
    readonly activeMutant: string;
  }
}

/** Names of tests that fail without any change, for example because instrumented code is slower. */
const listFile = 'tests-left-out';

function idOf({ task }: TestContext): string {
  return `${task.file.name} ${task.fullTestName}`;
}

if (inject('mode') === 'mutant') {
  // Programs that a test starts have the change as well. Source: the head of instrumented files.
  process.env.__STRYKER_ACTIVE_MUTANT__ = inject('activeMutant');
  const leftOut = new Set(existsSync(listFile) ? readFileSync(listFile, 'utf8').split('\n') : []);
  beforeEach((context) => {
    if (leftOut.has(idOf(context))) context.skip();
  });
} else {
  afterEach((context) => {
    const { result } = context.task;
    if (result?.state !== 'fail') return;
    appendFileSync(listFile, `${idOf(context)}\n`);
    console.error(`left out, as it fails without any change: ${idOf(context)}`);
    result.state = 'pass';
  });
}
