import { createFlacDecoder } from '../../src/audio/decoders/flac-decoder.ts';
import { bytesOf } from '../../src/audio/sample-conversion.ts';
import { Pattern } from './pattern.ts';
import { type KnownPattern, StreamTruth } from './stream-truth.ts';
import { endlessRatesHz, steadyStreams, swellingStream, toneRateHz } from './streams.ts';
import { SwellingPattern } from './swelling-pattern.ts';
import { TonePattern } from './tone-pattern.ts';

const rateInPcmHeader = 24;
const rateInStreamInfo = 18;

/**
 * All streams by their codec header. Every stream of the run has a sample rate of its own, so the
 * header alone says which one it is.
 */
export class StreamTruths {
  readonly #byRate = new Map<number, StreamTruth>();

  /** Failure: throws when the header is none that the run knows. */
  of(codec: string, header: Buffer): StreamTruth {
    const rateHz = rateOf(codec, header);
    const known = this.#byRate.get(rateHz);
    if (known) return known;
    const truth = new StreamTruth({
      name: `${codec} ${rateHz}`,
      rateHz,
      pattern: patternOf(rateHz),
      decode: decoderFor(codec, Buffer.from(header)),
    });
    this.#byRate.set(rateHz, truth);
    return truth;
  }

  /** Those that nothing is done to. */
  steady() {
    return steadyStreams.flatMap(({ name: stream, rateHz }) => {
      const truth = this.#byRate.get(rateHz);
      return truth ? [{ name: truth.name, jumps: truth.jumps, stream }] : [];
    });
  }
}

function patternOf(rateHz: number): KnownPattern | undefined {
  if (rateHz === swellingStream.rateHz) return new SwellingPattern(rateHz);
  if (rateHz === toneRateHz) return new TonePattern(rateHz);
  return endlessRatesHz.includes(rateHz) ? new Pattern(rateHz) : undefined;
}

/** The decoder is checked elsewhere. */
function decoderFor(codec: string, header: Buffer) {
  if (codec === 'pcm') return undefined;
  const decoder = createFlacDecoder(header);
  return (payload: Buffer) => bytesOf(decoder.decode(payload));
}

function rateOf(codec: string, header: Buffer): number {
  if (codec === 'pcm') return header.readUInt32LE(rateInPcmHeader);
  if (codec === 'flac') return header.readUInt32BE(rateInStreamInfo) >>> 12;
  throw new Error(`a codec that no stream has: ${codec}`);
}
