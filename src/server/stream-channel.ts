import type { AudioStream } from '../audio/audio-stream.ts';
import { encodeCodecHeader } from '../protocol/messages.ts';
import type { AudioPath } from '../transport/audio-path.ts';
import type { Broadcast } from '../transport/broadcast.ts';
import type { Cursor } from '../transport/cursor.ts';

/** A stream together with its way to the sessions that play it. */
export class StreamChannel {
  readonly stream: AudioStream;
  readonly broadcast: Broadcast;

  constructor(stream: AudioStream, broadcast: Broadcast) {
    this.stream = stream;
    this.broadcast = broadcast;
  }

  get id(): string {
    return this.stream.name;
  }

  /** Whether clients can be sent here: streams without a codec only feed other streams. */
  get isPlayable(): boolean {
    return this.stream.state !== 'disabled' && this.stream.codec !== 'null';
  }

  /** A fresh message per session, as each is stamped when it is written. */
  codecHeaderMessage(): Buffer | undefined {
    const { header, codec } = this.stream;
    return header && encodeCodecHeader(codec, header);
  }

  subscribe(path: AudioPath): Cursor {
    // The first listener makes the stream encode its recent past, which the cursor then finds.
    this.stream.addListener();
    return this.broadcast.subscribe(path);
  }

  unsubscribe(cursor: Cursor): void {
    this.broadcast.unsubscribe(cursor);
    this.stream.removeListener();
  }

  async stop(): Promise<void> {
    await this.stream.stop();
    this.broadcast.close();
  }
}
