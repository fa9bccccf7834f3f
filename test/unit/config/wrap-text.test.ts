import { describe, expect, it } from 'vitest';
import { wrapText } from '../../../src/config/wrap-text.ts';

describe('wrapped text', () => {
  it('breaks at spaces and never inside of a word', () => {
    const text = wrapText('aa bb cccccccccc d', { width: 7, indent: '# ' });
    expect(text).toBe('# aa bb\n# cccccccccc\n# d');
  });
});
