import type { Encoder as LibopusEncoder } from '@evan/opus';
import { assert, messageOf, SourceError } from '../../base/errors.ts';
import type { Chunk } from '../chunk.ts';
import { newSamples, type Samples, samplesOf } from '../sample-conversion.ts';
import { SampleFormat } from '../sample-format.ts';
import type { Codec, Emit, Encoder, EncoderContext } from './encoder.ts';
import { maxOpusInputFrames, OpusInput, opusChannels, opusRateHz } from './opus-input.ts';
import { type OpusOptions, opusOptionsHelp, parseOpusOptions } from './opus-options.ts';
import { resamplerRangeHz } from './resampler.ts';

/** 20 ms: the longest packet that every known client plays well (protocol reference, 4.3). */
const packetFrames = 960;

/** Requests of libopus' `opus_encoder_ctl`. */
const request = { setBitrate: 4002, setComplexity: 4010, getLookahead: 4027 } as const;

/** Lossy, for thin links; always 48 kHz, 16 bits, stereo on the wire. */
export const opusCodec: Codec = {
  name: 'opus',
  help: `opus[:options]: lossy, always 48000:16:2; ${opusOptionsHelp}`,
  create: async (context) => {
    const options = parseOpusOptions(context.options);
    checkFormat(context.format);
    const opus = await createLibopusEncoder(options);
    return new OpusEncoder(context, { opus, input: await OpusInput.create(context.format) });
  },
};

interface OpusParts {
  readonly opus: LibopusEncoder;
  readonly input: OpusInput;
}

/**
 * Emits one packet of 20 ms per chunk, whatever the length of the PCM chunks.
 *
 * `flush` pads with silence until all that came in can be heard, and counts the padding as frames,
 * because clients play it: a run ends on a whole packet.
 */
class OpusEncoder implements Encoder {
  readonly header: Uint8Array = opusHeader();
  readonly format = new SampleFormat({ rateHz: opusRateHz, bits: 16, channels: opusChannels });
  readonly delayFrames: number;
  readonly blockFrames = packetFrames;
  readonly blockLookAheadFrames = 0;
  readonly memoryFrames = 4 * packetFrames;
  readonly maxPaddingFrames: number;
  readonly #context: EncoderContext;
  readonly #opus: LibopusEncoder;
  readonly #input: OpusInput;
  readonly #packet = new Int16Array(packetFrames * opusChannels);
  /** Samples of `#packet` that are filled. */
  #filled = 0;
  #inputFrames = 0;
  #emittedFrames = 0;
  #closed = false;

  constructor(context: EncoderContext, { opus, input }: OpusParts) {
    this.#context = context;
    this.#opus = opus;
    this.#input = input;
    this.delayFrames = opus.ctl(request.getLookahead); // the resampler adds none
    this.maxPaddingFrames = this.delayFrames + packetFrames;
  }

  encode(pcm: Chunk, startFrame: number, emit: Emit): number | undefined {
    const { format } = this.#context;
    let next: number | undefined;
    try {
      assert(!this.#closed, 'an opus encoder was used after it was closed');
      const samples = samplesOf(pcm.payload, format);
      const start = startFrame * format.channels;
      const part = samples.subarray(
        start,
        start + maxOpusInputFrames(format.rateHz) * format.channels,
      );
      this.#feed(part, emit);
      const frames = part.length / format.channels;
      this.#inputFrames += frames;
      if (start + part.length < samples.length) next = startFrame + frames;
    } finally {
      if (next === undefined) pcm.release();
    }
    return next;
  }

  flush(emit: Emit): undefined {
    assert(!this.#closed, 'an opus encoder was used after it was closed');
    if (this.#inputFrames === 0) return;
    const { rateHz, channels } = this.#context.format;
    const audibleFrames = Math.ceil((this.#inputFrames * opusRateHz) / rateHz) + this.delayFrames;
    // Short pieces, so that no packet of mere silence follows.
    const pieceFrames = Math.min(Math.ceil(rateHz / 100), maxOpusInputFrames(rateHz));
    const silence = newSamples(pieceFrames * channels, this.#context.format);
    while (this.#emittedFrames < audibleFrames) this.#feed(silence, emit);
    this.#input.reset();
    this.#opus.reset();
    this.#filled = 0;
    this.#inputFrames = 0;
    this.#emittedFrames = 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    idleEncoders.push(this.#opus);
  }

  #feed(samples: Samples, emit: Emit): void {
    const stereo = guarded('resampler', () => this.#input.convert(samples));
    for (let start = 0; start < stereo.length; ) {
      const part = stereo.subarray(start, start + this.#packet.length - this.#filled);
      this.#packet.set(part, this.#filled);
      this.#filled += part.length;
      start += part.length;
      if (this.#filled === this.#packet.length) this.#emitPacket(emit);
    }
  }

  #emitPacket(emit: Emit): void {
    this.#filled = 0;
    const bytes = guarded('opus library', () => this.#opus.encode(this.#packet));
    const chunk = this.#context.pool.acquire(bytes.length, 'opus encoder');
    chunk.writable.set(bytes);
    chunk.payloadBytes = bytes.length;
    this.#emittedFrames += packetFrames;
    emit(chunk, packetFrames);
  }
}

/**
 * The library never gives back the memory of an encoder, 46 KiB, so the next stream gets one that
 * another has left: there are never more of them than streams at one time.
 */
const idleEncoders: LibopusEncoder[] = [];

/** Failure: rejects with a `SourceError`. */
async function createLibopusEncoder(options: OpusOptions): Promise<LibopusEncoder> {
  try {
    const { Encoder } = await import('@evan/opus');
    const opus =
      idleEncoders.pop() ??
      new Encoder({
        channels: opusChannels,
        sample_rate: opusRateHz,
        application: 'restricted_lowdelay',
      });
    opus.reset();
    opus.ctl(request.setBitrate, options.bitrate);
    opus.ctl(request.setComplexity, options.complexity);
    return opus;
  } catch (cause) {
    throw new SourceError('opus-unavailable', 'the opus library does not start', { cause });
  }
}

function checkFormat({ channels, rateHz }: SampleFormat): void {
  if (channels > opusChannels) {
    throw new SourceError(
      'bad-codec-format',
      `opus carries one or two channels, not ${channels}: use codec flac or pcm`,
    );
  }
  const { lowest, highest } = resamplerRangeHz;
  if (rateHz < lowest || rateHz > highest) {
    throw new SourceError(
      'bad-codec-format',
      `opus needs a rate of ${lowest} to ${highest} Hz, not ${rateHz}: use codec flac or pcm`,
    );
  }
}

/** Not an Ogg header, but what the clients expect. *Source:* protocol reference, 4.3. */
function opusHeader(): Uint8Array {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(0x4f505553, 0);
  header.writeUInt32LE(opusRateHz, 4);
  header.writeUInt16LE(16, 8);
  header.writeUInt16LE(opusChannels, 10);
  return header;
}

function guarded<T>(culprit: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new SourceError('opus-encoder', `the ${culprit} failed: ${messageOf(cause)}`, { cause });
  }
}
