import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/http/exchange.ts';

describe('the target of a request', () => {
  it.each([
    ['/', '/', ''],
    ['/a/b.js', '/a/b.js', ''],
    ['/a?b=c&d', '/a', 'b=c&d'],
    ['/a?', '/a', ''],
    ['/a?b?c', '/a', 'b?c'],
    ['/a#b?c', '/a', ''],
    ['/a?b#c', '/a', 'b'],
    ['/%2e%2e/%2f', '/%2e%2e/%2f', ''],
    ['//evil/a', '//evil/a', ''],
    ['http://box:1780/jsonrpc?x', '/jsonrpc', 'x'],
    ['HTTPS://box/', '/', ''],
  ])('%s has the path %s and the query "%s"', (text, path, query) => {
    expect(parseTarget(text)).toEqual({ text, path, query });
  });

  it.each(['', '*', 'a', '?a', 'http://box', 'ftp://box/a', 'box:80', undefined])(
    'is refused when it is %s',
    (text) => {
      expect(() => parseTarget(text)).toThrow(expect.objectContaining({ status: 400 }));
    },
  );
});
