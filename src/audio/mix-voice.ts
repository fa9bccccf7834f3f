import { messageOf } from '../base/errors.ts';
import type { MixEnd, MixInput, MixSettings } from './mix-input.ts';
import type { SampleFormat } from './sample-format.ts';

/** Frames that are mixed at once at most. */
const maxSpanFrames = 4096;
/** While the level of the music changes: the ramps of several sounds meet somewhere between. */
const rampSpanFrames = 128;

interface MixVoiceOptions {
  readonly input: MixInput;
  readonly settings: MixSettings;
  readonly format: SampleFormat;
  /** Frames from now until its first sample. */
  readonly startsIn: number;
  /** Its last sample, or none: frames from its first one on, and for how many the music stays down. */
  readonly onSoundEnd: (frame: number, heldFrames: number) => void;
  readonly onEnd: (reason: MixEnd, fault?: string) => void;
}

/** The lengths of its settings, in frames. */
interface Lengths {
  readonly attack: number;
  readonly lead: number;
  readonly fadeIn: number;
  readonly fadeOut: number;
  readonly tail: number;
  readonly hold: number;
  readonly release: number;
}

/**
 * One sound on the timeline of a stream: how far the music is down for it, and its samples.
 *
 * Its `presence` is 0 before and after, 1 from its lead to the end of its hold, and linear between;
 * decibels are in proportion to it.
 */
export class MixVoice {
  readonly #options: MixVoiceOptions;
  readonly #frames: Lengths;
  readonly #gain: number;
  /** Read ahead, so that the end is known before it fades out: interleaved, and how many frames. */
  readonly #ahead: Float32Array;
  #aheadStart = 0;
  #aheadFrames = 0;
  /** Frames since its first sample; negative before. */
  #frame: number;
  /** Of the sound itself, without stalls. */
  #played = 0;
  #presence = 0;
  /** How far the music was down when it began to come back. */
  #releaseFrom = 1;
  /** From where on the music comes back; not known while it sounds. */
  #releaseAt = Number.POSITIVE_INFINITY;
  #hasSoundEnded = false;
  #isInputClosed = false;
  /** A fade that was asked for: where it began and how long it is. */
  #stopFade: { readonly at: number; readonly frames: number } | undefined;
  #reason: MixEnd = 'ended';
  #fault: string | undefined;
  #isOver = false;

  constructor(options: MixVoiceOptions) {
    const { settings, format, startsIn } = options;
    const frames = (ms: number) => Math.round((format.rateHz * ms) / 1000);
    this.#options = options;
    this.#frames = {
      attack: Math.max(1, frames(settings.attackMs)),
      lead: frames(settings.leadMs),
      fadeIn: frames(settings.fadeInMs),
      fadeOut: frames(settings.fadeOutMs),
      tail: frames(settings.tailMs),
      hold: frames(settings.holdMs),
      release: Math.max(1, frames(settings.releaseMs)),
    };
    this.#gain = 10 ** (settings.gainDb / 20);
    this.#frame = -startsIn;
    this.#ahead = new Float32Array((this.#frames.fadeOut + maxSpanFrames) * format.channels);
    this.#presence = this.#presenceAt(this.#frame);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get presence(): number {
    return this.#presence;
  }

  get duckDb(): number {
    return this.#options.settings.duckDb;
  }

  /** Frames until the music begins to go down. */
  get waitFrames(): number {
    return Math.max(0, -this.#frames.lead - this.#frames.attack - this.#frame);
  }

  /** Frames that can be mixed at once: up to where something begins or ends. */
  get spanFrames(): number {
    const { lead } = this.#frames;
    const frame = this.#frame;
    if (this.waitFrames > 0) return Math.min(maxSpanFrames, this.waitFrames);
    if (frame < -lead) return Math.min(rampSpanFrames, -lead - frame);
    if (frame < 0) return Math.min(maxSpanFrames, -frame);
    if (!this.#hasSoundEnded) return this.#soundSpan();
    if (frame < this.#releaseAt) return Math.min(maxSpanFrames, this.#releaseAt - frame);
    return rampSpanFrames;
  }

  presenceIn(frames: number): number {
    return this.#presenceAt(this.#frame + frames);
  }

  /** Adds its samples to those of `target`, a whole number of frames within its span. */
  addTo(target: Float32Array): void {
    const frames = target.length / this.#options.format.channels;
    if (this.#frame >= 0 && !this.#hasSoundEnded) this.#sound(target, frames);
    this.#advance(frames);
  }

  /** Time passes without audio. */
  skip(frames: number): void {
    let left = frames;
    while (left > 0 && !this.#isOver) {
      const span = Math.min(left, this.spanFrames);
      if (this.#frame >= 0 && !this.#hasSoundEnded) this.#drop(span);
      this.#advance(span);
      left -= span;
    }
  }

  stop(fadeFrames: number): void {
    if (this.#stopFade || this.#isOver) return;
    if (this.#hasSoundEnded) {
      this.#releaseAt = Math.min(this.#releaseAt, this.#frame);
      return;
    }
    this.#reason = 'stopped';
    this.#stopFade = { at: this.#frame, frames: fadeFrames };
    if (this.#frame < 0 || fadeFrames === 0) this.#endSound(this.#frame, 0);
  }

  /** It cannot go on; the music is there again as it was. */
  abandon(reason: MixEnd): void {
    this.#reason = reason;
    this.#finish();
  }

  #presenceAt(frame: number): number {
    const { attack, lead, release } = this.#frames;
    const released = (frame - this.#releaseAt) / release;
    if (released >= 0) return Math.max(0, this.#releaseFrom - released);
    return Math.max(0, Math.min(1, (frame + lead + attack) / attack));
  }

  #advance(frames: number): void {
    this.#frame += frames;
    this.#presence = this.#presenceAt(this.#frame);
    if (this.#hasSoundEnded && this.#frame >= this.#releaseAt && this.#presence === 0)
      this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#hasSoundEnded) this.#options.onSoundEnd(this.#frame, 0);
    this.#hasSoundEnded = true;
    this.#closeInput();
    this.#options.onEnd(this.#reason, this.#fault);
  }

  #soundSpan(): number {
    this.#readAhead(0);
    const stopping = this.#stopFade;
    const untilStop = stopping ? stopping.at + stopping.frames - this.#frame : maxSpanFrames;
    const untilEnd = this.#isInputClosed ? Math.max(1, this.#aheadFrames) : maxSpanFrames;
    return Math.max(1, Math.min(maxSpanFrames, untilStop, untilEnd));
  }

  #readAhead(neededFrames: number): void {
    if (this.#isInputClosed) return;
    const { input, format } = this.#options;
    const { channels } = format;
    const ahead = this.#ahead;
    const used = this.#aheadFrames * channels;
    if (this.#aheadStart > 0) {
      ahead.copyWithin(0, this.#aheadStart, this.#aheadStart + used);
      this.#aheadStart = 0;
    }
    try {
      if (used < ahead.length && !input.hasEnded) {
        const missing = Math.max(0, neededFrames - this.#aheadFrames);
        this.#aheadFrames += input.read(ahead.subarray(used), missing);
      }
      if (input.hasEnded) this.#closeInput();
    } catch (error) {
      this.#reason = 'failed';
      this.#fault = messageOf(error);
      this.#aheadFrames = 0;
      this.#closeInput();
    }
  }

  #closeInput(): void {
    if (this.#isInputClosed) return;
    this.#isInputClosed = true;
    this.#options.input.close();
  }

  #sound(target: Float32Array, frames: number): void {
    const { channels } = this.#options.format;
    if (this.#aheadFrames < frames) this.#readAhead(frames);
    const given = Math.min(frames, this.#aheadFrames);
    for (let done = 0; done < given; ) {
      const part = Math.min(given - done, this.#evenFrames());
      const start = this.#aheadStart;
      const samples = this.#ahead.subarray(start, start + part * channels);
      this.#add(target.subarray(done * channels), samples, this.#frame + done);
      this.#take(part);
      done += part;
    }
    this.#endWhenDone(frames, given);
  }

  #drop(frames: number): void {
    if (this.#aheadFrames < frames) this.#readAhead(frames);
    const given = Math.min(frames, this.#aheadFrames);
    this.#take(given);
    this.#endWhenDone(frames, given);
  }

  #take(frames: number): void {
    this.#aheadStart += frames * this.#options.format.channels;
    this.#aheadFrames -= frames;
    this.#played += frames;
  }

  #endWhenDone(frames: number, given: number): void {
    const { tail, hold } = this.#frames;
    const stopping = this.#stopFade;
    const end = this.#frame + frames;
    if (stopping && end >= stopping.at + stopping.frames) this.#endSound(end, 0);
    else if (this.#isInputClosed && this.#aheadFrames === 0) {
      const isStopped = this.#reason !== 'ended';
      this.#endSound(this.#frame + given, isStopped ? 0 : tail + hold);
    }
  }

  #endSound(at: number, heldFrames: number): void {
    this.#hasSoundEnded = true;
    this.#closeInput();
    // Before, as the end of the attack would change it.
    const from = this.#presenceAt(at);
    this.#releaseFrom = from;
    this.#releaseAt = at + heldFrames;
    if (from === 0) this.#releaseAt = at;
    this.#options.onSoundEnd(at, heldFrames);
  }

  /** Frames of the sound that have one gain, or one fade. */
  #evenFrames(): number {
    const { fadeIn, fadeOut } = this.#frames;
    if (this.#played < fadeIn) return fadeIn - this.#played;
    const beforeFade = this.#aheadFrames - fadeOut;
    return this.#isInputClosed && beforeFade > 0 ? beforeFade : maxSpanFrames;
  }

  #add(target: Float32Array, samples: Float32Array, frame: number): void {
    const { fadeIn, fadeOut } = this.#frames;
    const isFadingOut = this.#isInputClosed && this.#aheadFrames <= fadeOut;
    if (this.#played >= fadeIn && !isFadingOut && !this.#stopFade) {
      const gain = this.#gain;
      for (let index = 0; index < samples.length; index += 1)
        target[index]! += samples[index]! * gain;
    } else this.#addFaded(target, samples, frame);
  }

  #addFaded(target: Float32Array, samples: Float32Array, frame: number): void {
    const { channels } = this.#options.format;
    const { fadeIn, fadeOut } = this.#frames;
    const stopping = this.#stopFade;
    for (let index = 0; index < samples.length; index += 1) {
      const passed = Math.floor(index / channels);
      let gain = this.#gain;
      if (this.#played + passed < fadeIn) gain *= (this.#played + passed) / fadeIn;
      const left = this.#aheadFrames - passed;
      if (this.#isInputClosed && left <= fadeOut) gain *= left / (fadeOut + 1);
      if (stopping) {
        gain *= Math.max(0, 1 - (frame + passed - stopping.at) / stopping.frames);
      }
      target[index]! += samples[index]! * gain;
    }
  }
}
