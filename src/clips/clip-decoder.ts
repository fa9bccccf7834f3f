import { createHash } from 'node:crypto';
import { resamplerRangeHz } from '../audio/encoders/resampler.ts';
import type { SampleFormat } from '../audio/sample-format.ts';
import { decoderProgram } from '../audio/sources/decoder-arguments.ts';
import { fileKindOf, kindHeadBytes } from '../audio/sources/file-kind.ts';
import { otherEncoding, readWavHeader, type WavLayout } from '../audio/sources/wav-header.ts';
import { codeOf, messageOf, SourceError } from '../base/errors.ts';
import { inSlices } from '../base/time/in-slices.ts';
import { type ClipAudio, clipAudioOf, pcmBytesIn } from './clip-audio.ts';
import { ClipCache } from './clip-cache.ts';
import { ClipError } from './clip-error.ts';
import { DecoderProgram } from './decoder-program.ts';

interface DecodeOptions {
  /** Longer clips are refused. */
  readonly maxSeconds: number;
  /** What the bytes are when no other kind is recognised; absent: nothing of ours. */
  readonly rawFormat?: SampleFormat | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Hashed at a time: about 1 ms. */
const hashSliceBytes = 512 * 1024;

/**
 * Turns the bytes of sound files into samples: WAV and raw PCM by itself, all else by `ffmpeg`. What
 * was decoded lately is kept.
 */
export class ClipDecoder {
  readonly #cache = new ClipCache();
  readonly #program: DecoderProgram;

  /** `program` is where `ffmpeg` usually lies; it is also looked for by `PATH`. */
  constructor({ program = decoderProgram }: { readonly program?: string } = {}) {
    this.#program = new DecoderProgram(program);
  }

  /**
   * Ownership: `bytes` must stay as they are until then.
   * Failure: rejects with a `ClipError` that says why this is no clip, with the code
   * `decoder-missing` when `ffmpeg` would be needed, or by the reason of `signal`.
   */
  async decode(bytes: Uint8Array, options: DecodeOptions): Promise<ClipAudio> {
    const { maxSeconds, rawFormat, signal } = options;
    const key = `${await hashOf(bytes, signal)} ${rawFormat ?? ''}`;
    const known = this.#cache.get(key);
    const audio = known ?? (await this.#decodeAnew(bytes, options));
    if (audio.durationMs > maxSeconds * 1000) throw tooLong(maxSeconds);
    if (!known) this.#cache.put(key, audio);
    return audio;
  }

  /** Ends the programs that decode. */
  close(): Promise<void> {
    return this.#program.close();
  }

  async #decodeAnew(bytes: Uint8Array, options: DecodeOptions): Promise<ClipAudio> {
    const { rawFormat, signal } = options;
    signal?.throwIfAborted();
    const wav = layoutOf(bytes);
    if (wav === 'other') return this.#byProgram(bytes, options);
    if (wav) return wavAudio(bytes, wav, options);
    const head = Buffer.from(bytes.subarray(0, kindHeadBytes));
    const kind = fileKindOf(head);
    if (kind && kind.use !== 'decode') {
      throw new ClipError('bad-clip', `it is ${kind.name}, not a sound`);
    }
    if (!kind && rawFormat) {
      const layout = { format: rawFormat, isFloat: false, bigEndian: false, unsigned: false };
      return pcmAudio(bytes, layout, options);
    }
    return this.#byProgram(bytes, options);
  }

  /** The program writes WAV, which says the rate and channels by itself. */
  async #byProgram(bytes: Uint8Array, options: DecodeOptions): Promise<ClipAudio> {
    const output = await this.#program.decode(bytes, options);
    const wav = layoutOf(output);
    if (wav === undefined || wav === 'other') {
      throw new ClipError('bad-clip', 'ffmpeg found no sound in it');
    }
    return wavAudio(output, wav, options);
  }
}

/** Failure: throws a `ClipError`. */
function layoutOf(bytes: Uint8Array): WavLayout | 'other' | undefined {
  try {
    return readWavHeader(bytes, { allowsFloat: true });
  } catch (error) {
    if (codeOf(error) === otherEncoding) return 'other';
    if (error instanceof SourceError) throw new ClipError('bad-clip', messageOf(error));
    throw error;
  }
}

function wavAudio(bytes: Uint8Array, wav: WavLayout, options: DecodeOptions): Promise<ClipAudio> {
  // A header may promise more than there is.
  const pcm = bytes.subarray(wav.dataStart, Math.min(wav.dataEnd, bytes.length));
  return pcmAudio(pcm, { ...wav, unsigned: wav.format.bits === 8 }, options);
}

async function pcmAudio(
  pcm: Uint8Array,
  layout: Parameters<typeof clipAudioOf>[1],
  { maxSeconds, signal }: DecodeOptions,
): Promise<ClipAudio> {
  const { rateHz } = layout.format;
  const { lowest, highest } = resamplerRangeHz;
  if (rateHz < lowest || rateHz > highest) {
    throw new ClipError('bad-clip', `its rate is ${rateHz} Hz; allowed: ${lowest} to ${highest}`);
  }
  if (pcm.length > pcmBytesIn(maxSeconds, layout)) throw tooLong(maxSeconds);
  const audio = await clipAudioOf(pcm, layout, signal);
  if (audio.samples.length === 0) throw new ClipError('bad-clip', 'it holds no sound');
  return audio;
}

function tooLong(maxSeconds: number): ClipError {
  return new ClipError('clip-too-long', `it lasts longer than ${maxSeconds} s`);
}

async function hashOf(bytes: Uint8Array, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  let at = 0;
  await inSlices(Math.ceil(bytes.length / hashSliceBytes), () => {
    signal?.throwIfAborted();
    hash.update(bytes.subarray(at, at + hashSliceBytes));
    at += hashSliceBytes;
  });
  return hash.digest('hex');
}
