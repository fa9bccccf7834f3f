import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatStreamUri,
  maxStreamUriLength,
  parseStreamUri,
  shownAddress,
} from '../../../src/audio/stream-uri.ts';
import { SourceError } from '../../../src/base/errors.ts';

describe('a stream address', () => {
  it('is taken apart into all of its parts', () => {
    expect(parseStreamUri('tcp://host:4953/some/path?name=Kitchen&codec=pcm#part')).toEqual({
      scheme: 'tcp',
      host: 'host:4953',
      hostname: 'host',
      port: 4953,
      path: '/some/path',
      fragment: 'part',
      query: { name: 'Kitchen', codec: 'pcm' },
    });
  });

  it('may lack everything but scheme and slashes', () => {
    expect(parseStreamUri('tone://')).toEqual({
      scheme: 'tone',
      host: '',
      hostname: '',
      port: undefined,
      path: '',
      fragment: '',
      query: {},
    });
  });

  it('may have its query right behind the host, as PipeWire writes it', () => {
    const uri = parseStreamUri(
      'tcp://192.168.1.5:40123?name=desk&mode=client&sampleformat=48000:16:2&codec=pcm&chunk_ms=20',
    );
    expect(uri).toMatchObject({ host: '192.168.1.5:40123', port: 40_123, path: '' });
    expect(uri.query).toEqual({
      name: 'desk',
      mode: 'client',
      sampleformat: '48000:16:2',
      codec: 'pcm',
      chunk_ms: '20',
    });
  });

  it('may hold raw blanks and parentheses, as Music Assistant writes it', () => {
    const uri = parseStreamUri(
      'tcp://0.0.0.0:4967?sampleformat=48000:16:2&idle_threshold=60000&controlscript=control.py' +
        '&controlscriptparams=--queueid=ab%20--socket=/tmp/ma.sock' +
        '&name=Music Assistant - ab (announcement)',
    );
    expect(uri.host).toBe('0.0.0.0:4967');
    expect(uri.path).toBe('');
    expect(uri.query.name).toBe('Music Assistant - ab (announcement)');
    expect(uri.query.controlscriptparams).toBe('--queueid=ab --socket=/tmp/ma.sock');
  });

  it('loses blanks and quotes around it', () => {
    expect(parseStreamUri(` "pipe:///tmp/fifo?name=x" \n`).query.name).toBe('x');
    expect(parseStreamUri(`'pipe:///tmp/fifo?name=x y '`).query.name).toBe('x y');
    expect(parseStreamUri('"pipe:///tmp/fifo "').path).toBe('/tmp/fifo');
  });

  it.each([
    ['process:///bin/sh?name=x&params=-c "cat /dev/zero"', 'params', '-c "cat /dev/zero"'],
    [
      'process:///bin/sh?name=x&params=-c "cat /dev/zero"&chunk_ms=20',
      'params',
      '-c "cat /dev/zero"',
    ],
    [`process:///bin/sh?params=-c 'cat "a b"'`, 'params', `-c 'cat "a b"'`],
    ['"process:///bin/sh?params=-c "cat /dev/zero""', 'params', '-c "cat /dev/zero'],
    ['pipe:///x?name="Quoted Name"', 'name', '"Quoted Name"'],
    ['pipe:///x?name=left over"', 'name', 'left over'],
    [`"pipe:///x?name=Tom's"`, 'name', "Tom's"],
  ])('keeps the quotes of its last value: %s', (address, key, value) => {
    expect(parseStreamUri(address).query[key]).toBe(value);
  });

  it('may hold an @ in path, query and fragment', () => {
    const uri = parseStreamUri('librespot:///bin/l@b?name=a@b&password=p@ss/w?rd#f@g');
    expect(uri).toMatchObject({ host: '', path: '/bin/l@b', fragment: 'f@g' });
    expect(uri.query).toEqual({ name: 'a@b', password: 'p@ss/w?rd' });
  });

  it('keeps user and password out of the host', () => {
    expect(parseStreamUri('tcp://user:p@ss@host:1/x')).toMatchObject({
      host: 'host:1',
      hostname: 'host',
      port: 1,
    });
  });

  it.each([
    'tcp://me:hunter2@ho st:4953?name=X',
    'tcp://me:hun/ter2@host:4953?name=X',
    'tcp://me:hunter2?@host?name=X',
    'tcp:me:hunter2@host?name=X',
    'tcp://me:hunter2@host:99999?name=X',
    'me:hunter2@host',
    `tcp://me:hunter2${'x'.repeat(9000)}@host?name=X`,
    'tcp:/host?password=hunter2&name=X',
    'tcp:/host?pass%77ord=hunter2&name=X',
    'tcp:/host?password=my hunter2&name=X',
    'tcp:/host?api-key=hunter2',
    'tcp:/host?params=--token hunter2',
    'tcp:/host?controlscriptparams=--x%20--auth-token%3Dhunter2%20--y',
    'tcp:/host?controlscriptparams=--url=http://me:hunter2@host/',
    'tcp:/host?x=1#access_token=hunter2',
  ])('that cannot be used is shown without its secrets: %s', (address) => {
    let text = '';
    try {
      parseStreamUri(address);
    } catch (error) {
      text = String(error);
    }
    expect(text).toContain('cannot be used');
    for (const piece of ['hun', 'ter2']) expect(text).not.toContain(piece);
  });

  it('is shown as it is where there is nothing to hide', () => {
    for (const address of ['pipe:///x', 'pipe:///x?name=a&codec=pcm']) {
      expect(shownAddress(address)).toBe(address);
    }
  });

  it('is shown without user and password where it is refused', () => {
    const refused = () => parseStreamUri('tcp://me:secret@host:port/a@b?name=c');
    expect(refused).toThrow('"tcp://***@host:port/a@b?name=c" cannot be used');
  });

  it('may name an IPv6 host in brackets', () => {
    const expected = { host: '[fd00::1]:4953', hostname: 'fd00::1', port: 4953 };
    expect(parseStreamUri('tcp://[fd00::1]:4953?name=x')).toMatchObject(expected);
    expect(parseStreamUri('tcp://[::1]/')).toMatchObject({ hostname: '::1', port: undefined });
    expect(parseStreamUri('tcp://[fe80::1%25eth0]')).toMatchObject({ hostname: 'fe80::1%eth0' });
  });

  it('is percent-decoded, but a plus is no blank and a lone percent sign stays', () => {
    const uri = parseStreamUri(
      'pipe:///tmp/%C3%A4%20b?name=a+b%26c&level=100%&half=%4&%6bey=v#%23',
    );
    expect(uri.path).toBe('/tmp/ä b');
    expect(uri.fragment).toBe('#');
    expect(uri.query).toEqual({ name: 'a+b&c', level: '100%', half: '%4', key: 'v' });
  });

  it('drops pairs without =, splits at the first =, trims, and lets the last duplicate win', () => {
    expect(parseStreamUri('pipe:///x?a=1&junk&b= 2 &=no&c=x=y&a=3&&d=').query).toEqual({
      a: '3',
      b: '2',
      c: 'x=y',
      d: '',
    });
  });

  it('treats __proto__ as a parameter like any other', () => {
    const { query } = parseStreamUri('pipe:///x?__proto__=1&constructor=2');
    expect(Object.entries(query)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
    expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
  });

  it.each([
    ['/tmp/snapfifo', 'names no scheme'],
    ['', 'names no scheme'],
    ['://x', 'names no scheme'],
    ['1pipe:///x', 'names no scheme'],
    ['pipe:/tmp/fifo', "missing host separator: '//'"],
    ['pipe:', "missing host separator: '//'"],
    ['tcp://host:65536', 'port 65536 is above 65535'],
    ['tcp://host:99999999999999999999', 'is above 65535'],
    ['tcp://host:x', '"host:x" is no host'],
    ['tcp://::1', 'in brackets'],
    ['tcp://[::1', '"[::1" is no host'],
    ['tcp://[::1]x', 'is no host'],
    ['tcp://[nonsense]:1', '"nonsense" in brackets is no IPv6 address'],
    ['tcp://a b', 'holds a character'],
    ['tcp://a%00b', 'holds a character'],
    ['pipe:///tmp/a%00b', 'NUL'],
    ['pipe:///tmp/a?name=%00', 'NUL'],
    [`pipe:///${'x'.repeat(maxStreamUriLength)}`, 'longer than 8192'],
  ])('is refused with a reason: %s', (text, reason) => {
    expect(() => parseStreamUri(text)).toThrow(SourceError);
    expect(() => parseStreamUri(text)).toThrow(reason);
  });

  it('never makes the parser throw anything but a SourceError', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom('pipe', 'tcp', ':', '//', '/', '?', '&', '=', '#', '@', '%', '%00', '%e4'),
        fc.constantFrom('[', ']', "'", '"', ' ', '::1', '\ud800', '\udc00', '+', '%41', '\0'),
        fc.string({ unit: 'binary', maxLength: 5 }),
      ),
    );
    let refused = 0;
    fc.assert(
      fc.property(pieces, (parts) => {
        try {
          parseStreamUri(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(SourceError);
          refused += 1;
        }
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(0);
  });
});

describe('a formatted stream address', () => {
  it('has sorted keys and percent-encoding, as upstream writes it', () => {
    const uri = parseStreamUri(
      'pipe:///tmp/snapfifo?name=F&sampleformat=48000:16:2&codec=flac&chunk_ms=20',
    );
    expect(formatStreamUri(uri)).toBe(
      'pipe:///tmp/snapfifo?chunk_ms=20&codec=flac&name=F&sampleformat=48000%3A16%3A2',
    );
  });

  it('is parsed to the same parts again', () => {
    const word = fc
      .string({ unit: 'grapheme', maxLength: 8 })
      .filter((text) => !text.includes('\0'));
    const key = word.map((text) => text.trim()).filter((text) => text !== '');
    const uris = fc.record({
      scheme: fc.constantFrom('pipe', 'tcp', 'a+b'),
      host: fc.constantFrom('', 'host', 'host:1', '[::1]:4953'),
      path: word.map((text) => (text === '' ? '' : `/${text}`)),
      fragment: word,
      query: fc.dictionary(
        key,
        word.map((text) => text.trim()),
      ),
    });
    fc.assert(
      fc.property(uris, (uri) => {
        const again = parseStreamUri(formatStreamUri(uri));
        expect(again).toMatchObject({ ...uri, query: {} });
        expect(Object.entries(again.query).sort()).toEqual(Object.entries(uri.query).sort());
      }),
    );
  });
});
