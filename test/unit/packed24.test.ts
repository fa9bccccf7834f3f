import { expect, it } from 'vitest';
import { expandPacked24, packedSampleBytes, packedTail } from '../../src/audio/packed24.ts';

it('widens packed samples in place, sign included', () => {
  const values = [0, 1, -1, 8_388_607, -8_388_608, 0x123456, -0x123456];
  const target = Buffer.alloc(values.length * 4, 0xee);
  const tail = packedTail(target, values.length);
  expect(tail.length).toBe(values.length * packedSampleBytes);
  for (const [index, value] of values.entries()) tail.writeIntLE(value, index * 3, 3);
  expandPacked24(target, values.length);
  expect(values.map((_, index) => target.readInt32LE(index * 4))).toEqual(values);
});
