import ini from 'ini';
import type { Report } from './report.ts';

/** One `key = value`, wherever it came from. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** Where it stands, for messages: `/etc/zerocast.conf, line 12`. */
  readonly origin: string;
}

/**
 * Reads the ini dialect of upstream: `[section]`, `key = value`, and `#` only at the start of a
 * line; a value in double quotes loses them; a key may repeat; `key[]` is the same as `key`.
 *
 * The `ini` package alone would keep only the last of repeated keys, cut values at `#` and `;`,
 * turn true, false and null into values, split sections at dots, drop `__proto__`, and forget the
 * lines. So each section and key goes to it with its line number in front, which makes all of them
 * different and harmless, and each value as a JSON string, the one form that it takes literally.
 *
 * Failure: faults go to `report`; a line that is none of these is not shown, as it may be a secret.
 * Source: protocol reference, section 17.
 */
export function readIniText(text: string, file: string, report: Report): readonly Assignment[] {
  const originOf = (line: number) => `${file}, line ${line}`;
  const parsed = ini.parse(escapeIni(text, originOf, report), { bracketedArray: false });
  return Object.entries(parsed).flatMap(([header, keys]) =>
    Object.entries(keys as Record<string, unknown>).map(([tagged, value]) => {
      const [line, key] = untag(tagged);
      const [, section] = untag(header);
      return {
        section,
        key: key.replace(/\[\]$/, ''),
        value: String(value),
        origin: originOf(line),
      };
    }),
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const noText = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\uFFFD]/;

/** The text as `ini` shall see it. */
function escapeIni(text: string, originOf: (line: number) => string, report: Report): string {
  const escaped = ['[0:]'];
  let inBrokenSection = false;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const line = raw.trim();
    const number = index + 1;
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    if (noText.test(line)) {
      report.fault(originOf(number), 'this line is no text; allowed: UTF-8 text');
    } else if (line.startsWith('[')) {
      const [, name] = /^\[([^[\]]*)\]$/.exec(line) ?? [];
      inBrokenSection = name === undefined;
      if (name === undefined) {
        report.fault(originOf(number), 'this line is no section; allowed: [name]');
      } else {
        escaped.push(`[${number}:${escapeName(name.trim()).replaceAll('.', '\\.')}]`);
      }
    } else if (!line.includes('=')) {
      report.warn(
        originOf(number),
        'this line is ignored: it is no [section], key = value or # comment',
      );
    } else if (!inBrokenSection) {
      escaped.push(escapePair(line, number));
    }
  }
  return escaped.join('\n');
}

function escapePair(line: string, number: number): string {
  const equals = line.indexOf('=');
  const value = JSON.stringify(unquote(line.slice(equals + 1).trim()))
    // JSON leaves these two as they are, but the patterns of `ini` take them for line ends.
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
  return `${number}:${escapeName(line.slice(0, equals).trim())} = ${value}`;
}

function escapeName(name: string): string {
  return name.replace(/[\\;#]/g, '\\$&');
}

function unquote(value: string): string {
  const [, inner] = /^"((?:[^"\\]|\\.)*)"$/.exec(value) ?? [];
  return inner === undefined ? value : inner.replace(/\\(["\\])/g, '$1');
}

function untag(tagged: string): readonly [line: number, name: string] {
  const colon = tagged.indexOf(':');
  return [Number(tagged.slice(0, colon)), tagged.slice(colon + 1)];
}
