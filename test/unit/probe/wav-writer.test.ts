import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { WavWriter } from '../../../src/probe/wav-writer.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-wav-'));
  path = join(folder, 'out.wav');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Mono with one frame per millisecond: times and frames are easily told. */
const slow = SampleFormat.parse('1000:16:1');

function samples(...values: number[]): Buffer {
  const pcm = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) pcm.writeInt16LE(value, index * 2);
  return pcm;
}

/** Writes chunks of [milliseconds, samples …] and returns the samples of the file. */
function record(...chunks: [number, ...number[]][]): number[] {
  const wav = new WavWriter(path, slow);
  for (const [ms, ...values] of chunks) {
    wav.write({ timestampUs: ms * 1000, pcm: samples(...values), format: slow });
  }
  wav.close();
  const data = readFileSync(path).subarray(44);
  return Array.from({ length: data.length / 2 }, (_, index) => data.readInt16LE(index * 2));
}

describe('the recording', () => {
  it('holds chunks that follow each other without a seam, wherever they begin', () => {
    expect(record([5000, 1, 2], [5002, 3], [5003, 4, 5])).toEqual([1, 2, 3, 4, 5]);
  });

  it('has silence where audio is missing, so that the rest stays in place', () => {
    expect(record([0, 1, 2], [5, 3, 4])).toEqual([1, 2, 0, 0, 0, 3, 4]);
  });

  it('leaves out what overlaps', () => {
    expect(record([0, 1, 2, 3], [1, 8, 9, 4], [4, 5])).toEqual([1, 2, 3, 4, 5]);
    expect(record([0, 1, 2, 3], [0, 1, 2, 3], [3, 4])).toEqual([1, 2, 3, 4]);
    expect(record([1000, 1], [0, 9], [1001, 2])).toEqual([1, 2]);
  });

  it('goes on without silence after a pause of more than a minute', () => {
    expect(record([0, 1, 2], [60_003, 3], [60_004, 4], [60_007, 5])).toEqual([1, 2, 3, 4, 0, 0, 5]);
  });

  it('fills a pause of a minute', () => {
    const recorded = record([0, 1], [60_001, 2]);
    expect(recorded).toHaveLength(60_002);
    expect(recorded.at(-1)).toBe(2);
  });

  it('takes the rounding of timestamps for none, even at the highest rate', () => {
    const fast = SampleFormat.parse('768000:16:1');
    const wav = new WavWriter(path, fast);
    const pcm = samples(...Array.from({ length: 1001 }, (_, index) => index));
    for (let chunk = 0; chunk < 50; chunk += 1) {
      const timestampUs = Math.round((chunk * 1001 * 1e6) / 768_000);
      wav.write({ timestampUs, pcm, format: fast });
    }
    wav.close();
    const expected = Buffer.concat(Array.from({ length: 50 }, () => pcm));
    expect(readFileSync(path).subarray(44).equals(expected)).toBe(true);
  });

  it('is a whole file even if nothing was recorded', () => {
    expect(record()).toEqual([]);
    expect(readFileSync(path).readUInt32LE(40)).toBe(0);
  });
});

describe('the header', () => {
  it.each([
    ['48000:16:2', { align: 4, bytesPerFrame: 4 }],
    ['96000:24:2', { align: 6, bytesPerFrame: 6 }],
    ['44100:32:1', { align: 4, bytesPerFrame: 4 }],
    ['8000:8:3', { align: 3, bytesPerFrame: 3 }],
  ])('describes %s and what follows', (text, { align, bytesPerFrame }) => {
    const format = SampleFormat.parse(text);
    const wav = new WavWriter(path, format);
    wav.write({ timestampUs: 0, pcm: Buffer.alloc(10 * format.frameBytes), format });
    wav.close();
    const file = readFileSync(path);
    expect(file.length).toBe(44 + 10 * bytesPerFrame);
    expect(file.toString('latin1', 0, 4)).toBe('RIFF');
    expect(file.readUInt32LE(4)).toBe(file.length - 8);
    expect(file.readUInt16LE(22)).toBe(format.channels);
    expect(file.readUInt32LE(24)).toBe(format.rateHz);
    expect(file.readUInt16LE(32)).toBe(align);
    expect(file.readUInt16LE(34)).toBe(format.bits);
    expect(file.readUInt32LE(40)).toBe(file.length - 44);
  });
});

describe('samples in the file', () => {
  it('take 3 bytes instead of 4 at 24 bit', () => {
    const format = SampleFormat.parse('48000:24:1');
    const wav = new WavWriter(path, format);
    const pcm = Buffer.alloc(8);
    pcm.writeInt32LE(-2, 0);
    pcm.writeInt32LE(0x12_34_56, 4);
    wav.write({ timestampUs: 0, pcm, format });
    wav.close();
    expect(readFileSync(path).subarray(44).toString('hex')).toBe('feffff563412');
  });

  it('are unsigned at 8 bit, and silence is in the middle', () => {
    const format = SampleFormat.parse('1000:8:1');
    const wav = new WavWriter(path, format);
    wav.write({ timestampUs: 0, pcm: Buffer.from([0x80, 0, 0x7f]), format });
    wav.write({ timestampUs: 5000, pcm: Buffer.from([1]), format });
    wav.close();
    expect(readFileSync(path).subarray(44).toString('hex')).toBe('0080ff808081');
  });
});

describe('a recording that cannot go on', () => {
  it('says which file cannot be written', () => {
    expect(() => new WavWriter(join(folder, 'no', 'folder.wav'), slow)).toThrow(
      /cannot write .*folder\.wav: ENOENT/,
    );
  });

  it('refuses audio of another format and leaves a whole file', () => {
    const wav = new WavWriter(path, slow);
    wav.write({ timestampUs: 0, pcm: samples(1), format: slow });
    const other = SampleFormat.parse('1000:16:2');
    expect(() => wav.write({ timestampUs: 1000, pcm: samples(1, 1), format: other })).toThrow(
      'changed from 1000:16:1 to 1000:16:2',
    );
    wav.close();
    expect(readFileSync(path)).toHaveLength(46);
  });
});
