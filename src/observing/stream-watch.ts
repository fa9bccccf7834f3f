import type { StreamChannel } from '../streams/stream-channel.ts';
import { Recent } from './recent.ts';
import type { StreamFacts } from './sync-message.ts';

interface StreamLook {
  readonly encodeUs: number;
  readonly droppedChunks: number;
}

/** What is found out about one stream, look by look. */
export class StreamWatch {
  readonly channel: StreamChannel;
  readonly looks = new Recent<StreamLook>();

  constructor(channel: StreamChannel) {
    this.channel = channel;
  }

  look(nowUs: number): void {
    const { encodeUs, droppedChunks } = this.channel.stream.encodeFigures;
    this.looks.add(nowUs, { encodeUs, droppedChunks });
  }

  /** Of one processor. */
  get encodeShare(): number {
    const us = this.looks.growth(({ encodeUs }) => encodeUs) ?? 0;
    return this.looks.seconds > 0 ? us / 1e6 / this.looks.seconds : 0;
  }

  /** What a millisecond of audio takes on the way; `undefined` while there is none. */
  get bytesPerMs(): number | undefined {
    const { ring } = this.channel.broadcast;
    const { tail, head } = ring;
    if (tail === head) return undefined;
    const { timestampUs, durationUs } = ring.at(head - 1);
    const us = timestampUs + durationUs - ring.at(tail).timestampUs;
    return us > 0 ? (1000 * ring.bytesBetween(tail, head)) / us : undefined;
  }

  facts(breaks: number): StreamFacts {
    const { stream, broadcast } = this.channel;
    return {
      id: stream.id,
      state: stream.state,
      chunkAgeMs: round(broadcast.chunkAgeUs / 1000),
      encodeShare: round(this.encodeShare, 4),
      sourceDriftPpm: round(stream.driftPpm),
      breaks,
    };
  }
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
