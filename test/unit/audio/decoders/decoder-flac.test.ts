import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import { crc8, crc16 } from '../../../../src/audio/decoders/flac-crc.ts';
import { maxDecodedBytes } from '../../../../src/audio/decoders/flac-decoder.ts';
import { flacHeader } from '../../../../src/audio/encoders/flac-header.ts';
import { bytesOf } from '../../../../src/audio/sample-conversion.ts';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';
import { benchFor, encodeAll, music, pcmOf } from '../../../support/encoding.ts';

const format = SampleFormat.parse('48000:16:2');

async function oneChunk() {
  const bench = await benchFor('flac', `${format}`);
  const pcm = pcmOf(format, 300, music);
  const [chunk] = await encodeAll(bench, pcm, [300]);
  bench.encoder.close();
  expect(bench.pool.isFull).toBe(true);
  const decoder = await createDecoder('flac', bench.encoder.header);
  return { payload: chunk!.payload, pcm, decoder };
}

function fault(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('the flac decoder', () => {
  it.each([
    ['--best -e -p', 2],
    ['-0', 2],
    ['-5 -b 192', 1],
    ['-8 -b 4608', 6],
    ['-5 -r 8,8', 2],
    ['-l 0 --no-mid-side', 2],
    ['-b 777 --adaptive-mid-side', 2],
  ])('reads what the flac tool writes with %s', async (options, channels) => {
    for (const bits of [8, 16, 24] as const) {
      const shape = new SampleFormat({ rateHz: 48_000, bits, channels });
      // Zero low bits make the encoder drop "wasted" bits, noise makes it give up predicting.
      const pcm = pcmOf(shape, 15_000, (time, channel) => {
        const value = music(time, channel) / 2;
        if (time > 0.28) return Math.sin(time * 1e9) > 0 ? 0.99 * Math.sin(time * 1e8) : -1;
        return time < 0.2 ? value : Math.round(value * 16) / 16;
      });
      const file = flacTool(packed(pcm, shape), shape, options.split(' '));
      const { header, audio } = split(file);
      const decoder = await createDecoder('flac', header);
      expect(decoder.format).toEqual(shape);
      expect(bytesOf(decoder.decode(audio)).equals(pcm)).toBe(true);
    }
  });

  it('decodes each frame at once, and several in one chunk', async () => {
    const { payload, pcm, decoder } = await oneChunk();
    expect(bytesOf(decoder.decode(payload)).equals(pcm)).toBe(true);
    const twice = bytesOf(decoder.decode(Buffer.concat([payload, payload])));
    expect(twice.equals(Buffer.concat([pcm, pcm]))).toBe(true);
    decoder.close();
  });

  it('refuses a chunk cut at any byte, and goes on with the next', async () => {
    const { payload, pcm, decoder } = await oneChunk();
    for (let length = 1; length < payload.length; length += 1) {
      const error = fault(() => decoder.decode(payload.subarray(0, length)));
      expect(error).toBeInstanceOf(ProtocolError);
    }
    expect(bytesOf(decoder.decode(payload)).equals(pcm)).toBe(true);
  });

  it('refuses a chunk with any one bit flipped', async () => {
    const { payload, pcm, decoder } = await oneChunk();
    for (let bit = 0; bit < payload.length * 8; bit += 1) {
      const wrong = Buffer.from(payload);
      wrong[bit >> 3]! ^= 1 << (bit & 7);
      expect(fault(() => decoder.decode(wrong))).toBeInstanceOf(ProtocolError);
    }
    expect(bytesOf(decoder.decode(payload)).equals(pcm)).toBe(true);
  });

  it('meets random frames with a valid header by nothing but a protocol error', async () => {
    const { payload, decoder } = await oneChunk();
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state >> 16;
    };
    for (let round = 0; round < 10_000; round += 1) {
      const wrong = Buffer.alloc(400);
      payload.copy(wrong, 0, 0, 8); // sync, codes, number, size, checksum
      for (let index = 8; index < wrong.length; index += 1) wrong[index] = random();
      expect(fault(() => decoder.decode(wrong))).toBeInstanceOf(ProtocolError);
    }
  });

  it('refuses a chunk of another format, and one that would swell without bound', async () => {
    const { payload } = await oneChunk();
    const mono = await createDecoder('flac', flacHeader(SampleFormat.parse('48000:16:1'), 1152));
    expect(fault(() => mono.decode(payload))).toMatchObject({
      message: expect.stringContaining('48000:16:2 in a stream of 48000:16:1'),
    });
    const decoder = await createDecoder('flac', flacHeader(format, 1152));
    const bomb = silentFrame(65_536);
    expect(decoder.decode(bomb).length).toBe(65_536 * format.frameBytes);
    const count = Math.ceil(maxDecodedBytes / (65_536 * format.frameBytes)) + 1;
    const swelling = Buffer.concat(Array.from({ length: count }, () => bomb));
    expect(swelling.length).toBeLessThan(1000);
    expect(fault(() => decoder.decode(swelling))).toBeInstanceOf(ProtocolError);
  });

  it.each([
    ['verbatim samples', '0000001', (value: number) => bitsOf(value, 16)],
    ['a residual in plain numbers', '0001000', (value: number) => bitsOf(value, 10)],
  ])('reads %s', async (_, type, coded) => {
    const values = Array.from({ length: 16 }, (__, index) => (index - 8) * 60);
    const residual = type === '0001000' ? `0000001111${bitsOf(10, 5)}` : '';
    const frame = monoFrame(`${type}0${residual}${values.map(coded).join('')}`);
    const decoder = await createDecoder('flac', flacHeader(SampleFormat.parse('48000:16:1'), 1152));
    const decoded = bytesOf(decoder.decode(frame));
    expect(values.map((__, index) => decoded.readInt16LE(index * 2))).toEqual(values);
  });

  it.each([
    ['a one bit in front', '1000001', /one bit/],
    ['a reserved type', '00000100', /reserved type/],
    ['a reserved residual coding', '0001000010', /reserved coding/],
    ['more partitions than samples', '000100000010100000', /does not divide/],
    ['all bits wasted', `00000011${'0'.repeat(15)}1`, /wastes all/],
    ['a predictor longer than its block', '01111110', /longer than its block/],
    ['a forbidden precision', `01000000${'0'.repeat(16)}1111`, /forbidden precision/],
    ['a negative shift', `01000000${'0'.repeat(16)}001011111`, /negative shift/],
  ])('refuses a subframe with %s', async (_, bits, message) => {
    const decoder = await createDecoder('flac', flacHeader(SampleFormat.parse('48000:16:1'), 1152));
    expect(fault(() => decoder.decode(monoFrame(bits + '0'.repeat(64))))).toMatchObject({
      message: expect.stringMatching(message),
      code: 'bad-chunk',
    });
  });

  it('makes nothing of an empty chunk', async () => {
    const { decoder } = await oneChunk();
    expect(decoder.decode(new Uint8Array(0))).toHaveLength(0);
  });
});

describe('the checksums of flac', () => {
  it('have their published check values', () => {
    const check = Buffer.from('123456789');
    expect(crc8(check)).toBe(0xf4);
    expect(crc16(check)).toBe(0xfee8);
  });
});

function bitsOf(value: number, width: number): string {
  return (value & (2 ** width - 1)).toString(2).padStart(width, '0');
}

/** A frame of 16 samples, 48 kHz, mono, 16 bit, around the bits of its subframe. */
function monoFrame(subframe: string): Buffer {
  const header = Buffer.from([0xff, 0xf8, 0x6a, 0x08, 0x00, 15, 0]);
  header[6] = crc8(header.subarray(0, 6));
  const content = (subframe.match(/.{1,8}/g) ?? []).map((byte) => {
    return Number.parseInt(byte.padEnd(8, '0'), 2);
  });
  return withSum(Buffer.concat([header, Buffer.from(content)]));
}

function withSum(body: Buffer): Buffer {
  const sum = Buffer.alloc(2);
  sum.writeUInt16BE(crc16(body));
  return Buffer.concat([body, sum]);
}

/** A valid frame of `frames` silent frames in a few bytes: two constant subframes. */
function silentFrame(frames: number): Buffer {
  const header = Buffer.from([0xff, 0xf8, 0x7a, 0x18, 0x00, 0, 0, 0]);
  header.writeUInt16BE(frames - 1, 5);
  header[7] = crc8(header.subarray(0, 7));
  return withSum(Buffer.concat([header, Buffer.from([0, 0, 0, 0, 0, 0])]));
}

function flacTool(pcm: Buffer, shape: SampleFormat, options: readonly string[]): Buffer {
  const { rateHz, bits, channels } = shape;
  const args = [
    ...'-s -c --force-raw-format --endian=little --sign=signed --lax'.split(' '),
    ...[`--sample-rate=${rateHz}`, `--bps=${bits}`, `--channels=${channels}`],
    ...options,
    '-',
  ];
  const run = spawnSync('flac', args, { input: pcm, maxBuffer: 64 * 1024 * 1024 });
  if (run.error) {
    throw new Error('these tests need the flac tool: apt-get install flac', { cause: run.error });
  }
  expect(run.status, run.stderr.toString()).toBe(0);
  return run.stdout;
}

/** Parts a FLAC file behind its last metadata block. */
function split(file: Buffer): { header: Buffer; audio: Buffer } {
  let end = 4;
  for (let isLast = false; !isLast; ) {
    isLast = (file[end]! & 0x80) !== 0;
    end += 4 + file.readUIntBE(end + 1, 3);
  }
  return { header: file.subarray(0, end), audio: file.subarray(end) };
}

function packed(pcm: Buffer, { bits }: SampleFormat): Buffer {
  return bits === 24 ? Buffer.from(pcm.filter((_, index) => index % 4 !== 3)) : pcm;
}
