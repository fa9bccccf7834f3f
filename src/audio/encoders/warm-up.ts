import { SourceError } from '../../base/errors.ts';
import { ChunkPool } from '../chunk-pool.ts';
import type { SampleFormat } from '../sample-format.ts';
import { parseCodec } from './codecs.ts';
import type { Encoder } from './encoder.ts';

export interface EncoderKind {
  /** `name[:options]` */
  readonly codec: string;
  readonly format: SampleFormat;
}

/**
 * Loads what such encoders are made of and has them compile their code, so that later ones are there
 * at once. Kinds that cannot be are left out: the caller that opens a stream of one learns why.
 */
export async function warmUpEncoders(kinds: readonly EncoderKind[]): Promise<void> {
  const pool = new ChunkPool({});
  const encoders: Encoder[] = [];
  for (const { codec: spec, format } of kinds) {
    try {
      const { codec, options } = parseCodec(spec);
      if (codec.warmUp) await codec.warmUp({ format, options });
      else encoders.push(await codec.create({ format, options, pool }));
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
    }
  }
  // Not one by one, as what is closed may be used again instead of being made.
  for (const encoder of encoders) encoder.close();
  pool.close();
}
