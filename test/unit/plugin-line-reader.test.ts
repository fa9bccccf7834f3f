import { describe, expect, it } from 'vitest';
import { LineReader, maxLineBytes } from '../../src/plugin/line-reader.ts';

function read(...pieces: readonly (string | Buffer)[]) {
  const lines: string[] = [];
  let tooLong = 0;
  const reader = new LineReader({
    line: (text) => lines.push(text),
    tooLong: () => {
      tooLong += 1;
    },
  });
  for (const piece of pieces) reader.write(Buffer.from(piece));
  return { lines, tooLong };
}

describe('the lines of a control script', () => {
  it('are the same wherever the bytes are cut', () => {
    const bytes = Buffer.from('one\r\n\n  \n{"artist":"Küche 🎵"}\nthree\nunfinished');
    const expected = ['one', '{"artist":"Küche 🎵"}', 'three'];
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(read(bytes.subarray(0, at), bytes.subarray(at)).lines).toEqual(expected);
    }
    expect(read(...[...bytes].map((byte) => Buffer.of(byte))).lines).toEqual(expected);
  });

  it('may be as long as the limit, and not longer', () => {
    const longest = Buffer.alloc(maxLineBytes, 'x');
    expect(read(longest, '\n').lines).toEqual([longest.toString()]);
    expect(read(longest.subarray(1), 'x\n', 'next\n').lines).toHaveLength(2);
    expect(read(longest, 'x', 'y\n', 'z\n')).toEqual({ lines: [], tooLong: 1 });
    expect(read('first\n', longest, 'x\nlast\n')).toEqual({ lines: ['first'], tooLong: 1 });
  });
});
