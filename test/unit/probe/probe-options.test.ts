import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { parseProbeOptions, probeUsage } from '../../../src/probe/probe-options.ts';

describe('the address', () => {
  it.each([
    [[], { host: '127.0.0.1', port: 1704 }],
    [['music.local'], { host: 'music.local', port: 1704 }],
    [['music.local:1234'], { host: 'music.local', port: 1234 }],
    [['10.0.0.7:65535'], { host: '10.0.0.7', port: 65_535 }],
    [['fe80::1'], { host: 'fe80::1', port: 1704 }],
    [['::1'], { host: '::1', port: 1704 }],
    [['[::1]'], { host: '::1', port: 1704 }],
    [['[fe80::1%eth0]:99'], { host: 'fe80::1%eth0', port: 99 }],
  ])('%j is understood', (args, expected) => {
    expect(parseProbeOptions(args)).toMatchObject(expected);
  });

  it.each([
    '',
    ':1704',
    'host:',
    'host:abc',
    'host:0',
    'host:65536',
    'a:b:c',
    '[]',
    '[::1',
    'x]:1',
  ])('"%s" is refused', (address) => {
    expect(() => parseProbeOptions([address])).toThrow(`"${address}" is no host[:port]`);
  });

  it('is one', () => {
    expect(() => parseProbeOptions(['one', 'two'])).toThrow('not "two"');
  });
});

describe('the options', () => {
  it('have defaults that listen until interrupted, in words', () => {
    const options = parseProbeOptions([]);
    expect(options).toMatchObject({ seconds: undefined, json: false, wavFile: undefined });
    expect(options).toMatchObject({ isVisitor: true, controlPort: 1705 });
    expect(options.id).toMatch(/^zerocast-probe-[0-9a-f]{12}$/);
    expect(parseProbeOptions([]).id).toBe(options.id);
  });

  it('may come in any order and in both spellings', () => {
    const args = ['--json', '--wav=x.wav', 'host:1', '--seconds', '2.5', '--id', 'me'];
    expect(parseProbeOptions(args)).toEqual({
      host: 'host',
      port: 1,
      seconds: 2.5,
      json: true,
      wavFile: 'x.wav',
      id: 'me',
      isVisitor: false,
      controlPort: 2,
    });
  });

  it.each(['0', '-1', 'abc', '', 'Infinity', 'NaN', '604801'])(
    '--seconds=%s is refused',
    (text) => {
      expect(() => parseProbeOptions([`--seconds=${text}`])).toThrow('must be a number above 0');
    },
  );

  it.each([['--wav'], ['--unknown'], ['--json=yes'], ['-x']])(
    '%s is refused with the usage',
    (option) => {
      expect(() => parseProbeOptions([option])).toThrow(ConfigError);
      expect(() => parseProbeOptions([option])).toThrow(probeUsage);
    },
  );
});
