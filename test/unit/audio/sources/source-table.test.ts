import { describe, expect, it } from 'vitest';
import { splitCommandLine } from '../../../../src/base/children/command-line.ts';
import { LineSplitter, maxLineLength } from '../../../../src/base/children/line-splitter.ts';
import { SourceError } from '../../../../src/base/errors.ts';
import { SourceHarness } from '../../../support/source-harness.ts';

describe('the table of sources', () => {
  it.each(['exotic', 'constructor', '__proto__'])('names the known schemes for %s', (scheme) => {
    const address = `${scheme.replaceAll('_', 'x')}:///x?name=n`;
    expect(() => new SourceHarness(address)).toThrow(SourceError);
    expect(() => new SourceHarness(address)).toThrow(
      /write one of (?=.*\bairplay\b).*clip, .*file, .*pipe, .*process, .*tcp, .*tone/,
    );
  });

  it.each(['pipe', 'file', 'process', 'clip'])('wants a path for %s', (scheme) => {
    expect(() => new SourceHarness(`${scheme}://?name=n`)).toThrow(`write three slashes`);
    expect(() => new SourceHarness(`${scheme}:///?name=n`)).toThrow(
      `for example ${scheme}:///path`,
    );
  });

  it('takes a host in a local address for a slip of the pen and says so', () => {
    const { records } = new SourceHarness('pipe://tmp/snapfifo');
    expect(records).toMatchObject([{ level: 'warn', fields: { host: 'tmp', path: '/snapfifo' } }]);
    expect(new SourceHarness('pipe://localhost/tmp/snapfifo').records).toEqual([]);
  });

  it('passes on that 24-bit samples arrive packed', () => {
    const packedOf = (address: string) => new SourceHarness(address).source.packed24;
    expect(packedOf('tcp://h?packed_s24le=true&sampleformat=48000:24:2')).toBe(true);
    expect(packedOf('pipe:///x?packed_s24le=1&sampleformat=48000:24:2')).toBe(true);
    expect(packedOf('tcp://h?packed_s24le=false&sampleformat=48000:24:2')).toBe(false);
    expect(packedOf('tcp://h?sampleformat=48000:24:2')).toBe(false);
  });
});

describe('a command line', () => {
  it.each([
    ['', []],
    ['   ', []],
    ['-a  -b\t-c ', ['-a', '-b', '-c']],
    ['--name "Living Room" x', ['--name', 'Living Room', 'x']],
    ['--name="Living Room"', ['--name=Living Room']],
    ['"" x', ['', 'x']],
    ['"say \\"hi\\" \\\\ \\n"', ['say "hi" \\ \\n']],
    ['\'single "quoted" \\ word\' x', ['single "quoted" \\ word', 'x']],
    ["--name=Tom's 5'", ["--name=Tom's", "5'"]],
    ['$HOME `id` ; | * \\', ['$HOME', '`id`', ';', '|', '*', '\\']],
  ])('is split without a shell: %s', (text, words) => {
    expect(splitCommandLine(text)).toEqual(words);
  });

  it.each(['"open', "'open", 'a "b" c"'])('with an open quote is refused: %s', (text) => {
    expect(() => splitCommandLine(text)).toThrow(SourceError);
    expect(() => splitCommandLine(text)).toThrow('is not closed');
  });
});

describe('a line splitter', () => {
  function linesOf(...pieces: readonly Buffer[]): string[] {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    for (const piece of pieces) splitter.write(piece);
    return lines;
  }

  it('finds the same lines however the text is cut', () => {
    const text = Buffer.from('first\nzweite Zeile äöü\r\n\n\nthird\rrest');
    for (let at = 0; at <= text.length; at += 1) {
      expect(linesOf(text.subarray(0, at), text.subarray(at))).toEqual([
        'first',
        'zweite Zeile äöü',
        'third',
      ]);
    }
  });

  it('hands out endless lines in pieces', () => {
    const endless = Buffer.alloc(700, 'x');
    const lines = linesOf(...Array.from({ length: 10 }, () => endless));
    expect(lines).toEqual(Array.from({ length: 7 }, () => 'x'.repeat(maxLineLength)));
    expect(linesOf(Buffer.from(`${'y'.repeat(2500)}\n`)).map((line) => line.length)).toEqual([
      1000, 1000, 500,
    ]);
  });
});
