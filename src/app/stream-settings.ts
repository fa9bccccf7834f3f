import type { StreamDefaults } from '../audio/stream-options.ts';
import type { Config } from '../config/config.ts';
import { type BroadcastOptions, playablePastMs } from '../transport/broadcast.ts';
import { autoZeroCopyMinBytes, type ZeroCopyOptions } from '../transport/native-fan-out.ts';

/** `resync_tolerance = auto`: a share of the buffer, but never more than this. */
const autoToleranceShare = 4;
const maxAutoToleranceMs = 250;

/** What holds for streams whose address does not say otherwise. */
export function streamDefaults({ stream }: Config): StreamDefaults {
  const autoToleranceMs = Math.min(maxAutoToleranceMs, stream.buffer / autoToleranceShare);
  return {
    format: stream.sampleformat,
    codec: stream.codec,
    chunkMs: stream.chunkMs,
    bufferMs: stream.buffer,
    pastMs: playablePastMs(stream.buffer),
    resyncToleranceMs: stream.resyncTolerance === 'auto' ? autoToleranceMs : stream.resyncTolerance,
  };
}

export function broadcastOptions({ stream }: Config): BroadcastOptions {
  return {
    bufferMs: stream.buffer,
    sendIntervalMs: stream.sendInterval,
    instantStart: stream.instantStart,
    burstBytes: stream.instantStartBurst * 1024,
  };
}

/** `undefined` while zero-copy is off. */
export function zeroCopyOptions({ stream }: Config): ZeroCopyOptions | undefined {
  if (!stream.zerocopy) return undefined;
  const minBytes =
    stream.zerocopyMinBytes === 'auto' ? autoZeroCopyMinBytes : stream.zerocopyMinBytes;
  return { minBytes, mode: stream.zerocopyMode };
}
