import { SourceError } from '../../base/errors.ts';
import type { Codec, Encoder, EncoderContext } from './encoder.ts';
import { flacCodec } from './flac-encoder.ts';
import { nullCodec } from './null-encoder.ts';
import { oggCodec } from './ogg-codec.ts';
import { opusCodec } from './opus-encoder.ts';
import { pcmCodec } from './pcm-encoder.ts';

/** Every codec that a stream can be sent in, by name. */
export const codecs: ReadonlyMap<string, Codec> = new Map(
  [flacCodec, opusCodec, pcmCodec, oggCodec, nullCodec].map((codec) => [codec.name, codec]),
);

/** Reads `name[:options]`, as `flac:5`. Failure: a `SourceError` that names the known codecs. */
export function parseCodec(spec: string): {
  readonly codec: Codec;
  /** What stands behind the first colon; empty without one. */
  readonly options: string;
} {
  const [name = '', ...rest] = spec.split(':');
  return { codec: codecNamed(name), options: rest.join(':').trim() };
}

/** The name in `name[:options]`, in small letters. */
export function codecName(spec: string): string {
  return spec.split(':', 1)[0]!.trim().toLowerCase();
}

/** The encoder for `name[:options]`. Failure: a `SourceError` that says what is allowed. */
export async function createEncoder(
  spec: string,
  context: Omit<EncoderContext, 'options'>,
): Promise<Encoder> {
  const { codec, options } = parseCodec(spec);
  return codec.create({ ...context, options });
}

/** What `--stream.codec=<name>:?` prints. *Failure:* throws a `SourceError` for an unknown name. */
export function codecHelp(name: string): string {
  return codecNamed(name).help;
}

function codecNamed(text: string): Codec {
  const name = codecName(text);
  const codec = codecs.get(name);
  if (codec) return codec;
  const known = [...codecs.keys()].join(', ');
  throw new SourceError('unknown-codec', `"${text}" is no codec: use one of ${known}`);
}
