import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader } from '../../../../src/base/net/line-reader.ts';

const maxBytes = 1024 * 1024;

/** All lines of `pieces`, taken after each of them. */
function linesOf(pieces: readonly Buffer[], reader = new LineReader(() => maxBytes)): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let line = reader.next(); line !== undefined; line = reader.next()) lines.push(line);
  }
  return lines;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) =>
    bytes.subarray(index === 0 ? 0 : sorted[index - 1], end),
  );
}

function singleBytes(bytes: Buffer): Buffer[] {
  return [...bytes].map((byte) => Buffer.from([byte]));
}

describe('a line reader', () => {
  it.each([
    ['one line', 'a\n', ['a']],
    ['several lines at once', 'a\nb\nc\n', ['a', 'b', 'c']],
    ['the endings of other systems', 'a\r\nb\r\n', ['a', 'b']],
    ['no empty lines', '\n\r\n\na\n\r\n\n', ['a']],
    ['only the last carriage return as part of the ending', 'a\rb\r\r\n', ['a\rb\r']],
    ['nothing that has no ending', 'a\nb', ['a']],
    ['texts of all languages', 'ä€𝄞\n', ['ä€𝄞']],
  ])('hands out %s', (_, text, lines) => {
    expect(linesOf([Buffer.from(text)])).toEqual(lines);
  });

  it('hands out lines one by one, and the rest later', () => {
    const reader = new LineReader(() => maxBytes);
    reader.push(Buffer.from('a\nb\nc'));
    expect(reader.next()).toBe('a');
    reader.push(Buffer.from('d\n'));
    expect([reader.next(), reader.next(), reader.next()]).toEqual(['b', 'cd', undefined]);
  });

  it('finds the same lines wherever a text is cut once', () => {
    const bytes = Buffer.from('{"a":"ä€𝄞"}\r\n\r\n[1]\n"last"\r\n');
    const whole = linesOf([bytes]);
    expect(whole).toEqual(['{"a":"ä€𝄞"}', '[1]', '"last"']);
    for (let at = 0; at <= bytes.length; at += 1) expect(linesOf(cut(bytes, [at]))).toEqual(whole);
    expect(linesOf(singleBytes(bytes))).toEqual(whole);
  });

  it('hands out the complete lines of a text that ends anywhere', () => {
    const bytes = Buffer.from('ab\ncä\r\nd\n');
    for (let end = 0; end <= bytes.length; end += 1) {
      const expected = ['ab', 'cä', 'd'].filter((_, index) => end >= ([3, 8, 10][index] ?? 0));
      expect(linesOf(singleBytes(bytes.subarray(0, end)))).toEqual(expected);
    }
  });

  it('finds the same lines in any text, however it is cut', () => {
    const text = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\n', '\r\n', '\r', '€', '𝄞')))
      .map((parts) => parts.join(''));
    const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(text, places, (whole, fractions) => {
        const bytes = Buffer.from(whole);
        const pieces = cut(
          bytes,
          fractions.map((fraction) => Math.floor(fraction * bytes.length)),
        );
        const expected = bytes
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => line.replace(/\r$/, ''))
          .filter((line) => line !== '');
        expect(linesOf(pieces)).toEqual(expected);
      }),
    );
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (pieces) => {
        const buffers = pieces.map((piece) => Buffer.from(piece));
        expect(linesOf(buffers)).toEqual(linesOf([Buffer.concat(buffers)]));
      }),
    );
  });

  it('takes lines up to the limit and none beyond, in one piece or in many', () => {
    const longest = Buffer.from(`${'x'.repeat(100)}\n`);
    const longer = Buffer.from(`a\n${'x'.repeat(101)}\nb\n`);
    for (const pieces of [(bytes: Buffer) => [bytes], singleBytes]) {
      const reader = new LineReader(() => 100);
      expect(linesOf(pieces(longest), reader)).toEqual(['x'.repeat(100)]);
      expect(reader.isOverlong).toBe(false);
      expect(linesOf(pieces(longer), reader)).toEqual(['a']);
      expect(reader.isOverlong).toBe(true);
    }
  });

  it('notices a line that is too long before it has an ending', () => {
    const reader = new LineReader(() => 100);
    expect(linesOf([Buffer.alloc(101, 'x')], reader)).toEqual([]);
    expect(reader.isOverlong).toBe(true);
    expect(linesOf([Buffer.from('\nnext\n')], reader)).toEqual([]);
  });

  it('has next to no work with empty lines', () => {
    const timeOf = (bytes: Buffer) => {
      const startMs = performance.now();
      const { length } = linesOf([bytes]);
      return { length, spentMs: performance.now() - startMs };
    };
    const least = (bytes: Buffer) => Math.min(...[1, 2, 3, 4, 5].map(() => timeOf(bytes).spentMs));
    const empty = Buffer.alloc(maxBytes, '\r\n');
    expect(timeOf(empty).length).toBe(0);
    expect(least(empty) / least(Buffer.alloc(maxBytes, 'x\n'))).toBeLessThan(0.3);
  });

  it('copies a huge line of small packets only a few times', () => {
    const timeOf = (bytes: number) => {
      const pieces = Array.from({ length: bytes / 16 }, () => Buffer.alloc(16, 'x'));
      // Of the processor, which others may have meanwhile.
      const before = process.cpuUsage();
      expect(linesOf([...pieces, Buffer.from('\n')])).toEqual(['x'.repeat(bytes)]);
      // Their sum is measured; how it is divided is estimated, and may leave nothing for one.
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    timeOf(maxBytes / 16);
    const short = Math.min(...[1, 2, 3, 4, 5].map(() => timeOf(maxBytes / 16)));
    const long = Math.min(...[1, 2, 3, 4, 5].map(() => timeOf(maxBytes)));
    // Copying all for each packet would take 256 times as long.
    expect(long / short).toBeLessThan(100);
  });
});
