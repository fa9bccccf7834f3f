import { expect, it } from 'vitest';
import {
  arrivingFrameBytes,
  expandPacked24,
  packedTail,
  signExtend24,
} from '../../../src/audio/int24.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';

const values = [0, 1, -1, 8_388_607, -8_388_608, 0x123456, -0x123456];

function containersIn(target: Buffer): number[] {
  return values.map((_, index) => target.readInt32LE(index * 4));
}

it('widens packed samples in place, sign included', () => {
  const target = Buffer.alloc(values.length * 4, 0xee);
  const tail = packedTail(target, values.length);
  expect(tail.length).toBe(values.length * 3);
  for (const [index, value] of values.entries()) tail.writeIntLE(value, index * 3, 3);
  expandPacked24(target, values.length, 24);
  expect(containersIn(target)).toEqual(values);
});

it('makes packed samples the upper three of four bytes', () => {
  const target = Buffer.alloc(values.length * 4, 0xee);
  const tail = packedTail(target, values.length);
  for (const [index, value] of values.entries()) tail.writeIntLE(value, index * 3, 3);
  expandPacked24(target, values.length, 32);
  expect(containersIn(target)).toEqual(values.map((value) => value * 256));
});

it.each([0x00, 0x7f, 0x80, 0xff])('replaces the fourth byte %i by the sign', (garbage) => {
  // One sample more than is asked for: what lies behind is not touched.
  const target = Buffer.alloc((values.length + 1) * 4, garbage);
  for (const [index, value] of values.entries()) target.writeIntLE(value, index * 4, 3);
  signExtend24(target, values.length);
  expect(containersIn(target)).toEqual(values);
  expect(target.subarray(-4)).toEqual(Buffer.alloc(4, garbage));
});

it('counts the bytes of a frame as it arrives', () => {
  expect(arrivingFrameBytes(SampleFormat.parse('48000:24:2'), true)).toBe(6);
  expect(arrivingFrameBytes(SampleFormat.parse('48000:24:2'), false)).toBe(8);
  expect(arrivingFrameBytes(SampleFormat.parse('48000:16:2'), false)).toBe(4);
});
