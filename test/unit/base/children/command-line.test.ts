import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quoteWord, splitCommandLine } from '../../../../src/base/children/command-line.ts';

it('reads a quoted word back as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
      expect(splitCommandLine(words.map(quoteWord).join(' '))).toEqual(words);
    }),
  );
});
