import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Pattern } from './pattern.mjs';
import { StreamTruth } from './stream-truth.mjs';
import { steadyStreams, swellingStream } from './streams.mjs';
import { SwellingPattern } from './swelling-pattern.mjs';

const rateInPcmHeader = 24;
const rateInStreamInfo = 18;

/**
 * All streams by their codec header. Every stream of the run has a sample rate of its own, so the
 * header alone says which one it is.
 */
export class StreamTruths {
  byRate = new Map();
  #createFlacDecoder;
  #endless;

  /**
   * Shape: `build` is the folder of the server's build, whose FLAC decoder is checked elsewhere;
   * `endless` the rates of the streams that are an uninterrupted pattern.
   */
  static async load({ build, endless }) {
    const file = pathToFileURL(join(build, 'audio', 'decoders', 'flac-decoder.js'));
    const { createFlacDecoder } = await import(file.href);
    return new StreamTruths(createFlacDecoder, new Set(endless));
  }

  constructor(createFlacDecoder, endless) {
    this.#createFlacDecoder = createFlacDecoder;
    this.#endless = endless;
  }

  /** Failure: throws when the header is none that the run knows. */
  of(codec, header) {
    const rateHz = rateOf(codec, header);
    const known = this.byRate.get(rateHz);
    if (known) return known;
    const truth = new StreamTruth({
      name: `${codec} ${rateHz}`,
      rateHz,
      pattern: this.#patternOf(rateHz),
      decode: this.#decoderFor(codec, Buffer.from(header)),
    });
    this.byRate.set(rateHz, truth);
    return truth;
  }

  /** Those that nothing is done to. */
  steady() {
    return steadyStreams.flatMap(({ name: stream, rateHz }) => {
      const truth = this.byRate.get(rateHz);
      return truth ? [{ name: truth.name, jumps: truth.jumps, stream }] : [];
    });
  }

  #patternOf(rateHz) {
    if (rateHz === swellingStream.rateHz) return new SwellingPattern(rateHz);
    return this.#endless.has(rateHz) ? new Pattern(rateHz) : undefined;
  }

  #decoderFor(codec, header) {
    if (codec === 'pcm') return undefined;
    const decoder = this.#createFlacDecoder(header);
    return (payload) => decoder.decode(payload);
  }
}

function rateOf(codec, header) {
  if (codec === 'pcm') return header.readUInt32LE(rateInPcmHeader);
  if (codec === 'flac') return header.readUInt32BE(rateInStreamInfo) >>> 12;
  throw new Error(`a codec that no stream has: ${codec}`);
}
