import { createDecoder } from '../../src/audio/decoders/decoders.ts';
import type { MixEnd, MixInput, MixSettings } from '../../src/audio/mix-input.ts';
import { bytesOf, newSamples, samplesOf } from '../../src/audio/sample-conversion.ts';
import type { SampleFormat } from '../../src/audio/sample-format.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, decodeWireChunk } from '../../src/protocol/messages.ts';
import type { ScriptedClient } from './scripted-client.ts';

export const plainMix: MixSettings = {
  duckDb: -15,
  attackMs: 250,
  holdMs: 200,
  releaseMs: 800,
  fadeInMs: 5,
  fadeOutMs: 20,
  leadMs: 0,
  tailMs: 0,
  gainDb: 0,
  wakeMs: 300,
};

/** Sound that a test makes, of a given number of frames; in pieces of any length. */
export class TestSound implements MixInput {
  readonly #sample: (frame: number) => number;
  readonly #channels: number;
  readonly #frames: number;
  /** Frames that may be read so far: fewer than all are a stall. */
  limit = Number.POSITIVE_INFINITY;
  /** What the next read throws. */
  fault: Error | undefined;
  read_ = 0;
  closed = 0;

  constructor(channels: number, frames: number, sample: (frame: number) => number) {
    this.#channels = channels;
    this.#frames = frames;
    this.#sample = sample;
  }

  get hasEnded(): boolean {
    return this.read_ >= this.#frames;
  }

  read(target: Float32Array): number {
    if (this.fault) throw this.fault;
    const left = Math.min(this.#frames, this.limit) - this.read_;
    const frames = Math.max(0, Math.min(left, target.length / this.#channels));
    for (let index = 0; index < frames * this.#channels; index += 1) {
      target[index] = this.#sample(this.read_ + Math.floor(index / this.#channels));
    }
    this.read_ += frames;
    return frames;
  }

  close(): void {
    this.closed += 1;
  }
}

/** What was told of the ends of mixes. */
export class MixEnds {
  readonly reasons: MixEnd[] = [];
  readonly note = (reason: MixEnd): void => {
    this.reasons.push(reason);
  };
}

/** PCM of a wave, all channels alike. */
export function wavePcm(
  format: SampleFormat,
  { first, frames, sample }: { first: number; frames: number; sample: (frame: number) => number },
): Buffer {
  const samples = newSamples(frames * format.channels, format);
  const scale = 2 ** (format.bits - 1);
  for (let index = 0; index < samples.length; index += 1) {
    const value = Math.round(sample(first + Math.floor(index / format.channels)) * scale);
    samples[index] = Math.max(-scale, Math.min(scale - 1, value));
  }
  return bytesOf(samples);
}

/** One channel of PCM as numbers, full scale 1. */
export function channelOf(pcm: Buffer, format: SampleFormat, channel = 0): Float64Array {
  const samples = samplesOf(pcm, format);
  const scale = 2 ** (1 - format.bits);
  const frames = samples.length / format.channels;
  return Float64Array.from(
    { length: frames },
    (_, frame) => samples[frame * format.channels + channel]! * scale,
  );
}

export function sine(rateHz: number, hz: number, peak: number): (frame: number) => number {
  return (frame) => peak * Math.sin((2 * Math.PI * hz * frame) / rateHz);
}

/** Amplitude of one frequency in samples, by Goertzel; whole periods of it are measured. */
export function levelOf(samples: Float64Array, hz: number, rateHz: number): number {
  const angle = (2 * Math.PI * hz) / rateHz;
  let [cosines, sines] = [0, 0];
  for (const [index, sample] of samples.entries()) {
    cosines += sample * Math.cos(angle * index);
    sines += sample * Math.sin(angle * index);
  }
  return (2 * Math.hypot(cosines, sines)) / samples.length;
}

export function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}

/** What a player hears, by the times of its chunks. */
export interface Heard {
  readonly format: SampleFormat;
  readonly pcm: Buffer;
  readonly beginUs: number;
  /** Frames by which chunks do not follow upon each other, one for each time that it happens. */
  readonly gaps: readonly number[];
  readonly headers: number;
}

export async function heardBy({ received }: Pick<ScriptedClient, 'received'>): Promise<Heard> {
  const headers = received.filter(({ type }) => type === messageType.codecHeader);
  const { codec, payload } = decodeCodecHeader(headers[0]!.body);
  const decoder = await createDecoder(codec, payload);
  const { format } = decoder;
  const chunks = received
    .filter(({ type }) => type === messageType.wireChunk)
    .map(({ body }) => decodeWireChunk(body));
  const parts = chunks.map((chunk) => Buffer.from(decoder.decode(chunk.payload)));
  decoder.close();
  const gaps: number[] = [];
  for (const [index, { timestampUs }] of chunks.entries()) {
    if (index === 0) continue;
    const before = parts[index - 1]!.length / format.frameBytes;
    const endUs = chunks[index - 1]!.timestampUs + format.durationUs(before);
    const frames = (timestampUs - endUs) / format.durationUs(1);
    if (Math.abs(frames) > 0.6) gaps.push(frames);
  }
  const [first] = chunks;
  const beginUs = first ? first.timestampUs : 0;
  return { format, pcm: Buffer.concat(parts), beginUs, gaps, headers: headers.length };
}
