import { assert, SourceError } from '../../base/errors.ts';
import { loadNativeAddon, type NativeAddonResult } from '../../base/native/native-addon.ts';
import type { Chunk } from '../chunk.ts';
import { samplesOf } from '../sample-conversion.ts';
import { SampleFormat } from '../sample-format.ts';
import type { Codec, Emit, EncodedElsewhere, Encoder, EncoderContext } from './encoder.ts';
import { flacHeader, isRateSelfDescribing } from './flac-header.ts';
import type { FlacStream, FlacStreamSettings, FlacWork } from './flac-library.ts';
import { maxNumberGrowthBytes, renumberFlacFrame } from './flac-numbers.ts';
import { libflacjsName, loadLibflacjs, openLibflacjs, warmUp } from './libflacjs.ts';
import { findSystemLibflac } from './system-libflac.ts';

const defaultLevel = 2;
/** Levels up to this use short blocks, as upstream does: microcontrollers have RAM for no more. */
const lastShortLevel = 2;
const shortBlockFrames = 1152;
const longBlockFrames = 4096;
/** A long block of more channels than this would keep the event loop for too long. */
const maxLongBlockChannels = 2;

/** Lossless, about half of the bytes; what clients get unless told otherwise. */
export const flacCodec: Codec = {
  name: 'flac',
  help:
    `flac[:level]: lossless; level 0 (fast) to 8 (small), default ${defaultLevel}; ` +
    `of 32 bits the upper 24 are sent; levels 0 to ${lastShortLevel} send ${shortBlockFrames} samples per chunk, ` +
    `higher ones ${longBlockFrames} up to ${maxLongBlockChannels} channels`,
  create: (context) =>
    createFlacEncoder(context, (settings) => openFlacStream(loadNativeAddon(), settings)),
  warmUp: async ({ format, options }) => {
    const level = parseLevel(options);
    checkFormat(format);
    if ('reason' in findSystemLibflac(loadNativeAddon())) {
      await warmUp(await loadLibflacjs(), { format: sentFormat(format), level });
    }
  },
};

/** Failure: rejects with a `SourceError` that says what options and formats are allowed. */
export async function createFlacEncoder(
  { format, options, pool }: EncoderContext,
  open: (settings: FlacStreamSettings) => FlacStream | Promise<FlacStream>,
): Promise<Encoder> {
  const level = parseLevel(options);
  checkFormat(format);
  const isShort = level <= lastShortLevel || format.channels > maxLongBlockChannels;
  const blockFrames = isShort ? shortBlockFrames : longBlockFrames;
  const sent = sentFormat(format);
  const stream = await open({ format: sent, level, blockFrames });
  return new FlacEncoder(stream, { format: sent, isWide: format.bits === 32, blockFrames, pool });
}

/** Which library encodes FLAC here, with its version, for people. */
export function flacLibraryInUse(native: NativeAddonResult): {
  readonly name: string;
  /** Why it is not the system's, which is many times faster. */
  readonly reason?: string;
} {
  const found = findSystemLibflac(native);
  return 'reason' in found ? { name: libflacjsName, reason: found.reason } : { name: found.name };
}

/** By the library that is in use. Failure: rejects with a `SourceError`. */
export async function openFlacStream(
  native: NativeAddonResult,
  settings: FlacStreamSettings,
): Promise<FlacStream> {
  const found = findSystemLibflac(native);
  return 'reason' in found ? openLibflacjs(settings) : found.open(settings);
}

interface FlacSettings extends Pick<EncoderContext, 'format' | 'pool'> {
  readonly blockFrames: number;
  /** The PCM has 32 bits, of which the upper 24 are sent. */
  readonly isWide: boolean;
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
  readonly memoryFrames = 0;
  readonly maxPaddingFrames = 0;
  readonly #pool: EncoderContext['pool'];
  /** Frames handed to the library at once. */
  readonly #sliceFrames: number;
  readonly #stream: FlacStream;
  readonly #isWide: boolean;
  /** Samples of 24 bits of a slice, of those that come in with more. */
  #narrowed = new Int32Array(0);
  #hasInput = false;
  /** The number of the next frame, where the library counts from another one. */
  #number: number | undefined;
  #closed = false;

  constructor(stream: FlacStream, { format, blockFrames, isWide, pool }: FlacSettings) {
    this.format = format;
    this.blockFrames = blockFrames;
    this.#pool = pool;
    this.#sliceFrames = Math.floor(stream.maxSamples / format.channels);
    this.#isWide = isWide;
    this.header = flacHeader(format, blockFrames);
    this.#stream = stream;
    try {
      this.#stream.begin();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  encode(pcm: Chunk, startFrame: number, emit: Emit): number | undefined | EncodedElsewhere {
    let next: number | undefined;
    let blocks: number | Promise<FlacWork>;
    try {
      assert(!this.#closed, 'a flac encoder was used after it was closed');
      const leftFrames = pcm.payloadBytes / this.format.frameBytes - startFrame;
      const frames = Math.min(leftFrames, this.#sliceFrames);
      if (frames === 0) return undefined;
      this.#hasInput = true;
      blocks = this.#isWide
        ? this.#stream.process(this.#narrow(pcm, startFrame, frames), 0, frames)
        : // Not `payload`, which would make a view each time.
          this.#stream.process(pcm.readable, startFrame, frames);
      if (frames < leftFrames) next = startFrame + frames;
    } finally {
      if (next === undefined) pcm.release();
    }
    if (typeof blocks !== 'number') return this.#emitLater(blocks, emit);
    this.#emit(blocks, emit);
    return next;
  }

  flush(emit: Emit): undefined | EncodedElsewhere {
    assert(!this.#closed, 'a flac encoder was used after it was closed');
    if (!this.#hasInput) return undefined;
    const blocks = this.#stream.finish();
    this.#stream.begin();
    this.#hasInput = false;
    if (typeof blocks !== 'number') return this.#emitLast(blocks, emit);
    this.#emit(blocks, emit);
    this.#number = undefined;
    return undefined;
  }

  continueBehind(blocks: number): void {
    this.#number = blocks;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
  }

  /** Others may still look at the PCM: it is not changed in its place. */
  #narrow({ payload }: Chunk, startFrame: number, frames: number): Uint8Array {
    const { channels } = this.format;
    const count = frames * channels;
    if (this.#narrowed.length < count) this.#narrowed = new Int32Array(count);
    const target = this.#narrowed;
    const samples = samplesOf(payload, this.format).subarray(startFrame * channels);
    for (let index = 0; index < count; index += 1) target[index] = samples[index]! >> 8;
    return new Uint8Array(target.buffer, 0, 4 * count);
  }

  async #emitLater(work: Promise<FlacWork>, emit: Emit): EncodedElsewhere {
    const { blocks, tookUs } = await work;
    const startMs = performance.now();
    this.#emit(blocks, emit);
    return tookUs + (performance.now() - startMs) * 1000;
  }

  async #emitLast(work: Promise<FlacWork>, emit: Emit): EncodedElsewhere {
    const tookUs = await this.#emitLater(work, emit);
    this.#number = undefined;
    return tookUs;
  }

  #emit(count: number, emit: Emit): void {
    if (count === 0) return;
    const { blocks } = this.#stream;
    for (let index = 0; index < count; index += 1) {
      const bytes = blocks[2 * index]!;
      const frames = blocks[2 * index + 1]!;
      const chunk = this.#pool.acquire(bytes + maxNumberGrowthBytes, 'flac encoder');
      this.#stream.take(chunk.writable);
      chunk.payloadBytes = this.#numbered(chunk.writable, bytes);
      emit(chunk, frames);
    }
  }

  /** Returns how long the frame is with its number. */
  #numbered(frame: Uint8Array, bytes: number): number {
    if (this.#number === undefined) return bytes;
    this.#number += 1;
    return renumberFlacFrame(frame, bytes, this.#number - 1);
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

/** FLAC has 32 bits only since libFLAC 1.4, and no player reads them. */
function sentFormat(format: SampleFormat): SampleFormat {
  const { rateHz, channels } = format;
  return format.bits === 32 ? new SampleFormat({ rateHz, channels, bits: 24 }) : format;
}

function checkFormat({ rateHz }: SampleFormat): void {
  if (!isRateSelfDescribing(rateHz)) {
    throw new SourceError(
      'bad-codec-format',
      `flac frames cannot spell a rate of ${rateHz} Hz, so some clients could not play them: use a ` +
        'rate up to 65535 Hz, a multiple of 10 Hz up to 655350 Hz, or codec pcm',
    );
  }
}
