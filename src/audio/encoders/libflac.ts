import { SourceError } from '../../base/errors.ts';

/**
 * What we use of `libflacjs`: libFLAC 1.3.4 compiled to plain JavaScript, with one heap for all
 * encoders of the process that grows on demand.
 */
export interface Libflac {
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
export async function loadLibflac(): Promise<Libflac> {
  try {
    // The file is named because the package's index sets an environment variable when it loads,
    // and its WebAssembly builds do not load in Node 20.
    const { default: flac } = await import('libflacjs/dist/libflac.js');
    if (!flac.isReady()) await new Promise((resolve) => flac.on('ready', resolve));
    return flac as unknown as Libflac;
  } catch (cause) {
    throw new SourceError('flac-unavailable', 'the flac library does not load: reinstall it', {
      cause,
    });
  }
}
