import type { Chunk } from '../audio/chunk.ts';
import { SampleFormat } from '../audio/sample-format.ts';
import type { TimedPcm } from '../audio/stage.ts';
import { PcmConversion } from './pcm-conversion.ts';
import type { TapFeed, TapFeedContext } from './tap-feed.ts';
import { tapHeaderBytes, writeTapHeader } from './tap-frame.ts';

const owner = 'tap of PCM';

/** What is converted has 16 bits, as programs that listen want it. */
const convertedBits = 16;

export async function openPcmFeed(
  { rateHz, channels }: { readonly rateHz?: number; readonly channels?: number },
  context: TapFeedContext,
): Promise<TapFeed> {
  const { format } = context.stream;
  if (rateHz === undefined && channels === undefined) return plainFeed(context);
  const converted = new SampleFormat({
    rateHz: rateHz ?? format.rateHz,
    bits: convertedBits,
    channels: channels ?? format.channels,
  });
  return convertedFeed(converted, context);
}

/** Bit by bit what goes into the encoder. */
function plainFeed({ stream, pool, emit }: TapFeedContext): TapFeed {
  const { format, options } = stream;
  const take = ({ chunk: pcm, timestampUs, startsRun }: TimedPcm) => {
    const count = pcm.payloadBytes / format.frameBytes;
    const frame = pool.acquire(tapHeaderBytes + pcm.payloadBytes, owner);
    frame.payloadBytes = tapHeaderBytes + pcm.payloadBytes;
    writeHeader(frame, { startsRun, count, heardUs: timestampUs + options.bufferMs * 1000 });
    pcm.payload.copy(frame.writable, tapHeaderBytes);
    emit(frame, count);
  };
  return { format: told(format), observer: { take, endRun: () => undefined } };
}

async function convertedFeed(
  converted: SampleFormat,
  { stream, pool, dsp, emit }: TapFeedContext,
): Promise<TapFeed> {
  const { format, options } = stream;
  const { rateHz, channels, frameBytes } = converted;
  const conversion = await PcmConversion.create({ dsp, format, rateHz, channels });
  const take = (pcm: TimedPcm) =>
    conversion.convert(pcm, (samples, { timestampUs, startsRun }) => {
      const count = samples.length / channels;
      const end = tapHeaderBytes + count * frameBytes;
      const frame = pool.acquire(end, owner);
      frame.payloadBytes = end;
      writeHeader(frame, { startsRun, count, heardUs: timestampUs + options.bufferMs * 1000 });
      dsp.fromFloat(samples, frame.writable.subarray(tapHeaderBytes, end), converted);
      emit(frame, count);
    });
  return { format: told(converted), observer: { take, endRun: () => undefined } };
}

function writeHeader(
  frame: Chunk,
  header: { readonly startsRun: boolean; readonly count: number; readonly heardUs: number },
): void {
  writeTapHeader(frame.writable, { kind: 'pcm', ...header });
}

function told({ rateHz, bits, channels, frameBytes }: SampleFormat): TapFeed['format'] {
  return { as: 'pcm', rate: rateHz, bits, channels, frameBytes };
}
