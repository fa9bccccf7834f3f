import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIniText } from '../../../src/config/ini-text.ts';
import { Report } from '../../../src/config/report.ts';

function read(text: string) {
  const report = new Report();
  const assignments = readIniText(text, 'x', report);
  report.throwIfFaulty();
  return { assignments, warnings: report.warnings };
}

function onlyValue(text: string): string | undefined {
  return read(`[stream]\nsource = ${text}\n`).assignments[0]?.value;
}

describe('the ini reader', () => {
  it('keeps the order, the lines and every repetition', () => {
    const text =
      '\uFEFF[a]\r\nx=1\r\n\r\n; no\r\n# no\r\n  [ b ] \r\ny = 2\rx=3\nx[] = 4\n[a]\nx = 5';
    expect(read(text).assignments).toEqual([
      { section: 'a', key: 'x', value: '1', origin: 'x, line 2' },
      { section: 'b', key: 'y', value: '2', origin: 'x, line 7' },
      { section: 'b', key: 'x', value: '3', origin: 'x, line 8' },
      { section: 'b', key: 'x', value: '4', origin: 'x, line 9' },
      { section: 'a', key: 'x', value: '5', origin: 'x, line 11' },
    ]);
  });

  it.each([
    'spotify:///librespot?password=a#b;c',
    'process:///sh?params=-c%20"echo;x"',
    'a = b = c',
    '[x]',
    'true',
    'false',
    'null',
    '007',
    '{"a":1}',
    "'single'",
    "'123'",
    '"',
    '"a" and "b"',
    'C:\\new\\',
    '\\; \\#',
    'a\u2028b\u2029c',
    '=',
    '#',
    ';',
    'x # y',
    'Küche 🎵',
  ])('takes %j literally', (text) => {
    expect(onlyValue(text)).toBe(text);
  });

  it.each([
    ['"/path with spaces"', '/path with spaces'],
    ['"  kept  "', '  kept  '],
    ['"C:\\new"', 'C:\\new'],
    ['"say \\"hi\\" \\\\"', 'say "hi" \\'],
    ['"a#b;c"', 'a#b;c'],
    ['""', ''],
    ['', ''],
  ])('takes the quotes off %j', (text, value) => {
    expect(onlyValue(text)).toBe(value);
  });

  it.each(['__proto__', 'constructor', 'a.b', 'a\\.b', 'a#b', 'x;y', '1:2', '"q"', ''])(
    'keeps %j as a name',
    (name) => {
      const { assignments } = read(`[${name}]\n${name} = 1`);
      expect(assignments).toEqual([{ section: name, key: name, value: '1', origin: 'x, line 2' }]);
    },
  );

  it('warns of lines that say nothing', () => {
    const { assignments, warnings } = read('[a]\nlonely\nx = 1');
    expect(assignments).toHaveLength(1);
    expect(warnings).toEqual([
      'x, line 2: this line is ignored: it is no [section], key = value or # comment',
    ]);
  });

  it.each(['[stream', '[a]b', '[a]]', '[[a]'])('refuses %j and what follows', (header) => {
    const report = new Report();
    const assignments = readIniText(`[a]\nx = 1\n${header}\ny = 2\n[b]\nz = 3`, 'x', report);
    expect(assignments.map(({ key }) => key)).toEqual(['x', 'z']);
    expect(() => report.throwIfFaulty()).toThrow(/x, line 3: .* is no section; allowed: \[name\]/);
  });

  it('refuses control characters but not in comments', () => {
    expect(() => read('x = a\x1b[31mb')).toThrow(/line 1: this line is no text; allowed: UTF-8/);
    expect(read('# a\x1b[31mb').assignments).toEqual([]);
  });

  it('never shows a line that it cannot read, which may be a password', () => {
    expect(read('[a]\nsesame').warnings.join()).not.toContain('sesame');
    for (const line of ['x = sesame\x1b', '[sesame', '[authorization] user = ann:sesame']) {
      expect(() => read(line)).toThrow(/^(?!.*sesame)/s);
    }
  });

  it('returns any address unchanged', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9#;="'\\%&?:/@.[\]{} $!~+,-]+$/);
    const address = fc
      .tuple(fc.constantFrom('pipe', 'tcp', 'process', 'librespot'), word)
      .map(([scheme, rest]) => `${scheme}://${rest}`.trim());
    fc.assert(
      fc.property(fc.array(address, { maxLength: 6 }), (addresses) => {
        const text = ['[stream]', ...addresses.map((one) => `source = ${one}`)].join('\n');
        expect(read(text).assignments.map(({ value }) => value)).toEqual(addresses);
      }),
      { numRuns: 500 },
    );
  });

  it('returns any text in double quotes unchanged', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((one) => !/[\r\n\uFFFD]|\p{Cc}/u.test(one));
    fc.assert(
      fc.property(text, (one) => {
        expect(onlyValue(`"${one.replace(/["\\]/g, '\\$&')}"`)).toBe(one);
      }),
      { numRuns: 500 },
    );
  });

  it('never fails on anything but with the report', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const report = new Report();
        for (const { origin } of readIniText(text, 'x', report)) expect(origin).toMatch(/^x, line/);
      }),
      { numRuns: 1000 },
    );
  });
});
