import { expect, it } from 'vitest';
import { BitReader } from '../../../../src/audio/decoders/bit-reader.ts';

it('reads numbers of any width up to the last bit, and none beyond', () => {
  const bits = new BitReader(Uint8Array.of(0b1010_0101, 0xff));
  expect(bits.unsigned(3)).toBe(0b101);
  expect(bits.signed(4)).toBe(0b0010);
  expect(() => bits.unsigned(10)).toThrow('it ends too early');
  expect(bits.unsigned(9)).toBe(0b1_1111_1111);
  expect(bits.isAtEnd).toBe(true);
  expect(() => bits.unary()).toThrow('it ends too early');
});
