import { describe, expect, it } from 'vitest';
import { differencesBetween } from '../../../src/config/difference.ts';
import { loadText } from '../../support/config-text.ts';

function told(before: string, after: string): string[] {
  return differencesBetween(loadText(before).config, loadText(after).config).map(
    ({ row, before: old, after: now }) => `${row.section}.${row.key}: ${old} -> ${now}`,
  );
}

describe('the differences between two configurations', () => {
  it('are told in the order of the table, as they stand in the file', () => {
    const before =
      '[stream]\nbuffer = 500\n[http]\nallowed_origin = http://a\nallowed_origin = http://b';
    const after = '[http]\nallowed_origin = http://c\n[stream]\nbuffer = 600';
    expect(told(before, after).toSorted()).toEqual([
      'http.allowed_origin: http://a, http://b -> http://c',
      'stream.buffer: 500 -> 600',
    ]);
  });

  it('are none between equal ones', () => {
    expect(told('[stream]\nbuffer = 500', '[stream]\nbuffer = 500')).toEqual([]);
  });

  it('show no secrets', () => {
    const secret = (word: string) => `[authorization]\ntoken_secret = ${word.repeat(40)}`;
    expect(told(secret('a'), secret('b'))).toEqual([
      'authorization.token_secret: (not shown) -> (not shown)',
    ]);
  });

  it('are cut when they are long', () => {
    const [line = ''] = told('', `[http]\ndoc_root = /${'x'.repeat(400)}`);
    expect(line).toMatch(/^http.doc_root: {2}-> \/x+\.\.\.$/);
    expect(line.length).toBeLessThan(230);
  });
});
