import { describe, expect, it } from 'vitest';
import { entriesOf, isHls, listKindOf } from '../../../../../src/audio/sources/radio/playlist.ts';

describe('a list of stations', () => {
  it.each([
    ['audio/x-scpls', '/x', 'pls'],
    ['audio/mpegurl; charset=utf-8', '/x', 'm3u'],
    ['application/vnd.apple.mpegurl', '/x', 'm3u'],
    ['video/x-ms-asx', '/x', 'asx'],
    ['application/xspf+xml', '/x', 'xspf'],
    ['text/plain', '/listen.pls', 'pls'],
    ['', '/a/b.M3U', 'm3u'],
    ['text/html', '/x.m3u8', 'm3u'],
    ['video/x-ms-asf', '/x.asx', 'asx'],
    ['audio/mpeg', '/x.pls', undefined],
    ['video/x-ms-asf', '/x', undefined],
    ['text/plain', '/x', undefined],
  ])('is known by %j and %j as %s', (type, path, kind) => {
    expect(listKindOf(type, path)).toBe(kind);
  });

  it.each<[Parameters<typeof entriesOf>[1], string, readonly string[]]>([
    [
      'pls',
      '[playlist]\r\nNumberOfEntries=2\r\nFile1=http://a/1\r\nTitle1=File2=x\r\n file2 = http://b/2 \r\n',
      ['http://a/1', 'http://b/2'],
    ],
    ['m3u', '\ufeff#EXTM3U\n#EXTINF:-1,A\nhttp://a/1\n\n  b/2\r\n', ['http://a/1', 'b/2']],
    [
      'asx',
      '<ASX version="3"><Entry><Ref HREF="http://a/1?x=1&amp;y=2"/></Entry><entry><ref href = \'b\' /></entry></ASX>',
      ['http://a/1?x=1&y=2', 'b'],
    ],
    [
      'xspf',
      '<trackList><track><location>\n http://a/1?x&amp;y </location></track></trackList>',
      ['http://a/1?x&y'],
    ],
    ['m3u', '#EXTM3U\n', []],
    ['pls', '<html>', []],
  ])('of the kind %s names its entries', (kind, text, entries) => {
    expect(entriesOf(text, kind)).toEqual(entries);
  });

  it('is read to its tenth entry', () => {
    expect(entriesOf('http://a\n'.repeat(5000), 'm3u').length).toBe(10);
  });

  it('is none of stations when its entries are pieces of one', () => {
    expect(isHls('#EXTM3U\n#EXT-X-TARGETDURATION:4\n')).toBe(true);
    expect(isHls('#EXTM3U\n#EXTINF:4,\nhttp://a/#EXT-X-')).toBe(false);
  });
});
