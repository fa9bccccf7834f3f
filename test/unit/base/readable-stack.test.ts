import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { readableStack } from '../../../src/base/readable-stack.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

/** An error thrown by a file whose source map names one source. */
function thrownBy(source: string): Error {
  const folder = makeScratchFolder();
  onTestFinished(() => removeScratchFolder(folder));
  const file = join(folder, 'program of others.js');
  const map = { version: 3, sources: [source], names: [], mappings: 'AAAA' };
  writeFileSync(`${file}.map`, JSON.stringify(map));
  const error = new Error('broken');
  error.stack = `Error: broken\n    at main (${pathToFileURL(file)}:1:1)`;
  return error;
}

it('names the place in the source', () => {
  expect(readableStack(thrownBy('first.ts'))).toMatch(/at main \(\S*first\.ts:1:1\)$/);
});

it.each([
  'webpack://app/first.ts',
  'data:,first',
  'file://elsewhere/first.ts',
  'http://[/first.ts',
])('leaves a place alone whose source is no file here: %s', (source) => {
  const error = thrownBy(source);
  expect(readableStack(error)).toBe(error.stack);
});
