import { afterEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { createEncoder } from '../../../src/audio/encoders/codecs.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { chunkDurations } from '../../../src/edge/chunk-durations.ts';
import { uniqueSignal } from '../../support/test-signal.ts';

const pool = new ChunkPool();

afterEach(() => expect(pool.isFull).toBe(true));

/** Header and payloads of a second of sound, with the microseconds that each lasts. */
async function encode(codec: string, format: SampleFormat) {
  const encoder = await createEncoder(codec, { format, pool });
  const payloads: { readonly payload: Buffer; readonly us: number }[] = [];
  const emit = (chunk: Chunk, frames: number) => {
    payloads.push({ payload: Buffer.from(chunk.payload), us: encoder.format.durationUs(frames) });
    chunk.release();
  };
  const pcm = uniqueSignal({ format, seconds: 1 });
  const bytes = format.framesIn(20) * format.frameBytes;
  for (let at = 0; at < pcm.length; at += bytes) {
    const part = pcm.subarray(at, at + bytes);
    const chunk = pool.acquire(part.length, 'a test');
    chunk.payloadBytes = part.length;
    part.copy(chunk.writable);
    let next: number | undefined = 0;
    while (next !== undefined) {
      const outcome = encoder.encode(chunk, next, emit);
      if (outcome instanceof Promise) throw new Error('it is to be done at once');
      next = outcome;
    }
  }
  const header = Buffer.from(encoder.header);
  encoder.close();
  return { header, payloads, format: encoder.format };
}

describe.each([
  ['pcm', '48000:16:2'],
  ['pcm', '44100:24:1'],
  ['flac', '48000:16:2'],
  ['flac:8', '44100:16:2'],
  ['flac', '96000:24:6'],
  ['opus', '48000:16:2'],
  ['opus', '44100:16:1'],
])('chunks of %s of %s', (codec, text) => {
  it('tell by themselves how long they last', async () => {
    const { header, payloads, format } = await encode(codec, SampleFormat.parse(text));
    const durations = chunkDurations(codec.split(':')[0]!, header);
    expect(String(durations.format)).toBe(String(format));
    expect(payloads.length).toBeGreaterThan(5);
    for (const { payload, us } of payloads) expect(durations.of(payload)).toBeCloseTo(us, 3);
  });
});

it('a chunk of several FLAC frames lasts as long as all of them', async () => {
  const { header, payloads } = await encode('flac', SampleFormat.parse('48000:16:2'));
  const some = payloads.slice(0, 5);
  const us = chunkDurations('flac', header).of(Buffer.concat(some.map(({ payload }) => payload)));
  expect(us).toBeCloseTo(
    some.reduce((sum, one) => sum + one.us, 0),
    3,
  );
});

it.each([
  ['pcm', Buffer.alloc(7)],
  ['pcm', Buffer.alloc(0)],
  ['flac', Buffer.from('no sync code')],
  ['opus', Buffer.alloc(0)],
  // 63 frames of 60 ms.
  ['opus', Buffer.from([0x1b, 63])],
])('a damaged chunk of %s has no duration', async (codec, payload) => {
  const { header } = await encode(codec, SampleFormat.parse('48000:16:2'));
  expect(chunkDurations(codec, header).of(payload)).toBeUndefined();
});

/** A page of Ogg that ends at a frame, with a body. */
function page(granule: number, body: Buffer): Buffer {
  const head = Buffer.alloc(28);
  head.write('OggS');
  head.writeBigInt64LE(BigInt(granule), 6);
  return Buffer.concat([head, body]);
}

function vorbisHeader(rateHz: number): Buffer {
  const body = Buffer.alloc(30);
  body.write('\x01vorbis', 'latin1');
  body[11] = 2;
  body.writeUInt32LE(rateHz, 12);
  return Buffer.concat([page(0, body), page(0, Buffer.from('SAMPLE_FORMAT=44100:24:2'))]);
}

describe('chunks of ogg', () => {
  it('last from the position of the one before, so that the first one has no duration', () => {
    const durations = chunkDurations('ogg', vorbisHeader(44_100));
    expect(String(durations.format)).toBe('44100:24:2');
    const sound = Buffer.from('sound');
    expect(durations.of(page(44_100, sound))).toBeUndefined();
    expect(durations.of(page(44_541, sound))).toBe(10_000);
    expect(durations.of(Buffer.concat([page(44_641, sound), page(45_423, sound)]))).toBe(20_000);
    // The encoder was started anew.
    expect(durations.of(page(441, sound))).toBeUndefined();
    expect(durations.of(page(882, sound))).toBe(10_000);
  });
});

it.each([
  ['mp3', Buffer.alloc(0)],
  ['pcm', Buffer.alloc(44)],
  ['flac', Buffer.from('fLaX')],
  ['opus', Buffer.alloc(11)],
  ['ogg', Buffer.from('OggS')],
])('a header of %s that is none is refused', (codec, header) => {
  expect(() => chunkDurations(codec, header)).toThrow(ProtocolError);
});
