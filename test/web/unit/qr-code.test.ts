import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { qrCode, quietZone } from '../../../src/web/more/qr-code.ts';

const jsQR: typeof import('jsqr').default = createRequire(import.meta.url)('jsqr');
const pixels = 3;

/** What a reader of pictures finds. */
function read(code: readonly (readonly boolean[])[]): string | undefined {
  const side = (code.length + 2 * quietZone) * pixels;
  const picture = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [row, column] = [y, x].map((at) => Math.floor(at / pixels) - quietZone);
      if (code[row!]?.[column!]) picture.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return jsQR(picture, side, side)?.data;
}

describe('a QR code', () => {
  it.each(['http://192.168.1.5:1780/', 'https://living-pi.local:1788/', 'a', 'ä€😀'])(
    'of %s is read as such',
    (text) => {
      expect(read(qrCode(text)!)).toBe(text);
    },
  );

  it('is read at each length that fits, in each of its sizes', () => {
    const sizes = new Set<number>();
    for (let length = 1; length <= 106; length += 1) {
      const text = Array.from({ length }, (_, at) =>
        String.fromCharCode(33 + ((at * 7) % 90)),
      ).join('');
      const code = qrCode(text)!;
      sizes.add(code.length);
      expect(read(code), text).toBe(text);
    }
    expect([...sizes]).toEqual([21, 25, 29, 33, 37, 41]);
  });

  it('is none of a text that is too long', () => {
    expect(qrCode('x'.repeat(107))).toBeUndefined();
  });
});
