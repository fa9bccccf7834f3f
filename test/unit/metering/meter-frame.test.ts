import { describe, expect, it } from 'vitest';
import { MeterFrameWriter, readMeterFrame } from '../../../src/metering/meter-frame.ts';
import { Random } from '../../support/random.ts';

const levels = {
  peakDb: Float64Array.of(-1.234, Number.NEGATIVE_INFINITY),
  rmsDb: Float64Array.of(-12.345, -90.001),
  truePeakDb: Float64Array.of(0.5, Number.NaN),
  momentaryLufs: -16.2,
  shortTermLufs: -17.05,
  integratedLufs: Number.NEGATIVE_INFINITY,
};
const silence = Number.NEGATIVE_INFINITY;

/** In memory of its own, as the page gets it. */
function sent(writer: MeterFrameWriter): ArrayBuffer {
  return new Uint8Array(writer.take()).buffer;
}

describe('a frame of meters', () => {
  it('is read as it was written, to a hundredth of a decibel', () => {
    const writer = new MeterFrameWriter();
    writer.addLevels(3, 1_234_567_890.5, levels);
    writer.addMel(4, 1_234_600_000, Float32Array.of(-200, -90, -45, -0.2, 0, 3));
    expect(readMeterFrame(sent(writer))).toEqual([
      {
        index: 3,
        heardUs: 1_234_567_890.5,
        levels: {
          peakDb: [-1.23, silence],
          rmsDb: [-12.34, -90],
          truePeakDb: [0.5, silence],
          momentaryLufs: -16.2,
          shortTermLufs: -17.05,
          integratedLufs: silence,
        },
      },
      { index: 4, heardUs: 1_234_600_000, mel: Uint8Array.of(0, 0, 128, 254, 255, 255) },
    ]);
  });

  it('lies as the protocol says', () => {
    const writer = new MeterFrameWriter();
    writer.addLevels(258, 1, levels);
    const bytes = Buffer.from(writer.take());
    expect([...bytes.subarray(0, 8)]).toEqual([1, 1, 1, 0, 2, 1, 2, 0]);
    expect(bytes.readDoubleLE(8)).toBe(1);
    expect(bytes.readInt16LE(16)).toBe(-123);
    expect(bytes.readInt16LE(22)).toBe(-32_768);
    expect(bytes.readInt16LE(28)).toBe(-1620);
    expect(bytes).toHaveLength(16 + 2 * 6 + 6);
  });

  it('is not changed by what follows', () => {
    const writer = new MeterFrameWriter();
    writer.addLevels(0, 1, levels);
    const first = writer.take();
    const before = [...first];
    expect(writer.isEmpty).toBe(true);
    for (let index = 0; index < 300; index += 1) writer.addMel(index, 2, new Float32Array(80));
    expect(readMeterFrame(sent(writer))).toHaveLength(300);
    expect([...first]).toEqual(before);
  });

  it('that was cut is a fault, wherever it was', () => {
    const writer = new MeterFrameWriter();
    writer.addLevels(0, 1, levels);
    writer.addMel(0, 1, new Float32Array(80));
    const whole = sent(writer);
    for (let length = 0; length < whole.byteLength; length += 1) {
      expect(() => readMeterFrame(whole.slice(0, length))).toThrow(RangeError);
    }
  });

  it('of any bytes is a fault or harmless', () => {
    const random = new Random(15);
    for (let round = 0; round < 2000; round += 1) {
      const bytes = Uint8Array.from(
        { length: Math.floor(random.next() * 200) },
        () => random.next() * 256,
      );
      if (round % 2 === 0) bytes.fill(1, 0, 2);
      try {
        for (const { heardUs } of readMeterFrame(bytes.buffer)) {
          expect(Number.isFinite(heardUs)).toBe(true);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }
  });
});
