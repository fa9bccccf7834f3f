import type { Chunk } from '../../src/audio/chunk.ts';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { createEncoder, parseCodec } from '../../src/audio/encoders/codecs.ts';
import type { Emit, Encoder, EncoderContext } from '../../src/audio/encoders/encoder.ts';
import { createFlacEncoder } from '../../src/audio/encoders/flac-encoder.ts';
import { createOggEncoder } from '../../src/audio/encoders/ogg-encoder.ts';
import { bytesOf, newSamples } from '../../src/audio/sample-conversion.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import type { OpenFlacStream } from './flac-libraries.ts';
import type { OpenVorbisStream } from './vorbis-libraries.ts';

/** By which library a stream is encoded. */
export type OpenLibrary = { readonly flac: OpenFlacStream } | { readonly vorbis: OpenVorbisStream };

/** What an encoder emitted: a copy of each chunk's payload, and its frames. */
export interface Emitted {
  readonly payload: Buffer;
  readonly frames: number;
}

/** An encoder with its pool and everything that it emitted so far. */
export interface Bench {
  readonly encoder: Encoder;
  readonly format: SampleFormat;
  readonly pool: ChunkPool;
  readonly emit: Emit;
  readonly emitted: Emitted[];
}

/** Builds an encoder whose chunks are copied, sealed and given back at once. */
export async function benchFor(
  spec: string,
  formatText: string,
  open?: OpenLibrary,
): Promise<Bench> {
  const format = SampleFormat.parse(formatText);
  const pool = new ChunkPool({ verifySeals: true });
  const emitted: Emitted[] = [];
  const emit: Emit = (chunk, frames) => {
    chunk.seal({ timestampUs: 0, durationUs: format.durationUs(frames) });
    emitted.push({ payload: Buffer.from(chunk.payload), frames });
    chunk.release();
  };
  return {
    encoder: await encoderFor(spec, { format, pool }, open),
    format,
    pool,
    emit,
    emitted,
  };
}

function encoderFor(
  spec: string,
  context: Omit<EncoderContext, 'options'>,
  open: OpenLibrary | undefined,
): Promise<Encoder> {
  if (!open) return createEncoder(spec, context);
  const { options } = parseCodec(spec);
  if ('flac' in open) return createFlacEncoder({ ...context, options }, open.flac);
  const quality = Number(/^VBR:(.*)$/.exec(options)?.[1] ?? 0.9);
  return createOggEncoder({ ...context, quality }, open.vorbis);
}

/** Cuts `pcm` into chunks of `chunkFrames` (taken in turn) and encodes them. */
export async function feed(
  bench: Bench,
  pcm: Buffer,
  chunkFrames: readonly number[],
): Promise<void> {
  const { frameBytes } = bench.format;
  for (let start = 0, turn = 0; start < pcm.length; turn += 1) {
    const bytes = chunkFrames[turn % chunkFrames.length]! * frameBytes;
    const part = pcm.subarray(start, start + bytes);
    const chunk = bench.pool.acquire(part.length, 'test source');
    chunk.writable.set(part);
    chunk.payloadBytes = part.length;
    await encodeWhole(bench, chunk);
    start += part.length;
  }
}

/** Encodes a chunk to its end, wherever that is done. */
export async function encodeWhole(
  { encoder, emit }: Pick<Bench, 'encoder' | 'emit'>,
  chunk: Chunk,
): Promise<void> {
  let frame: number | undefined = 0;
  while (frame !== undefined) {
    const next: ReturnType<Encoder['encode']> = encoder.encode(chunk, frame, emit);
    if (next instanceof Promise) {
      await next;
      return;
    }
    frame = next;
  }
}

/** Everything a listener gets from `pcm`: encoded, flushed, and taken off the bench. */
export async function encodeAll(
  bench: Bench,
  pcm: Buffer,
  chunkFrames: readonly number[],
): Promise<Emitted[]> {
  await feed(bench, pcm, chunkFrames);
  await bench.encoder.flush(bench.emit);
  return bench.emitted.splice(0);
}

export function framesOf(emitted: readonly Emitted[]): number {
  return emitted.reduce((total, { frames }) => total + frames, 0);
}

/** Samples of `signal(seconds, channel)` in -1..1 as PCM. */
export function pcmOf(
  format: SampleFormat,
  frames: number,
  signal: (seconds: number, channel: number) => number,
): Buffer {
  const { channels, rateHz, bits } = format;
  const samples = newSamples(frames * channels, format);
  const top = 2 ** (bits - 1);
  for (let index = 0; index < samples.length; index += 1) {
    const seconds = Math.floor(index / channels) / rateHz;
    const value = Math.round(signal(seconds, index % channels) * top);
    samples[index] = Math.max(-top, Math.min(top - 1, value));
  }
  return bytesOf(samples);
}

/** Something like music: tones that differ per channel, with a little noise, the same each time. */
export function music(seconds: number, channel: number): number {
  const noise = Math.sin(seconds * 12_345_678 + channel) * 0.02;
  const tone = Math.sin(2 * Math.PI * (220 + 110 * channel) * seconds);
  const swell = 0.5 + 0.3 * Math.sin(2 * Math.PI * 1.7 * seconds);
  return noise + tone * swell + 0.1 * Math.sin(2 * Math.PI * 3001 * seconds);
}

/** A tone that rises without end: it is like itself at one shift only. */
export function sweep(seconds: number): number {
  return 0.6 * Math.sin(2 * Math.PI * (200 * seconds + 2500 * seconds * seconds));
}
