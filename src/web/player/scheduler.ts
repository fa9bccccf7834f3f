import { ChunkTimeline, fadeIn, fadeOut, type TimedSound } from './chunk-timeline.ts';
import { resample, samplesBefore, samplesBehind } from './resample.ts';

/** A piece of sound that begins at a frame of the audio context. */
export interface Block {
  readonly frame: number;
  readonly channels: readonly Float32Array<ArrayBuffer>[];
}

interface SchedulerOptions {
  /** Of the audio context. */
  readonly rateHz: number;
  /** Which time of the server is to be heard when a frame of the context is; NaN while nobody knows. */
  readonly wantMs: (frame: number) => number;
  readonly play: (block: Block) => void;
  /** Takes back a block that has not begun. */
  readonly cancel: (block: Block) => void;
}

interface Planned {
  readonly block: Block;
  /** Where in the stream it begins, and how far each of its frames leads on. */
  readonly position: number;
  readonly step: number;
}

/** The four below are shorter in proportion where the buffer of the server is. */
const usualBufferMs = 800;
const blockMs = 100;
/** So much is left as it is when the plan changes: the device may have it already. */
const leadMs = 60;
/** What is missing is waited for until then. */
const urgentMs = 100;
/** Shorter pieces are not worth two fades. */
const shortestMs = 25;
const fadeMs = 10;
/** The clocks are not known well at first, so errors are mended at once, and less is planned ahead. */
const settlingMs = 4000;
const settlingHorizonMs = 300;
const maxHorizonMs = 800;
const horizonPart = 0.8;
const jumpMs = { settling: 1, later: 8 };
/** Errors below the second are none, those above the first are led back to it. */
const deadBandMs = { enter: 0.3, leave: 0.05 };
const correctionMs = 1500;
/** 5 cents. */
const maxCorrection = 0.003;
/** Timestamps further from all others are those of another clock. */
const maxShiftMs = 10_000;

/** Decides which part of a stream is heard at which frame of the audio context. */
export class Scheduler {
  /** How often the sound had to jump, beside at first and where it was to. */
  resyncs = 0;
  /** How often sound was missing that came later. */
  underruns = 0;
  readonly #options: SchedulerOptions;
  #streamRateHz = 0;
  #channelCount = 0;
  #timeline: ChunkTimeline | undefined;
  /** What is planned goes up to here; what follows begins there in the stream, if it is to go on. */
  #next = Number.NEGATIVE_INFINITY;
  #position: number | undefined;
  #planned: Planned[] = [];
  #settledFrame = Number.POSITIVE_INFINITY;
  #isCorrecting = false;
  /** Why nothing is heard: an idle source sends nothing that comes late. */
  #missing: 'nothing' | 'unknown' | 'late' = 'nothing';
  #scale = 1;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Another stream follows: what is planned of the one before is taken back, and fades out. */
  begin(format: { readonly rateHz: number; readonly channels: number }, nowFrame: number): void {
    this.#end(nowFrame);
    this.#streamRateHz = format.rateHz;
    this.#channelCount = format.channels;
  }

  /** What is wanted is not what it was: plans again. */
  replan(nowFrame: number): void {
    this.#takeBack(nowFrame);
    this.#settle();
  }

  /** All is silent at once: the device has stopped. */
  stop(): void {
    for (const { block } of this.#planned) this.#options.cancel(block);
    this.#planned = [];
    this.#next = Number.NEGATIVE_INFINITY;
    this.#position = undefined;
    this.#settle();
  }

  take(sound: TimedSound, nowFrame: number): void {
    const endMs = this.#timeline?.endMs ?? sound.timestampMs;
    if (Math.abs(sound.timestampMs - endMs) > maxShiftMs) this.#end(nowFrame);
    if (this.#missing === 'unknown' && sound.timestampMs < this.#options.wantMs(this.#next)) {
      this.#missing = 'late';
      this.underruns += 1;
    }
    this.#timeline ??= new ChunkTimeline(this.#streamRateHz);
    this.#timeline.add(sound);
  }

  /** Plans as far ahead as is good while `bufferMs` lie between capture and loudspeaker. */
  fill(nowFrame: number, bufferMs: number): void {
    const timeline = this.#timeline;
    this.#planned = this.#planned.filter(({ block }) => endOf(block) > nowFrame);
    if (!timeline || timeline.isEmpty || Number.isNaN(this.#options.wantMs(nowFrame))) return;
    this.#scale = clamp(bufferMs / usualBufferMs, 1);
    const lead = this.#frames(leadMs * this.#scale);
    if (this.#next < nowFrame + lead / 3) this.#skipTo(nowFrame + lead);
    const longestMs = this.#isSettling ? settlingHorizonMs : maxHorizonMs;
    const horizon = nowFrame + this.#frames(Math.min(horizonPart * bufferMs, longestMs));
    while (this.#next < horizon && this.#fillBlock(timeline, nowFrame));
    timeline.dropBefore(timeline.frameAt(this.#options.wantMs(nowFrame) - 1000));
  }

  /** How late the sound is that is heard at a frame; `undefined` while there is none. */
  errorMs(frame: number): number | undefined {
    const heard = this.#planned.find(({ block }) => block.frame <= frame && frame < endOf(block));
    if (!heard || !this.#timeline || this.#timeline.isEmpty) return undefined;
    const position = heard.position + (frame - heard.block.frame) * heard.step;
    return this.#options.wantMs(frame) - this.#timeline.timeMs(position);
  }

  /** Returns whether the plan has got longer. */
  #fillBlock(timeline: ChunkTimeline, nowFrame: number): boolean {
    const wanted = timeline.frameAt(this.#options.wantMs(this.#next));
    const position = this.#positionFor(wanted, nowFrame);
    if (position === undefined) return true;
    const frames = this.#frames(blockMs * this.#scale);
    const step = this.#stepFor(timeline, { position, wanted, frames });
    const needed = position + frames * step + samplesBehind;
    const covered = timeline.coveredUntil(Math.floor(position));
    const isUrgent = this.#next < nowFrame + this.#frames(urgentMs * this.#scale);
    if (covered < needed && timeline.end < needed && !isUrgent) return false;
    const whole = Math.floor((covered - samplesBehind - position) / step);
    if (whole < this.#frames(shortestMs * this.#scale))
      return this.#skipMissing(timeline, position);
    this.#plan(timeline, { position, step }, { frames, whole });
    return true;
  }

  /** Where in the stream the next block begins; `undefined` when some of what is planned was taken back. */
  #positionFor(wanted: number, nowFrame: number): number | undefined {
    const position = this.#position;
    if (position !== undefined) {
      const isSettling = this.#isSettling;
      const errorMs = Math.abs(((wanted - position) * 1000) / this.#streamRateHz);
      if (errorMs <= (isSettling ? jumpMs.settling : jumpMs.later)) return position;
      // Not only behind what is planned already, which is as wrong.
      if (this.#takeBack(nowFrame)) return undefined;
      this.#fadeAway();
      if (!isSettling) this.resyncs += 1;
    }
    this.#isCorrecting = false;
    return Math.round(wanted);
  }

  #stepFor(
    timeline: ChunkTimeline,
    plan: { readonly position: number; readonly wanted: number; readonly frames: number },
  ): number {
    const { position, wanted, frames } = plan;
    const ratio = this.#streamRateHz / this.#options.rateHz;
    const errorMs = ((wanted - position) * 1000) / this.#streamRateHz;
    if (Math.abs(errorMs) > deadBandMs.enter) this.#isCorrecting = true;
    else if (Math.abs(errorMs) < deadBandMs.leave) this.#isCorrecting = false;
    if (!this.#isCorrecting && ratio === 1) {
      // Ends on a whole frame, from where on samples are copied.
      return (Math.round(position + frames) - position) / frames;
    }
    const wantedEnd = timeline.frameAt(this.#options.wantMs(this.#next + frames));
    const natural = (wantedEnd - wanted) / frames / ratio - 1;
    const correction = this.#isCorrecting ? errorMs / correctionMs : 0;
    return ratio * (1 + clamp(natural, maxCorrection) + clamp(correction, maxCorrection));
  }

  /** Plans as much of `frames` as there is whole. */
  #plan(
    timeline: ChunkTimeline,
    { position, step }: Omit<Planned, 'block'>,
    { frames, whole }: { readonly frames: number; readonly whole: number },
  ): void {
    const length = Math.min(frames, whole);
    const block = this.#blockAt(timeline, { position, step }, length);
    const fade = this.#frames(fadeMs);
    for (const samples of block.channels) {
      if (this.#position !== position) fadeIn(samples, fade);
      if (whole < frames) fadeOut(samples, fade);
    }
    if (this.#settledFrame === Number.POSITIVE_INFINITY) {
      this.#settledFrame = this.#next + this.#frames(settlingMs);
    }
    this.#missing = 'nothing';
    this.#planned.push({ block, position, step });
    this.#options.play(block);
    this.#next += length;
    this.#position = whole < frames ? undefined : nearlyWhole(position + length * step);
  }

  /** Silence until there is sound again, for as long as is known. Returns whether that is known. */
  #skipMissing(timeline: ChunkTimeline, position: number): boolean {
    this.#fadeAway();
    this.#position = undefined;
    const from = timeline.coveredFrom(Math.ceil(position) + this.#frames(shortestMs * this.#scale));
    if (from === Number.POSITIVE_INFINITY) {
      if (this.#missing === 'nothing') this.#missing = 'unknown';
      return false;
    }
    const frames = ((from - position) * this.#options.rateHz) / this.#streamRateHz;
    this.#next += Math.ceil(Math.min(frames, this.#frames(blockMs)));
    return true;
  }

  #skipTo(frame: number): void {
    if (this.#position !== undefined) this.#missing = 'unknown';
    this.#position = undefined;
    this.#next = Math.ceil(frame);
  }

  #end(nowFrame: number): void {
    this.#takeBack(nowFrame);
    this.#fadeAway();
    this.#planned = [];
    this.#timeline = undefined;
    this.#missing = 'nothing';
    this.#settle();
  }

  /** Takes back what begins later than soon. Returns whether there was any. */
  #takeBack(nowFrame: number): boolean {
    const soon = nowFrame + this.#frames(leadMs * this.#scale);
    const first = this.#planned.findIndex(({ block }) => block.frame >= soon);
    if (first < 0) return false;
    const taken = this.#planned.splice(first);
    for (const { block } of taken) this.#options.cancel(block);
    this.#next = taken[0]!.block.frame;
    this.#position = taken[0]!.position;
    return true;
  }

  /** What would have followed is heard for a moment, below the beginning of what follows instead. */
  #fadeAway(): void {
    const position = this.#position;
    this.#position = undefined;
    if (position === undefined || !this.#timeline || this.#timeline.isEmpty) return;
    const step = this.#streamRateHz / this.#options.rateHz;
    const block = this.#blockAt(this.#timeline, { position, step }, this.#frames(fadeMs));
    for (const samples of block.channels) fadeOut(samples, samples.length);
    this.#options.play(block);
  }

  #blockAt(
    timeline: ChunkTimeline,
    { position, step }: Omit<Planned, 'block'>,
    frames: number,
  ): Block {
    const first = Math.floor(position) - samplesBefore;
    const last = Math.floor(position + (frames - 1) * step) + samplesBehind;
    const channels = Array.from({ length: this.#channelCount }, (_, channel) => {
      const samples = new Float32Array(frames);
      const source = timeline.read(channel, first, last - first + 1);
      resample(source, { position: position - first, step }, samples);
      return samples;
    });
    return { frame: this.#next, channels };
  }

  get #isSettling(): boolean {
    return this.#next < this.#settledFrame;
  }

  #settle(): void {
    this.#settledFrame = Number.POSITIVE_INFINITY;
  }

  #frames(ms: number): number {
    return Math.round((ms * this.#options.rateHz) / 1000);
  }
}

function endOf({ frame, channels }: Block): number {
  return frame + (channels[0]?.length ?? 0);
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

/** The same, without what calculating has added to a whole number. */
function nearlyWhole(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value - whole) < 1e-6 ? whole : value;
}
