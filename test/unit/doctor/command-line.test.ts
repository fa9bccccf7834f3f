import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../../src/app/cli.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { usage } from '../../../src/config/usage.ts';

describe('the command line of the doctor', () => {
  it('takes what the server takes', () => {
    const plain = { kind: 'doctor', overrides: [], json: false, isDaemon: false };
    expect(parseCommandLine(['doctor'])).toEqual(plain);
    const argv = ['doctor', '-c', 'a.conf', '--json', '-d', '-z', '--stream.codec=pcm'];
    expect(parseCommandLine(argv)).toEqual({
      kind: 'doctor',
      configFile: 'a.conf',
      json: true,
      isDaemon: true,
      overrides: [
        { section: 'stream', key: 'zerocopy', value: 'true', origin: 'option -z' },
        { section: 'stream', key: 'codec', value: 'pcm', origin: 'option --stream.codec' },
      ],
    });
  });

  it('is told by the help, and tells it', () => {
    expect(usage(false)).toContain('zerocast doctor [--json] [options]');
    expect(parseCommandLine(['doctor', '-hh'])).toEqual({ kind: 'help', all: true });
  });

  it.each([
    [['--jsno'], /unknown option "--jsno" is not understood; the nearest known one is --json/],
    [['--json=yes'], /option --json takes no value/],
    [['everything'], /argument "everything" is not understood/],
    [['-c'], /option "-c" needs a file name/],
    [['-d=often'], /option -d is "=often"; allowed: nothing, or a nice value/],
  ])('must be right: %j', (argv, message) => {
    const parse = () => parseCommandLine(['doctor', ...argv]);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(message);
  });
});
