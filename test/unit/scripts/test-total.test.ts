import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = makeScratchFolder();
});
afterEach(() => removeScratchFolder(folder));

/** The total of what lies in `results`: the exit status, and the lines printed. */
function total(): { readonly status: number | null; readonly lines: readonly string[] } {
  const script = join(root, 'scripts', 'test-total.mjs');
  const { status, stdout } = spawnSync(process.execPath, [script, join(folder, 'results')], {
    encoding: 'utf8',
  });
  return { status, lines: stdout.trimEnd().split('\n') };
}

/** Runs tests of which each fails as often as its number says, and may be tried again twice. */
function runTests(failures: readonly number[]): void {
  const tests = failures.map(
    (count, index) =>
      `let left${index} = ${count};
       it('number ${index}', { retry: 2 }, () => { if (left${index}-- > 0) throw new Error('not yet'); });`,
  );
  mkdirSync(join(folder, 'results'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'a.test.mjs'), `import { it } from 'vitest';\n${tests.join('\n')}`);
  spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--root',
      folder,
      '--reporter=json',
      `--outputFile.json=${join(folder, 'results/a.json')}`,
    ],
    { encoding: 'utf8' },
  );
}

describe('the total of all tests', () => {
  it('names the one test that passed when it was tried again', () => {
    runTests([0, 1, 0]);
    const { status, lines } = total();
    expect(status).toBe(0);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^tried again: number 1 \(.*a\.test\.mjs\): Error: not yet$/);
    expect(lines[1]).toBe('3 passed, 0 failed, 0 skipped');
  });

  it.each([[[1, 1]], [[2, 0]]])(
    'is a failure when more than one attempt failed: %j',
    (failures) => {
      runTests(failures);
      const { status, lines } = total();
      expect(status).toBe(1);
      expect(lines.filter((line) => line.startsWith('tried again: '))).toHaveLength(2);
      expect(lines.slice(2)).toEqual([
        'failed: 2 attempts failed of tests that passed',
        '2 passed, 1 failed, 0 skipped',
      ]);
    },
  );

  it('says nothing of attempts of a test that failed in the end', () => {
    runTests([3, 0]);
    const { status, lines } = total();
    expect(status).toBe(1);
    expect(lines[0]).toMatch(/^failed: number 0 /);
    expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
  });

  it('counts TAP, and runs that ended before they could report', () => {
    mkdirSync(join(folder, 'results'));
    writeFileSync(join(folder, 'results/native.tap'), 'ok 1 - a\nok 2 - b # skip none\n1..2\n');
    expect(total()).toEqual({ status: 0, lines: ['1 passed, 0 failed, 1 skipped'] });
    writeFileSync(join(folder, 'results/broken-runs'), 'unit tests\n');
    expect(total()).toEqual({
      status: 1,
      lines: ['failed: unit tests ended with an error', '1 passed, 1 failed, 1 skipped'],
    });
  });
});
