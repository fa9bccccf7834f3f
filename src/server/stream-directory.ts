import type { Requester } from './change.ts';
import type { StreamChannel } from './stream-channel.ts';

/** The streams of the server, in their order; the first that clients can play is the default. */
export class StreamDirectory {
  get channels(): ReadonlyMap<string, StreamChannel> {
    return new Map();
  }

  /** The first stream that clients can play. */
  get default(): StreamChannel | undefined {
    return undefined;
  }

  /**
   * Adds a stream that a controller asks for; it has started when this resolves.
   *
   * Failure: rejects with a `SourceError` when the address is bad, the name is taken, or it names
   * a program or script that a controller may not start; nothing stays behind.
   */
  async add(_address: string, _by?: Requester): Promise<StreamChannel> {
    throw new Error('to be written');
  }

  /** Its port, fifo, child and control script are gone when this resolves; unknown ids are fine. */
  async remove(_id: string, _by?: Requester): Promise<void> {}

  async close(): Promise<void> {}
}
