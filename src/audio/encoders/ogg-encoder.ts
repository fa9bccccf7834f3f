import { assert } from '../../base/errors.ts';
import { loadNativeAddon, type NativeAddonResult } from '../../base/native/native-addon.ts';
import type { Chunk } from '../chunk.ts';
import { maxPagedPacketBytes, pageHeaderBytes, pageOf, sealPage } from '../ogg-pages.ts';
import type { SampleFormat } from '../sample-format.ts';
import {
  blockFramesOf,
  commentPacket,
  readComment,
  readIdentification,
  type VorbisIdentification,
} from '../vorbis-packets.ts';
import { type Emit, type Encoder, type EncoderContext, maxEncodeSamples } from './encoder.ts';
import { findSystemLibvorbis } from './system-libvorbis.ts';
import {
  headerPackets,
  type VorbisStream,
  type VorbisStreamSettings,
  vorbisFault,
} from './vorbis-library.ts';
import { openWasmVorbis, wasmVorbisName } from './wasm-vorbis.ts';

/** The same for all, as players are sent on from one encoder to another. */
const serial = 0x5a43;
/** Pages that the header occupies. */
const headerPages = 2;
/** What the library looks at before it decides on the length of a block, at most. */
const searchFrames = 384;
/** So much silence is fed at once behind a run. */
const tailFrames = 64;

interface OggContext extends Pick<EncoderContext, 'format' | 'pool'> {
  readonly quality: number;
}

/** Failure: rejects with a `SourceError` that says what formats are allowed. */
export async function createOggEncoder(
  context: OggContext,
  open: (settings: VorbisStreamSettings) => VorbisStream | Promise<VorbisStream>,
): Promise<Encoder> {
  return new OggEncoder(await open(context), context);
}

/** By the library that is in use. Failure: rejects with a `SourceError`. */
export async function openVorbisStream(settings: VorbisStreamSettings): Promise<VorbisStream> {
  const found = findSystemLibvorbis(loadNativeAddon());
  return 'reason' in found ? openWasmVorbis(settings) : found.open(settings);
}

/** Which library encodes Vorbis here, for people. */
export function vorbisLibraryInUse(native: NativeAddonResult): {
  readonly name: string;
  /** Why it is not the system's, which takes half of the time. */
  readonly reason?: string;
} {
  const found = findSystemLibvorbis(native);
  return 'reason' in found ? { name: wasmVorbisName, reason: found.reason } : { name: found.name };
}

/**
 * Emits each packet as a page and chunk of its own.
 *
 * The first packet of a run adds nothing in a player that begins with it, and in one that has heard
 * the run before half of both blocks. That is counted as frames that come before the run, so both
 * play what follows at the same time; for it a run ends with a long block, and the next one begins
 * with a short one.
 */
class OggEncoder implements Encoder {
  readonly header: Uint8Array;
  readonly format: SampleFormat;
  readonly delayFrames: number;
  /** Packets are of two lengths, as the music wants it. */
  readonly blockFrames = 0;
  readonly blockLookAheadFrames: number;
  readonly memoryFrames: number;
  readonly maxPaddingFrames: number;
  readonly #pool: EncoderContext['pool'];
  readonly #stream: VorbisStream;
  readonly #identification: VorbisIdentification;
  /** Frames handed to the library at once. */
  readonly #sliceFrames: number;
  readonly #silence: Uint8Array;
  /**
   * The beginning of a run, which is handed over as one: by it the library guesses what was before.
   */
  readonly #head: Buffer;
  readonly #headFrames: number;
  /** Frames in `#head`, until it is full. */
  #headFilled = 0;
  #inputFrames = 0;
  /** Frames of the run that were emitted; at first those that come before it. */
  #runFrames: number;
  /** Of the packet before. */
  #blockFrames: number;
  #granule = 0;
  #sequence = headerPages;
  #closed = false;

  constructor(stream: VorbisStream, { format, pool }: OggContext) {
    this.format = format;
    this.#pool = pool;
    this.#stream = stream;
    try {
      const [identification, comment, setup] = this.#takeHeader();
      this.header = oggHeader([identification, withFormat(comment, format), setup]);
      this.#identification = readIdentification(identification);
    } catch (error) {
      this.close();
      throw error;
    }
    const { shortFrames, longFrames } = this.#identification;
    this.delayFrames = (shortFrames + longFrames) / 4;
    this.#granule = -this.delayFrames;
    this.#runFrames = -this.delayFrames;
    this.#blockFrames = longFrames;
    this.blockLookAheadFrames = 1.5 * longFrames + searchFrames - this.delayFrames;
    this.memoryFrames = 2 * longFrames;
    this.maxPaddingFrames = this.delayFrames + 2 * longFrames;
    this.#sliceFrames = Math.floor(maxEncodeSamples / format.channels);
    this.#silence = new Uint8Array(tailFrames * format.frameBytes);
    this.#headFrames = longFrames + tailFrames;
    this.#head = Buffer.alloc(this.#headFrames * format.frameBytes);
  }

  encode(pcm: Chunk, startFrame: number, emit: Emit): number | undefined {
    let next: number | undefined;
    try {
      assert(!this.#closed, 'an ogg encoder was used after it was closed');
      const leftFrames = pcm.payloadBytes / this.format.frameBytes - startFrame;
      const frames = Math.min(leftFrames, this.#sliceFrames);
      if (frames === 0) return undefined;
      // Not `payload`, which would make a view each time.
      this.#feed(pcm.readable, { startFrame, frames }, emit);
      this.#inputFrames += frames;
      if (frames < leftFrames) next = startFrame + frames;
    } finally {
      if (next === undefined) pcm.release();
    }
    return next;
  }

  flush(emit: Emit): undefined {
    assert(!this.#closed, 'an ogg encoder was used after it was closed');
    if (this.#inputFrames === 0) return;
    const { longFrames } = this.#identification;
    const mostFrames = this.#headFrames + 4 * longFrames;
    for (let fed = 0; fed < mostFrames && !this.#isOver(); fed += tailFrames) {
      this.#feed(this.#silence, { startFrame: 0, frames: tailFrames }, emit, true);
    }
    this.#takeHeader();
    this.#headFilled = 0;
    this.#inputFrames = 0;
    this.#runFrames = -this.delayFrames;
    this.#blockFrames = longFrames;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
  }

  /** All that came in can be heard, and what follows finds the end that it expects. */
  #isOver(): boolean {
    const isWhole = this.#runFrames >= this.#inputFrames;
    return isWhole && this.#blockFrames === this.#identification.longFrames;
  }

  /** `isTail`: what comes behind the end of the run is left out. */
  #feed(
    pcm: Uint8Array,
    part: { readonly startFrame: number; readonly frames: number },
    emit: Emit,
    isTail = false,
  ): void {
    const headFrames = Math.min(part.frames, this.#headFrames - this.#headFilled);
    if (headFrames > 0) this.#feedHead(pcm, { ...part, frames: headFrames }, emit, isTail);
    const frames = part.frames - headFrames;
    if (frames === 0) return;
    this.#emit(this.#stream.process(pcm, part.startFrame + headFrames, frames), emit, isTail);
  }

  #feedHead(
    pcm: Uint8Array,
    { startFrame, frames }: { readonly startFrame: number; readonly frames: number },
    emit: Emit,
    isTail: boolean,
  ): void {
    const { frameBytes } = this.format;
    const bytes = pcm.subarray(startFrame * frameBytes, (startFrame + frames) * frameBytes);
    this.#head.set(bytes, this.#headFilled * frameBytes);
    this.#headFilled += frames;
    if (this.#headFilled < this.#headFrames) return;
    this.#emit(this.#stream.process(this.#head, 0, this.#headFrames), emit, isTail);
  }

  #emit(count: number, emit: Emit, isTail: boolean): void {
    for (let index = 0; index < count; index += 1) {
      if (isTail && this.#isOver()) return;
      this.#emitPacket(this.#stream.sizes[index]!, emit);
    }
  }

  #emitPacket(packetBytes: number, emit: Emit): void {
    if (packetBytes > maxPagedPacketBytes) throw vorbisFault('a packet is too long');
    const lengths = [packetBytes];
    const headerBytes = pageHeaderBytes(lengths);
    const chunk = this.#pool.acquire(headerBytes + packetBytes, 'ogg encoder');
    const page = chunk.writable.subarray(0, headerBytes + packetBytes);
    this.#stream.take(page.subarray(headerBytes));
    const blockFrames = blockFramesOf(page[headerBytes]!, this.#identification);
    const frames = (this.#blockFrames + blockFrames) / 4;
    this.#granule += frames;
    sealPage(page, lengths, { granule: this.#granule, sequence: this.#sequence, serial });
    this.#sequence = (this.#sequence + 1) % 2 ** 32;
    this.#blockFrames = blockFrames;
    this.#runFrames += frames;
    chunk.payloadBytes = page.length;
    emit(chunk, frames);
  }

  #takeHeader(): readonly [Uint8Array, Uint8Array, Uint8Array] {
    const count = this.#stream.begin();
    if (count !== headerPackets) throw vorbisFault('it has made no header');
    const [identification, comment, setup] = Array.from({ length: count }, (_, index) => {
      const packet = new Uint8Array(this.#stream.sizes[index]!);
      this.#stream.take(packet);
      return packet;
    });
    return [identification!, comment!, setup!];
  }
}

/** A player takes 16 bit for granted unless the comment says otherwise. */
function withFormat(comment: Uint8Array, format: SampleFormat): Uint8Array {
  const { vendor } = readComment(comment);
  return commentPacket({ vendor, comments: ['TITLE=Zerocast', `SAMPLE_FORMAT=${format}`] });
}

function oggHeader([first, ...others]: readonly [Uint8Array, Uint8Array, Uint8Array]): Uint8Array {
  return Buffer.concat([
    pageOf([first], { granule: 0, sequence: 0, serial, isFirst: true }),
    pageOf(others, { granule: 0, sequence: 1, serial }),
  ]);
}
