import { assert, SourceError } from '../../base/errors.ts';
import type { Chunk } from '../chunk.ts';
import { ChunkPool } from '../chunk-pool.ts';
import { type Samples, samplesOf } from '../sample-conversion.ts';
import { SampleFormat } from '../sample-format.ts';
import {
  type Codec,
  type Emit,
  type Encoder,
  type EncoderContext,
  maxEncodeSamples,
} from './encoder.ts';
import { flacHeader, isRateSelfDescribing } from './flac-header.ts';
import { inSlices } from './in-slices.ts';
import { type Libflac, loadLibflac } from './libflac.ts';

const defaultLevel = 2;
/** Levels up to this use short blocks, as upstream does: microcontrollers have RAM for no more. */
const lastShortLevel = 2;
const shortBlockFrames = 1152;
const longBlockFrames = 4096;
/** A long block of more channels than this would keep the event loop for too long. */
const maxLongBlockChannels = 2;
const warmUpFrames = 256;
const warmUpBlocks = 200;

/** Lossless, about half of the bytes; what clients get unless told otherwise. */
export const flacCodec: Codec = {
  name: 'flac',
  help:
    `flac[:level]: lossless; level 0 (fast) to 8 (small), default ${defaultLevel}; ` +
    `levels 0 to ${lastShortLevel} send ${shortBlockFrames} samples per chunk, ` +
    `higher ones ${longBlockFrames} up to ${maxLongBlockChannels} channels`,
  create: async ({ format, options, pool }) => {
    const level = parseLevel(options);
    checkFormat(format);
    const flac = await loadLibflac();
    await warmUp(flac, { format, level });
    const isShort = level <= lastShortLevel || format.channels > maxLongBlockChannels;
    const blockFrames = isShort ? shortBlockFrames : longBlockFrames;
    return new FlacEncoder(flac, { format, level, blockFrames, pool });
  },
};

interface FlacSettings extends Omit<EncoderContext, 'options'> {
  readonly level: number;
  readonly blockFrames: number;
}

/**
 * Cuts the samples into blocks and emits each as one chunk with one FLAC frame.
 *
 * The library wants one sample more than a block before it releases the block.
 */
class FlacEncoder implements Encoder {
  readonly header: Uint8Array;
  readonly format: SampleFormat;
  readonly delayFrames = 0;
  readonly blockFrames: number;
  /** By which the library knows that a block is not the last one. */
  readonly blockLookAheadFrames = 1;
  readonly maxPaddingFrames = 0;
  readonly #flac: Libflac;
  readonly #settings: FlacSettings;
  /** Frames handed to the library at once. */
  readonly #sliceFrames: number;
  readonly #encoder: number;
  readonly #input: number;
  /** Frames that the library wrote: emitted only after it has returned. */
  #written: { readonly bytes: Uint8Array; readonly samples: number }[] = [];
  #hasInput = false;
  #closed = false;

  constructor(flac: Libflac, settings: FlacSettings) {
    this.#flac = flac;
    this.#settings = settings;
    this.format = settings.format;
    const { channels } = settings.format;
    this.blockFrames = settings.blockFrames;
    this.#sliceFrames = Math.floor(maxEncodeSamples / channels);
    this.header = flacHeader(this.format, settings.blockFrames);
    this.#encoder = flac._module._FLAC__stream_encoder_new();
    this.#input = flac._module._malloc(this.#sliceFrames * channels * 4);
    try {
      if (this.#encoder === 0 || this.#input === 0) throw this.#fault('out of memory');
      this.#begin();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  encode(pcm: Chunk, startFrame: number, emit: Emit): number | undefined {
    let next: number | undefined;
    try {
      assert(!this.#closed, 'a flac encoder was used after it was closed');
      next = this.#process(samplesOf(pcm.payload, this.format), startFrame);
    } finally {
      if (next === undefined) pcm.release();
    }
    this.#emitWritten(emit);
    return next;
  }

  flush(emit: Emit): void {
    assert(!this.#closed, 'a flac encoder was used after it was closed');
    if (!this.#hasInput) return;
    this.#finish();
    this.#begin();
    this.#emitWritten(emit);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { _module: module } = this.#flac;
    if (this.#encoder !== 0) this.#flac.FLAC__stream_encoder_delete(this.#encoder);
    if (this.#input !== 0) module._free(this.#input);
    this.#written = [];
  }

  /** Starts a stream with frame number 0; the library forgot its settings in `finish`. */
  #begin(): void {
    const { _module: module } = this.#flac;
    const encoder = this.#encoder;
    const { rateHz, bits, channels } = this.format;
    module._FLAC__stream_encoder_set_verify(encoder, 0);
    module._FLAC__stream_encoder_set_channels(encoder, channels);
    module._FLAC__stream_encoder_set_bits_per_sample(encoder, bits);
    module._FLAC__stream_encoder_set_sample_rate(encoder, rateHz);
    module._FLAC__stream_encoder_set_compression_level(encoder, this.#settings.level);
    module._FLAC__stream_encoder_set_blocksize(encoder, this.#settings.blockFrames);
    const status = this.#flac.init_encoder_stream(encoder, (bytes, _byteCount, samples) => {
      if (samples > 0) this.#written.push({ bytes, samples });
    });
    if (status !== 0) throw this.#fault(`it refused ${this.format} with status ${status}`);
    this.#hasInput = false;
  }

  /** Returns the frame to go on from; nothing at the end. */
  #process(samples: Samples, startFrame: number): number | undefined {
    const { _module: module } = this.#flac;
    const { channels } = this.format;
    const start = startFrame * channels;
    const slice = samples.subarray(start, start + this.#sliceFrames * channels);
    if (slice.length === 0) return undefined;
    const heap = module.HEAP32.subarray(this.#input / 4, this.#input / 4 + slice.length);
    heap.set(slice);
    this.#hasInput = true;
    const frames = slice.length / channels;
    const ok = this.#guard(() =>
      module._FLAC__stream_encoder_process_interleaved(this.#encoder, this.#input, frames),
    );
    if (ok === 0) throw this.#fault(this.#state());
    return start + slice.length < samples.length ? startFrame + frames : undefined;
  }

  #finish(): void {
    const { _module: module } = this.#flac;
    const ok = this.#guard(() => module._FLAC__stream_encoder_finish(this.#encoder));
    if (ok === 0) throw this.#fault(this.#state());
  }

  #emitWritten(emit: Emit): void {
    const written = this.#written;
    if (written.length === 0) return;
    this.#written = [];
    for (const { bytes, samples } of written) {
      const chunk = this.#settings.pool.acquire(bytes.length, 'flac encoder');
      chunk.writable.set(bytes);
      chunk.payloadBytes = bytes.length;
      emit(chunk, samples);
    }
  }

  #guard<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      throw this.#fault('it crashed', cause);
    }
  }

  #state(): string {
    return `its state is ${this.#flac.FLAC__stream_encoder_get_state(this.#encoder)}`;
  }

  #fault(what: string, cause?: unknown): SourceError {
    return new SourceError('flac-encoder', `the flac library failed: ${what}`, { cause });
  }
}

/** Kinds of code that have been compiled in this process. */
const warm = new Set<string>();

/**
 * Encodes until the code that such a stream needs is compiled: the first long block would take 30 ms,
 * and a player that has just joined waits for many of them. In short blocks it is a matter of turns.
 */
async function warmUp(flac: Libflac, { format, level }: Pick<FlacSettings, 'format' | 'level'>) {
  const kind = `level ${level}, ${format.bits > 16 ? 'wide' : 'narrow'}`;
  if (warm.has(kind)) return;
  warm.add(kind);
  const pool = new ChunkPool({});
  const emit = (chunk: Chunk) => chunk.release();
  const stereo = new SampleFormat({ rateHz: 48_000, bits: format.bits, channels: 2 });
  const settings = { format: stereo, level, blockFrames: warmUpFrames, pool };
  const encoder = new FlacEncoder(flac, settings);
  await inSlices(warmUpBlocks, () => {
    const chunk = pool.acquire(warmUpFrames * stereo.frameBytes, 'flac warm-up');
    chunk.payloadBytes = warmUpFrames * stereo.frameBytes;
    fillWithNoise(samplesOf(chunk.payload, stereo), stereo.bits);
    encoder.encode(chunk, 0, emit);
  });
  encoder.close();
  pool.close();
}

/** A tone with noise: silence would take shortcuts. */
function fillWithNoise(samples: Samples, bits: number): void {
  for (let index = 0; index < samples.length; index += 1) {
    const value = Math.sin(index / 30) + 0.1 * Math.random();
    samples[index] = Math.round(value * 2 ** (bits - 3));
  }
}

function parseLevel(options: string): number {
  if (options === '') return defaultLevel;
  if (/^[0-8]$/.test(options)) return Number(options);
  throw new SourceError(
    'bad-codec-options',
    `"${options}" is no flac level: write a whole number of 0 to 8, for example flac:5`,
  );
}

function checkFormat({ bits, rateHz }: SampleFormat): void {
  if (bits === 32) {
    throw new SourceError(
      'bad-codec-format',
      'flac carries at most 24 bits here: use codec pcm, or a sample format of 24 or 16 bits',
    );
  }
  if (!isRateSelfDescribing(rateHz)) {
    throw new SourceError(
      'bad-codec-format',
      `flac frames cannot spell a rate of ${rateHz} Hz, so some clients could not play them: use a ` +
        'rate up to 65535 Hz, a multiple of 10 Hz up to 655350 Hz, or codec pcm',
    );
  }
}
