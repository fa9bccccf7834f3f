import { createFlacDecoder } from '../../audio/decoders/flac-decoder.ts';
import { createPcmDecoder } from '../../audio/decoders/pcm-decoder.ts';
import { samplesOf, writeFloats } from '../../audio/sample-conversion.ts';

/** Turns the chunks of one stream into samples from -1 to 1. */
export interface StreamDecoder {
  readonly rateHz: number;
  readonly channels: number;
  /** For people, as `FLAC 48/16`. */
  readonly text: string;
  /**
   * Ownership: the samples belong to the caller.
   * Failure: a damaged chunk throws; the next good one still decodes.
   */
  decode(payload: Uint8Array): readonly Float32Array<ArrayBuffer>[];
  close(): void;
}

/** This browser cannot play what the server sends. */
class UnplayableError extends Error {}

const opusHeaderBytes = 12;
/** WebAssembly that a policy forbids does not fail, it never gets ready. */
const opusStartMs = 10_000;

const factories = new Map<string, (header: Uint8Array) => StreamDecoder | Promise<StreamDecoder>>([
  ['pcm', (header) => ofSamples('PCM', createPcmDecoder(header))],
  ['flac', (header) => ofSamples('FLAC', createFlacDecoder(header))],
  ['opus', createOpusDecoder],
]);

/** Failure: rejects, when it cannot be played here. */
export async function createStreamDecoder(
  codec: string,
  header: Uint8Array,
): Promise<StreamDecoder> {
  const factory = factories.get(codec);
  if (!factory) throw new UnplayableError(codec);
  return factory(header);
}

function ofSamples(name: string, decoder: ReturnType<typeof createPcmDecoder>): StreamDecoder {
  const { format } = decoder;
  const { rateHz, bits, channels } = format;
  return {
    rateHz,
    channels,
    text: `${name} ${rateHz / 1000}/${bits}`,
    decode: (payload) => {
      const samples = samplesOf(decoder.decode(payload), format);
      const floats = new Float32Array(samples.length);
      writeFloats(samples, bits, floats);
      return separated(floats, channels);
    },
    close: () => decoder.close(),
  };
}

function separated(floats: Float32Array, channels: number): readonly Float32Array<ArrayBuffer>[] {
  const frames = floats.length / channels;
  return Array.from({ length: channels }, (_, channel) => {
    const samples = new Float32Array(frames);
    for (let frame = 0; frame < frames; frame += 1) {
      samples[frame] = floats[frame * channels + channel]!;
    }
    return samples;
  });
}

/** The same WebAssembly in every browser: their own decoders are withheld without HTTPS, and differ. */
async function createOpusDecoder(header: Uint8Array): Promise<StreamDecoder> {
  if (header.length < opusHeaderBytes) throw new UnplayableError('opus');
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const channels = view.getUint16(10, true) === 1 ? 1 : 2;
  const { OpusDecoder } = await import('opus-decoder');
  const open = async () => {
    const opus = new OpusDecoder({ channels });
    await inTime(opus.ready);
    return opus;
  };
  let opus: Awaited<ReturnType<typeof open>> | undefined = await open();
  return {
    rateHz: 48_000,
    channels,
    text: 'Opus',
    decode: (payload) => {
      // It would stand for one that was lost.
      if (payload.length === 0 || !opus) return [];
      try {
        const { channelData, samplesDecoded } = opus.decodeFrame(payload);
        return channelData.map((samples) => new Float32Array(samples.subarray(0, samplesDecoded)));
      } catch (error) {
        // Some damaged packets make it write where it must not; what it knows is of no use any more.
        opus = undefined;
        void open().then((fresh) => {
          opus = fresh;
        });
        throw error;
      }
    },
    close: () => opus?.free(),
  };
}

async function inTime(ready: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UnplayableError('opus')), opusStartMs);
  });
  try {
    await Promise.race([ready, late]);
  } finally {
    clearTimeout(timer);
  }
}
