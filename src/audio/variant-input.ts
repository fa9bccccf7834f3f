import { LoopShare } from '../base/time/loop-share.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { EncodeFigures, Encoding } from './encoding.ts';
import type { Mix, MixEnd, MixSettings } from './mix-input.ts';
import type { Mixer, MixStart, MixTarget } from './mixer.ts';
import type { PcmPast } from './pcm-past.ts';
import type { SampleFormat } from './sample-format.ts';
import type { PcmObserver, TimedPcm } from './stage.ts';
import type { StageChain } from './stage-chain.ts';

/** Of all that is rendered anew. */
const catchUpShare = new LoopShare();

/** Chunks of two encodings belong to one place when they are stamped within this of each other. */
export const sameTimeUs = 100;

interface VariantParts {
  /** Of the stream itself. */
  readonly main: { readonly stages: StageChain; readonly encoding: Encoding };
  readonly stages: StageChain;
  readonly mixer: Mixer;
  readonly encoding: Encoding;
  readonly pool: ChunkPool;
  readonly format: SampleFormat;
  readonly chunkMs: number;
}

/** Where the chunks of a variant take the place of those of its stream, and where no more. */
interface VariantSpan {
  /** The first chunk of its own; infinite while that is not known. */
  readonly fromUs: number;
  /** The first chunk that is the stream's again. */
  readonly untilUs: number;
}

/** Where the chunks of a variant go. */
export interface VariantOutput {
  /** Takes each sealed chunk, in order. */
  readonly publish: (chunk: Chunk) => void;
  readonly onFailure: (error: unknown) => void;
}

/** What of the past is still to be rendered, by its sequence. */
interface PastAudio {
  readonly past: PcmPast;
  next: number;
  /** Frames of the next chunk that are left out. */
  skipped: number;
  /** Nothing of it is rendered yet. */
  isFresh: boolean;
  /** There is music in it. */
  readonly hasMusic: boolean;
}

/** A sound that waits until there is audio to mix it over. */
interface WaitingMix extends MixStart {
  mix: Mix | undefined;
  /** It was stopped before, with this fade. */
  stopMs: number | undefined;
}

/**
 * The PCM of a stream, mixed and encoded once more for some of its listeners.
 *
 * It begins and ends where a chunk of the stream does, so that what decodes one can go on with the
 * other. Codecs that remember the past get some of the same audio before, and behind.
 */
export class VariantInput implements PcmObserver, MixTarget {
  readonly #parts: VariantParts;
  readonly #frameUs: number;
  #state: 'waiting' | 'fed' | 'ending' | 'over' = 'waiting';
  #waiting: WaitingMix[] = [];
  #hasMixed = false;
  #isClosed = false;
  /** What is taken in this call the stream itself takes behind it. */
  #isAhead = false;
  #fromUs = Number.POSITIVE_INFINITY;
  #untilUs = Number.POSITIVE_INFINITY;
  /** Frames until the first place at which it may end, when it is to end. */
  #memoryFrames = 0;
  #past: PastAudio | undefined;

  constructor(parts: VariantParts) {
    this.#parts = parts;
    this.#frameUs = parts.format.durationUs(1);
  }

  get span(): VariantSpan {
    return { fromUs: this.#fromUs, untilUs: this.#untilUs };
  }

  /** All of its own audio is encoded, and none follows. */
  get isDone(): boolean {
    return this.#state === 'over' && !this.#parts.encoding.isBusy;
  }

  /** Chunks of the stream are still to come for what was taken last. */
  get isMainBusy(): boolean {
    return this.#isAhead || this.#parts.main.encoding.isBusy;
  }

  get figures(): EncodeFigures {
    return this.#parts.encoding.figures;
  }

  get hasRoom(): boolean {
    const isOpen = this.#state === 'waiting' || this.#state === 'fed';
    return isOpen && this.#parts.mixer.hasRoom;
  }

  /** Begins to follow the stream. */
  open(): void {
    const { main, encoding } = this.#parts;
    encoding.activate();
    main.stages.observe(this);
  }

  /**
   * Begins with what was captured since then, in the place of `open`: that is rendered anew, first of
   * all with the sounds that are started in this turn.
   */
  rewind(past: PcmPast, sinceUs: number): void {
    const { mixer, encoding } = this.#parts;
    const next = past.firstSince(sinceUs);
    const first = past.at(next);
    this.#past = { past, next, skipped: 0, isFresh: true, hasMusic: first !== undefined };
    const beginUs = first && !first.startsRun ? this.#alignPast(this.#past) : sinceUs;
    this.#fromUs = beginUs - encoding.grid.delayUs;
    this.#state = 'fed';
    encoding.activate();
    mixer.beginAt(beginUs);
    catchUpShare.later(this.#catchUp);
  }

  earliestStartUs(settings: MixSettings): number {
    const { main, mixer, encoding, format, chunkMs } = this.#parts;
    if (this.#past) return mixer.earliestStartUs(this.#atOnce(settings));
    const { isOpen, endUs, stretch } = main.stages.position;
    if (this.#state !== 'waiting') return mixer.earliestStartUs(settings);
    if (!isOpen) {
      this.#followMain();
      return mixer.earliestStartUs(settings);
    }
    const { blockFrames, memoryFrames } = encoding.grid;
    // The PCM in which its first chunk begins passes before anything is mixed.
    const frames = blockFrames + memoryFrames + format.framesIn(chunkMs);
    const waitUs = frames * this.#frameUs * stretch;
    return endUs + waitUs + (settings.attackMs + settings.leadMs) * 1000;
  }

  /** `settings.startUs` is given, and not before `earliestStartUs`. Ownership: closes the input. */
  start(start: MixStart): Mix {
    const { main, mixer } = this.#parts;
    if (this.#state === 'waiting' && !main.stages.position.isOpen) this.#begin();
    if (this.#state === 'fed') {
      this.#hasMixed = true;
      const { settings } = start;
      return mixer.start(this.#past ? { ...start, settings: this.#fromBegin(settings) } : start);
    }
    const waiting: WaitingMix = { ...start, mix: undefined, stopMs: undefined };
    this.#waiting.push(waiting);
    return {
      startUs: start.settings.startUs ?? 0,
      stop: (fadeMs) => {
        waiting.stopMs = fadeMs;
        waiting.mix?.stop(fadeMs);
      },
    };
  }

  take(pcm: TimedPcm): void {
    this.#isAhead = true;
    if (this.#state === 'waiting') this.#join(pcm);
    else if (this.#state === 'fed') {
      this.#feed(pcm, 0);
      if (this.#hasMixed && !this.#parts.mixer.isOn) this.#beginToEnd();
    } else if (this.#state === 'ending') this.#feedToEnd(pcm);
    this.#isAhead = false;
  }

  endRun(): void {
    this.#isAhead = true;
    if (this.#state === 'waiting') {
      if (this.#waiting.length > 0) this.#begin();
    } else if (this.#state === 'ending') this.#finish(this.#parts.main.stages.position.endUs);
    else if (this.#state === 'fed') this.#parts.stages.end();
    this.#isAhead = false;
  }

  /** The run of the variant itself is over: nothing was mixed any more, nor came from the stream. */
  runEnded(): void {
    const { stages, mixer } = this.#parts;
    if (this.#state === 'fed' && this.#hasMixed && !mixer.isOn) this.#finish(stages.position.endUs);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends at once, and with it what is mixed. Nothing the second time. */
  close(reason: MixEnd = 'gone'): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { main, stages, mixer, encoding } = this.#parts;
    this.#state = 'over';
    catchUpShare.cancel(this.#catchUp);
    main.stages.unobserve(this);
    mixer.close(reason);
    stages.close();
    encoding.close();
    for (const { input, onEnd } of this.#waiting.splice(0)) {
      input.close();
      onEnd(reason);
    }
  }

  /** Without audio of the stream: what is mixed plays alone. */
  #begin(): void {
    this.#followMain();
    this.#fromUs = this.#parts.main.stages.position.endUs - this.#parts.encoding.grid.delayUs;
    this.#state = 'fed';
    this.#startWaiting();
  }

  #followMain(): void {
    const { main, stages } = this.#parts;
    stages.notBefore(main.stages.position.endUs);
  }

  #startWaiting(): void {
    for (const waiting of this.#waiting.splice(0)) {
      this.#hasMixed = true;
      waiting.mix = this.#parts.mixer.start(waiting);
      if (waiting.stopMs !== undefined) waiting.mix.stop(waiting.stopMs);
    }
  }

  /** Begins at the first place at which a chunk of the stream will begin. */
  #join(pcm: TimedPcm): void {
    const { main, encoding } = this.#parts;
    const frames = this.#framesOf(pcm);
    const skipped = this.#framesToBlock(pcm);
    if (skipped >= frames) return;
    const { delayUs, memoryFrames } = encoding.grid;
    const ownFrames = skipped + (pcm.startsRun ? 0 : memoryFrames);
    this.#fromUs = pcm.timestampUs + ownFrames * this.#frameUs * pcm.stretch - delayUs;
    this.#state = 'fed';
    if (!pcm.startsRun) encoding.continueBehind(main.encoding.nextFrame + skipped);
    this.#feed(pcm, skipped, { startsRun: true });
    this.#startWaiting();
  }

  /** Frames of this PCM that come before a chunk of the stream begins. */
  #framesToBlock(pcm: TimedPcm): number {
    return pcm.startsRun ? 0 : this.#framesToBlockAt(this.#parts.main.encoding.nextFrame);
  }

  #framesToBlockAt(frame: number): number {
    const { blockFrames } = this.#parts.encoding.grid;
    if (blockFrames === 0) return 0;
    return (blockFrames - (frame % blockFrames)) % blockFrames;
  }

  /** Players that begin anew hear music that is down from its start, or else open their device first. */
  #atOnce(settings: MixSettings): MixSettings {
    return { ...settings, attackMs: this.#past?.hasMusic ? 0 : settings.wakeMs };
  }

  /** It may begin later than it could here, as others need longer. */
  #fromBegin(settings: MixSettings): MixSettings {
    const { endUs } = this.#parts.mixer.position;
    const beforeMs = ((settings.startUs ?? endUs) - endUs) / 1000;
    const atOnce = this.#atOnce(settings);
    return { ...atOnce, leadMs: Math.max(settings.leadMs, beforeMs - atOnce.attackMs) };
  }

  /** Leaves out what comes before a chunk of the stream begins; returns when that was captured. */
  #alignPast(rest: PastAudio): number {
    const { main, encoding } = this.#parts;
    const { past } = rest;
    const first = past.at(rest.next)!;
    let frames = this.#framesOf(first);
    for (let sequence = rest.next + 1; sequence < past.head; sequence += 1) {
      const pcm = past.at(sequence)!;
      // Behind a pause the stream counts anew.
      if (pcm.startsRun) return first.timestampUs;
      frames += this.#framesOf(pcm);
    }
    const frame = main.encoding.nextFrame - frames;
    const skipped = this.#framesToBlockAt(frame);
    if (skipped >= frames) return first.timestampUs;
    rest.skipped = skipped;
    while (rest.skipped >= this.#framesOf(past.at(rest.next)!)) {
      rest.skipped -= this.#framesOf(past.at(rest.next)!);
      rest.next += 1;
    }
    if (frame > 0) encoding.continueBehind(frame + skipped);
    const { timestampUs, stretch } = past.at(rest.next)!;
    return timestampUs + rest.skipped * this.#frameUs * stretch;
  }

  /** Renders what has passed, in slices, until it is where the stream is. */
  readonly #catchUp = (): void => {
    const rest = this.#past!;
    const { past } = rest;
    while (rest.next < past.head) {
      const sequence = Math.max(rest.next, past.tail);
      const pcm = past.at(sequence)!;
      // What has been dropped meanwhile is a gap.
      const startsRun = rest.isFresh || pcm.startsRun || sequence !== rest.next;
      this.#feed(pcm, rest.skipped, { startsRun });
      rest.isFresh = false;
      rest.skipped = 0;
      rest.next = sequence + 1;
      if (catchUpShare.isOver) {
        catchUpShare.later(this.#catchUp);
        return;
      }
    }
    this.#past = undefined;
    const { stages } = this.#parts.main;
    stages.observe(this);
    if (!stages.position.isOpen) this.endRun();
  };

  #framesOf({ chunk }: TimedPcm): number {
    return chunk.payloadBytes / this.#parts.format.frameBytes;
  }

  #feed(pcm: TimedPcm, from: number, { startsRun = pcm.startsRun, to = -1 } = {}): void {
    const { pool, format, stages } = this.#parts;
    const { frameBytes } = format;
    const endBytes = to < 0 ? pcm.chunk.payloadBytes : to * frameBytes;
    const bytes = endBytes - from * frameBytes;
    if (bytes === 0) return;
    const chunk: Chunk = pool.acquire(bytes, 'a variant');
    chunk.payloadBytes = bytes;
    pcm.chunk.payload.copy(chunk.writable, 0, from * frameBytes, endBytes);
    const timestampUs = pcm.timestampUs + from * this.#frameUs * pcm.stretch;
    stages.take({ ...pcm, chunk, timestampUs, startsRun });
  }

  #beginToEnd(): void {
    this.#state = 'ending';
    this.#memoryFrames = this.#parts.encoding.grid.memoryFrames;
  }

  #feedToEnd(pcm: TimedPcm): void {
    if (pcm.startsRun) {
      this.#finish(pcm.timestampUs);
      return;
    }
    const frames = this.#framesOf(pcm);
    const { blockFrames } = this.#parts.encoding.grid;
    let end = this.#framesToBlock(pcm);
    while (end < this.#memoryFrames && end < frames) end += Math.max(1, blockFrames);
    if (end >= frames || end < this.#memoryFrames) {
      this.#memoryFrames = Math.max(0, this.#memoryFrames - frames);
      this.#feed(pcm, 0);
      return;
    }
    this.#feed(pcm, 0, { to: end });
    this.#finish(pcm.timestampUs + end * this.#frameUs * pcm.stretch);
  }

  #finish(endUs: number): void {
    const { main, stages, encoding } = this.#parts;
    this.#state = 'over';
    this.#untilUs = endUs - encoding.grid.delayUs;
    main.stages.unobserve(this);
    stages.end();
    stages.close();
  }
}
