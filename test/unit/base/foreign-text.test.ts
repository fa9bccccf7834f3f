import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, maxLineLength } from '../../../src/base/children/line-splitter.ts';
import { cutText, parseJson, wellFormed } from '../../../src/base/foreign-text.ts';
import { quoted as quotedSetting } from '../../../src/config/report.ts';
import { quoted } from '../../../src/control/rpc-errors.ts';
import { decodeHello } from '../../../src/protocol/messages.ts';
import { cut } from '../../../src/streams/plugin/plugin-log.ts';

const note = '\u{1F3B5}';
const anyText = fc.string({ unit: fc.constantFrom('a', 'é', note, '\ud83c', '\udfb5', '\\', '"') });

describe('a text that is cut', () => {
  it('never ends in the middle of a character', () => {
    expect(cutText(`${'x'.repeat(7)}${note}`, 8)).toBe('x'.repeat(7));
    expect(cutText(`${'x'.repeat(6)}${note}y`, 8)).toBe(`${'x'.repeat(6)}${note}`);
    expect(cutText('short', 8)).toBe('short');
    expect(cutText('', 8)).toBe('');
  });

  it('is well-formed, no longer than allowed, and the beginning of what it was', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 12 }), (text, max) => {
        const short = cutText(text, max);
        expect(short.isWellFormed()).toBe(true);
        expect(short.length).toBeLessThanOrEqual(max);
        expect(short.length).toBeGreaterThanOrEqual(Math.min(text.length, max) - 1);
        expect(wellFormed(text).startsWith(short)).toBe(true);
      }),
    );
  });

  it.each([
    ['a field of a Hello', (text: string) => helloWith(text).hostName],
    ['the line of a program', (text: string) => linesOf(text).join('')],
    ['what a control script says', cut],
    ['a word that an error repeats', quoted],
    ['a setting that a fault repeats', quotedSetting],
  ])('is so in %s', (_, shown) => {
    // Each of the two halves lies at the limit once, whatever that is.
    for (let before = 0; before <= 2 * maxLineLength; before += 1) {
      expect(shown(`${'x'.repeat(before)}${note}${'y'.repeat(20)}`).isWellFormed()).toBe(true);
    }
  });
});

function helloWith(hostName: string) {
  const json = Buffer.from(JSON.stringify({ ID: 'a', HostName: hostName }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return decodeHello(Buffer.concat([length, json]));
}

function linesOf(text: string): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  splitter.write(Buffer.from(`${text}\n`));
  expect(lines.every((line) => line.isWellFormed())).toBe(true);
  return lines;
}

describe('JSON from outside', () => {
  it.each([
    ['"\\ud83c"', '\ufffd'],
    ['"\\uDFB5x"', '\ufffdx'],
    ['"\\ud83c\\udfb5"', note],
    ['"\\uDFB5\\uD83C"', '\ufffd\ufffd'],
    ['"\\ud83c\\ud83c\\udfb5"', `\ufffd${note}`],
    ['"\\\\ud83c"', '\\ud83c'],
    ['"\\\\\\ud83c"', '\\\ufffd'],
    ['"\\ud83c\\\\udfb5"', '\ufffd\\udfb5'],
    [`"${note}"`, note],
    ['"\ud83c"', '\ufffd'],
    ['{"\\ud83c":1}', { '\ufffd': 1 }],
    ['[["\\ud83c"]]', [['\ufffd']]],
  ])('has no half of a character: %s', (json, value) => {
    expect(parseJson(json)).toEqual(value);
  });

  it('is otherwise the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isEscaped) => {
        const json = JSON.stringify(value);
        const text = isEscaped ? escaped(json) : json;
        expect(parseJson(text)).toEqual(JSON.parse(json));
      }),
    );
  });

  it('is well-formed whatever its texts are', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(parseJson(escaped(JSON.stringify(text)))).toBe(wellFormed(text));
      }),
    );
  });

  it.each(['"\\ud8', '"\\ud83', '{', '"\\u"', ''])('is refused when it is none: %j', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});

/** JSON in ASCII alone, as many libraries write it. */
function escaped(json: string): string {
  return json.replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
