import { RingReader } from '../audio/ring-reader.ts';
import type { Stream } from '../audio/stream.ts';
import { encodeCodecHeader } from '../protocol/messages.ts';
import type { AudioPath } from '../transport/audio-path.ts';
import type { Broadcast } from '../transport/broadcast.ts';
import type { Cursor } from '../transport/cursor.ts';
import type { StreamController } from './stream-controller.ts';
import { noProperties, type StreamProperties } from './stream-properties.ts';

/** A stream together with its way to the sessions that play it, and the player behind it. */
export class StreamChannel {
  readonly stream: Stream;
  readonly broadcast: Broadcast;
  readonly #startPlayer: (() => StreamController | undefined) | undefined;
  #player: StreamController | undefined;
  #listeners = 0;
  #isStopped = false;

  constructor(
    stream: Stream,
    broadcast: Broadcast,
    startPlayer?: () => StreamController | undefined,
  ) {
    this.stream = stream;
    this.broadcast = broadcast;
    this.#startPlayer = startPlayer;
  }

  get id(): string {
    return this.stream.id;
  }

  /** Whether clients can be sent here: streams without a codec only feed other streams. */
  get isPlayable(): boolean {
    return this.stream.state !== 'disabled' && this.stream.codec !== 'null';
  }

  /** What the control script speaks for; absent without one. */
  get player(): StreamController | undefined {
    return this.#player;
  }

  get properties(): StreamProperties {
    return this.#player?.properties ?? noProperties;
  }

  /** A fresh message per session, as each is stamped when it is written. */
  codecHeaderMessage(): Buffer | undefined {
    const { header, codec } = this.stream;
    return header && encodeCodecHeader(codec, header);
  }

  subscribe(path: AudioPath): Cursor {
    this.#enter();
    return this.broadcast.subscribe(path);
  }

  unsubscribe(cursor: Cursor): void {
    this.broadcast.unsubscribe(cursor);
    this.#leave();
  }

  /**
   * For an output that is no player: takes chunks captured at `sinceUs` or later, as long as it has
   * not been closed by `closeReader`.
   */
  openReader(sinceUs: number, onReady: () => void): RingReader {
    this.#enter();
    const { ring } = this.broadcast;
    return new RingReader(ring, ring.firstSince(sinceUs), onReady);
  }

  closeReader(reader: RingReader): void {
    reader.close();
    this.#leave();
  }

  /**
   * Starts the stream, and its player unless the stream has a fault, which `stream` tells.
   *
   * The player of a `predecessor` of the same name ends before: both have one image, and scripts
   * often one socket.
   */
  async start(predecessor?: StreamChannel): Promise<void> {
    await this.stream.start();
    if (this.#isStopped || this.stream.fault) return;
    await predecessor?.player?.stop();
    if (!this.#isStopped) this.#player = this.#startPlayer?.();
  }

  /** Resolves when ports, files and children of the stream and its player are gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#stopAudio(), this.#player?.stop()]);
  }

  #enter(): void {
    this.#listeners += 1;
    // The first listener makes the stream encode its recent past, which a cursor then finds.
    if (this.#listeners === 1) this.stream.activate();
  }

  #leave(): void {
    this.#listeners -= 1;
    if (this.#listeners === 0) this.stream.deactivate();
  }

  async #stopAudio(): Promise<void> {
    await this.stream.stop();
    this.broadcast.close();
  }
}
