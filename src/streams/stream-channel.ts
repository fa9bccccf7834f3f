import type { Chunk } from '../audio/chunk.ts';
import { type EncodeFigures, noEncodeFigures } from '../audio/encoding.ts';
import { RingReader } from '../audio/ring-reader.ts';
import type { Stream } from '../audio/stream.ts';
import type { StreamController } from '../audio/stream-controller.ts';
import { noProperties, type StreamProperties } from '../audio/stream-properties.ts';
import { SourceError } from '../base/errors.ts';
import { encodeCodecHeader } from '../protocol/messages.ts';
import type { AudioPath } from '../transport/audio-path.ts';
import type { Broadcast } from '../transport/broadcast.ts';
import type { Cursor } from '../transport/cursor.ts';
import type { ControlScript } from './control-script.ts';
import { Variant } from './variant.ts';

/** What is mixed for some listeners of a stream at one time; beyond, no more is begun. */
const maxVariants = 8;

/** The streams of one that is made of others. */
export interface StreamChildren {
  /** As its address says. */
  readonly names: readonly string[];
  /**
   * Looks whether it can be made of these.
   *
   * Failure: throws a `SourceError` when it would contain itself, or when one is missing that may not be.
   */
  check(channels: ReadonlyMap<string, StreamChannel>): void;
  /** Streams have come or gone, or have other places. */
  link(channels: ReadonlyMap<string, StreamChannel>): void;
  /** Names of those that are not there. */
  missing(channels: ReadonlyMap<string, StreamChannel>): readonly string[];
  /** The properties of a stream are other ones. */
  propertiesChanged(channel: StreamChannel): void;
  /** Whom a command, or without one a property, is for. */
  targetOf(command?: string): StreamChannel | undefined;
}

interface StreamChannelOptions {
  /** Makes the way of a variant to its sessions; absent: there are none. */
  readonly createBroadcast?: () => Broadcast;
  /** The properties are other ones now. */
  readonly onProperties?: () => void;
  /** Absent without a control script. */
  readonly startControlScript?:
    | ((onProperties: (properties: StreamProperties) => void) => ControlScript | undefined)
    | undefined;
  /** Of a stream that is made of others. */
  readonly children?: StreamChildren;
}

/** A stream together with its way to the sessions that play it, and what controllers can do with it. */
export class StreamChannel {
  readonly stream: Stream;
  readonly broadcast: Broadcast;
  readonly #options: StreamChannelOptions;
  readonly #variants = new Set<Variant>();
  /** Of variants that are gone. */
  #past = noEncodeFigures;
  /** Variants that are being opened. */
  #openings = 0;
  #readers = 0;
  #controlScript: ControlScript | undefined;
  #properties: StreamProperties = noProperties;
  #listeners = 0;
  #isStopped = false;

  constructor(stream: Stream, broadcast: Broadcast, options: StreamChannelOptions = {}) {
    this.stream = stream;
    this.broadcast = broadcast;
    this.#options = options;
  }

  get id(): string {
    return this.stream.id;
  }

  /** Whether clients can be sent here: streams without a codec only feed other streams. */
  get isPlayable(): boolean {
    return this.stream.state !== 'disabled' && this.stream.codec !== 'null';
  }

  /** Takes commands: the control script, or else the source; `undefined` while neither does. */
  get streamController(): StreamController | undefined {
    return this.#controlScript ?? this.stream.streamController;
  }

  /** Of one that is made of others. */
  get children(): StreamChildren | undefined {
    return this.#options.children;
  }

  /** The one that a command, or without one a property, is for: this one, or what it is made of. */
  targetOf(command?: string): StreamChannel {
    return this.children?.targetOf(command)?.targetOf(command) ?? this;
  }

  get properties(): StreamProperties {
    return this.#properties;
  }

  /** Takes those of the source, for which a control script speaks where there is one. */
  takeSourceProperties(properties: StreamProperties): void {
    if (!this.#controlScript) this.#show(properties);
  }

  /** A fresh message per session, as each is stamped when it is written. */
  codecHeaderMessage(): Buffer | undefined {
    const { header, codec } = this.stream;
    return header && encodeCodecHeader(codec, header);
  }

  /** `variant` is one of this channel. */
  subscribe(path: AudioPath, variant?: Variant): Cursor {
    this.#enter();
    return (variant ?? this).broadcast.subscribe(path);
  }

  unsubscribe(cursor: Cursor, variant?: Variant): void {
    (variant ?? this).broadcast.unsubscribe(cursor);
    this.#leave();
  }

  /** A chunk of the stream. Ownership: takes over the reference. */
  publish(chunk: Chunk): void {
    for (const variant of this.#variants) variant.takeMain(chunk);
    this.broadcast.publish(chunk);
  }

  /** Sessions that are sent its audio, or that of its variants. */
  get subscribers(): number {
    let count = this.broadcast.subscribers;
    for (const { broadcast } of this.#variants) count += broadcast.subscribers;
    return count;
  }

  /** What encoding for variants has cost so far. */
  get variantFigures(): EncodeFigures {
    return [...this.#variants].reduce(
      (sum, { input }) => addFigures(sum, input.figures),
      this.#past,
    );
  }

  get variants(): ReadonlySet<Variant> {
    return this.#variants;
  }

  /** How many more there may be. */
  get freeVariants(): number {
    return maxVariants - this.#variants.size - this.#openings;
  }

  /** Outputs that are no players hear the stream. */
  get hasReaders(): boolean {
    return this.#readers > 0;
  }

  /**
   * A variant of the stream, which encodes as long as it is there; `undefined` when the stream is not
   * open. It begins with the next chunk of the stream; if `isAnew`, where its input is told to.
   *
   * Failure: rejects with a `SourceError` when there are too many.
   */
  async openVariant(
    onFailure: (error: unknown) => void,
    { isAnew = false } = {},
  ): Promise<Variant | undefined> {
    const broadcast = this.#options.createBroadcast?.();
    if (!broadcast || this.#isStopped) return undefined;
    if (this.freeVariants <= 0) {
      throw new SourceError(
        'many-variants',
        `${maxVariants} mixes for some of the listeners of stream "${this.id}" are under way already`,
      );
    }
    let variant: Variant | undefined;
    const publish = (chunk: Chunk) => (variant ? variant.takeOwn(chunk) : chunk.release());
    this.#openings += 1;
    const input = await this.stream.openVariant?.({ publish, onFailure }).finally(() => {
      this.#openings -= 1;
    });
    if (!input) return undefined;
    variant = new Variant({ broadcast, input, isAnew });
    if (this.#isStopped) {
      variant.close();
      return undefined;
    }
    this.#enter();
    this.#variants.add(variant);
    if (!isAnew) {
      broadcast.copyFrom(this.broadcast.ring);
      input.open();
    }
    return variant;
  }

  /** No session is on it any more. Nothing the second time. */
  closeVariant(variant: Variant): void {
    if (!this.#variants.delete(variant)) return;
    this.#past = addFigures(this.#past, variant.input.figures);
    variant.close();
    this.#leave();
  }

  /**
   * For an output that is no player: takes chunks captured at `sinceUs` or later, as long as it has
   * not been closed by `closeReader`.
   */
  openReader(sinceUs: number, onReady: () => void): RingReader {
    this.#enter();
    this.#readers += 1;
    const { ring } = this.broadcast;
    return new RingReader(ring, ring.firstSince(sinceUs), onReady);
  }

  closeReader(reader: RingReader): void {
    reader.close();
    this.#readers -= 1;
    this.#leave();
  }

  /**
   * Starts the stream, and its control script unless the stream has a fault, which `stream` tells.
   *
   * The script of a `predecessor` of the same name ends before: both have one image, and often one
   * socket.
   */
  async start(predecessor?: StreamChannel): Promise<void> {
    await this.stream.start();
    if (this.#isStopped || this.stream.fault) return;
    if (predecessor) await predecessor.#stopControlScript();
    if (this.#isStopped) return;
    this.#controlScript = this.#options.startControlScript?.((properties) =>
      this.#show(properties),
    );
  }

  /** Resolves when ports, files and children of the stream and its control script are gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const variant of this.#variants) this.closeVariant(variant);
    await Promise.all([this.#stopAudio(), this.#stopControlScript()]);
  }

  #show(properties: StreamProperties): void {
    if (JSON.stringify(properties) === JSON.stringify(this.#properties)) return;
    this.#properties = properties;
    if (!this.#isStopped) this.#options.onProperties?.();
  }

  /** Without a word of what is not known any more: its stream goes, too. */
  async #stopControlScript(): Promise<void> {
    await this.#controlScript?.stop();
    this.#properties = noProperties;
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

function addFigures(a: EncodeFigures, b: EncodeFigures): EncodeFigures {
  return {
    encodedChunks: a.encodedChunks + b.encodedChunks,
    encodeUs: a.encodeUs + b.encodeUs,
    droppedChunks: a.droppedChunks + b.droppedChunks,
  };
}
