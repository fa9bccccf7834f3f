import { SourceError } from '../../base/errors.ts';
import { inSlices } from '../../base/time/in-slices.ts';
import { bytesOf, newSamples, type Samples, samplesOf } from '../sample-conversion.ts';
import { SampleFormat } from '../sample-format.ts';
import { maxEncodeSamples } from './encoder.ts';
import {
  type FlacStream,
  type FlacStreamSettings,
  flacFault,
  newBlockList,
} from './flac-library.ts';
import { FlacThread } from './flac-thread.ts';

/** A block that takes longer, at its best, could keep the event loop for longer than players can wait. */
const maxBlockUs = 3000;
const warmUpFrames = 256;
const warmUpBlocks = 200;

/**
 * What we use of `libflacjs`: libFLAC 1.3.4 compiled to plain JavaScript, with one heap for all
 * encoders of the process that grows on demand.
 */
interface Libflacjs {
  readonly _module: {
    /** Replaced when the heap grows: never keep it. */
    readonly HEAP32: Int32Array;
    _malloc(bytes: number): number;
    _free(address: number): void;
    _FLAC__stream_encoder_new(): number;
    _FLAC__stream_encoder_set_verify(encoder: number, verify: number): number;
    _FLAC__stream_encoder_set_channels(encoder: number, channels: number): number;
    _FLAC__stream_encoder_set_bits_per_sample(encoder: number, bits: number): number;
    _FLAC__stream_encoder_set_sample_rate(encoder: number, rateHz: number): number;
    _FLAC__stream_encoder_set_compression_level(encoder: number, level: number): number;
    _FLAC__stream_encoder_set_blocksize(encoder: number, frames: number): number;
    _FLAC__stream_encoder_process_interleaved(
      encoder: number,
      samples: number,
      frames: number,
    ): number;
    _FLAC__stream_encoder_finish(encoder: number): number;
  };
  /** The callback gets a copy of the bytes; `samples` is 0 for what belongs to the header. */
  init_encoder_stream(
    encoder: number,
    write: (bytes: Uint8Array, byteCount: number, samples: number) => void,
  ): number;
  FLAC__stream_encoder_get_state(encoder: number): number;
  /** Frees everything; samples that wait for their frame are dropped. */
  FLAC__stream_encoder_delete(encoder: number): void;
}

/** A megabyte of source text: loaded when first needed. Failure: rejects with a `SourceError`. */
export async function loadLibflacjs(): Promise<Libflacjs> {
  try {
    // The file is named because the package's index sets an environment variable when it loads,
    // and its WebAssembly builds do not load in Node 20.
    const { default: flac } = await import('libflacjs/dist/libflac.js');
    if (!flac.isReady()) await new Promise((resolve) => flac.on('ready', resolve));
    return flac as unknown as Libflacjs;
  } catch (cause) {
    throw new SourceError('flac-unavailable', 'the flac library does not load: reinstall it', {
      cause,
    });
  }
}

/** For people. */
export const libflacjsName = 'libFLAC 1.3.4 in JavaScript';

/**
 * Loads it, and runs what such a stream needs; encodes in a thread of its own what would keep the
 * event loop for too long here.
 *
 * Failure: rejects with a `SourceError`.
 */
export async function openLibflacjs(settings: FlacStreamSettings): Promise<FlacStream> {
  const flac = await loadLibflacjs();
  const sampleUs = await warmUp(flac, settings);
  const { format, blockFrames } = settings;
  const blockUs = sampleUs * format.channels * blockFrames;
  return blockUs > maxBlockUs ? FlacThread.open(settings) : new LibflacjsStream(flac, settings);
}

export class LibflacjsStream implements FlacStream {
  readonly maxSamples = maxEncodeSamples;
  readonly blocks = newBlockList();
  readonly #flac: Libflacjs;
  readonly #settings: FlacStreamSettings;
  readonly #encoder: number;
  readonly #input: number;
  #written: Uint8Array[] = [];
  #closed = false;

  constructor(flac: Libflacjs, settings: FlacStreamSettings) {
    this.#flac = flac;
    this.#settings = settings;
    this.#encoder = flac._module._FLAC__stream_encoder_new();
    this.#input = flac._module._malloc(maxEncodeSamples * Int32Array.BYTES_PER_ELEMENT);
    if (this.#encoder !== 0 && this.#input !== 0) return;
    this.close();
    throw flacFault('out of memory');
  }

  begin(): void {
    const { _module: module } = this.#flac;
    const encoder = this.#encoder;
    const { format, level, blockFrames } = this.#settings;
    // The library forgot its settings in `finish`.
    module._FLAC__stream_encoder_set_verify(encoder, 0);
    module._FLAC__stream_encoder_set_channels(encoder, format.channels);
    module._FLAC__stream_encoder_set_bits_per_sample(encoder, format.bits);
    module._FLAC__stream_encoder_set_sample_rate(encoder, format.rateHz);
    module._FLAC__stream_encoder_set_compression_level(encoder, level);
    module._FLAC__stream_encoder_set_blocksize(encoder, blockFrames);
    const status = this.#flac.init_encoder_stream(encoder, (bytes, _byteCount, samples) => {
      if (samples === 0) return;
      this.blocks[2 * this.#written.length] = bytes.length;
      this.blocks[2 * this.#written.length + 1] = samples;
      this.#written.push(bytes);
    });
    if (status !== 0) throw flacFault(`it refused ${format} with status ${status}`);
  }

  process(pcm: Uint8Array, startFrame: number, frames: number): number {
    const { _module: module } = this.#flac;
    const { format } = this.#settings;
    const { channels } = format;
    const samples = samplesOf(pcm, format);
    const part = samples.subarray(startFrame * channels, (startFrame + frames) * channels);
    const start = this.#input / Int32Array.BYTES_PER_ELEMENT;
    module.HEAP32.subarray(start, start + part.length).set(part);
    return this.#demand(() =>
      module._FLAC__stream_encoder_process_interleaved(this.#encoder, this.#input, frames),
    );
  }

  finish(): number {
    return this.#demand(() => this.#flac._module._FLAC__stream_encoder_finish(this.#encoder));
  }

  take(target: Uint8Array): void {
    target.set(this.#written.shift()!);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#encoder !== 0) this.#flac.FLAC__stream_encoder_delete(this.#encoder);
    if (this.#input !== 0) this.#flac._module._free(this.#input);
  }

  #demand(call: () => number): number {
    this.#written = [];
    let isDone: number;
    try {
      isDone = call();
    } catch (cause) {
      throw flacFault('it crashed', cause);
    }
    if (isDone !== 0) return this.#written.length;
    throw flacFault(`its state is ${this.#flac.FLAC__stream_encoder_get_state(this.#encoder)}`);
  }
}

type FlacKind = Pick<FlacStreamSettings, 'format' | 'level'>;

/** What a sample costs, in microseconds, by the kinds of code that have been compiled in this thread. */
const warm = new Map<string, Promise<number>>();

/** Resolves with the microseconds that a sample costs. */
export async function warmUp(flac: Libflacjs, { format, level }: FlacKind): Promise<number> {
  const kind = `level ${level}, ${format.bits > 16 ? 'wide' : 'narrow'}`;
  const cost = warm.get(kind) ?? compile(flac, { format, level });
  warm.set(kind, cost);
  return cost;
}

/**
 * Encodes until the code that such a stream needs is compiled: the first long block would take 30 ms,
 * and a player that has just joined waits for many of them. In short blocks it is a matter of turns.
 */
async function compile(flac: Libflacjs, { format, level }: FlacKind): Promise<number> {
  const stereo = new SampleFormat({ rateHz: 48_000, bits: format.bits, channels: 2 });
  const stream = new LibflacjsStream(flac, { format: stereo, level, blockFrames: warmUpFrames });
  const samples = newSamples(warmUpFrames * stereo.channels, stereo);
  const pcm = bytesOf(samples);
  stream.begin();
  let leastUs = Number.POSITIVE_INFINITY;
  await inSlices(warmUpBlocks, () => {
    fillWithNoise(samples, stereo.bits);
    const startMs = performance.now();
    const made = stream.process(pcm, 0, warmUpFrames);
    // Each call but the first completes a block. On a busy machine most are longer than they need be.
    if (made > 0) leastUs = Math.min(leastUs, (performance.now() - startMs) * 1000);
  });
  stream.close();
  return leastUs / samples.length;
}

/** A tone with noise: silence would take shortcuts. */
function fillWithNoise(samples: Samples, bits: number): void {
  for (let index = 0; index < samples.length; index += 1) {
    const value = Math.sin(index / 30) + 0.1 * Math.random();
    samples[index] = Math.round(value * 2 ** (bits - 3));
  }
}
