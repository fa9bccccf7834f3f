import { describe, expect, it } from 'vitest';
import {
  bitString,
  boolean,
  explicit,
  integer,
  objectIdentifier,
  sequence,
  time,
  utf8String,
} from '../../../src/certificates/der.ts';

const hex = (bytes: Buffer) => bytes.toString('hex');

describe('a DER element', () => {
  it.each([
    ['00', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['0001', '020101'],
    ['ff00', '020300ff00'],
  ])('holds the number %s in as few bytes as there can be', (number, expected) => {
    expect(hex(integer(Buffer.from(number, 'hex')))).toBe(expected);
  });

  it.each([
    ['2.5.29.17', '0603551d11'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
  ])('names the object %s as others do', (dotted, expected) => {
    expect(hex(objectIdentifier(dotted))).toBe(expected);
  });

  it('says its length in as many bytes as that takes', () => {
    for (const [length, head] of [
      [127, '0c7f'],
      [128, '0c8180'],
      [255, '0c81ff'],
      [256, '0c820100'],
      [65_536, '0c83010000'],
    ] as const) {
      expect(hex(utf8String('x'.repeat(length)))).toMatch(new RegExp(`^${head}(?:78)+$`));
    }
  });

  it('tells times in two digits of the year until 2049, and in four from then on', () => {
    expect(hex(time(new Date('2049-12-31T23:59:59Z')))).toBe(
      `170d${Buffer.from('491231235959Z').toString('hex')}`,
    );
    expect(hex(time(new Date('2050-01-01T00:00:00Z')))).toBe(
      `180f${Buffer.from('20500101000000Z').toString('hex')}`,
    );
  });

  it('nests', () => {
    const inner = sequence(boolean(true), bitString(Buffer.from([6]), 1));
    expect(hex(explicit(3, inner))).toBe('a30930070101ff03020106');
  });
});
