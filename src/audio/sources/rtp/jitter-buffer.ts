import { conceal } from './concealment.ts';
import type { BytesAt, UnpackSamples } from './sample-unpacking.ts';

/** What became of audio that was written. */
type Placement = 'kept' | 'late' | 'duplicate' | 'full';

interface JitterBufferOptions {
  /** Of one frame as it is stored, and of one sample of it. */
  readonly frameBytes: number;
  readonly sampleBytes: number;
  readonly capacityFrames: number;
  /** How much younger audio has to be there until audio that is missing is given up. */
  readonly holdFrames: number;
  /** How long a concealment takes to fade. */
  readonly fadeFrames: number;
}

/** Audio of a datagram; one object serves all packets. */
export interface PacketAudio extends BytesAt {
  frames: number;
  /** Of one frame as it lies there. */
  frameBytes: number;
  unpack: UnpackSamples;
}

const missing = 0;
const present = 1;
const concealed = 2;

/**
 * Audio by its position: packets come in any order, some never.
 *
 * Positions only grow. A run is read when it is `holdFrames` ahead of the first target, so that as
 * much jitter is not noticed; from then on what is there is read at the pace of the reader. Whether
 * audio is lost is told by younger audio, not by the time of this machine: so it is never given up
 * because this server was late.
 */
export class JitterBuffer {
  readonly #options: JitterBufferOptions;
  readonly #memory: Uint8Array;
  /** One byte for each frame. */
  readonly #states: Uint8Array;
  readonly #from: BytesAt;
  readonly #into: BytesAt;
  #read = 0;
  /** Without a gap up to here. */
  #whole = 0;
  #end = 0;
  #runStart = 0;
  /** Where the next run begins while this one is read to its end. */
  #nextRun = Number.POSITIVE_INFINITY;
  #isHolding = true;
  #concealedFrames = 0;
  readonly #onGap: (endPosition: number) => void;

  /** `onGap` is told up to where audio is not waited for any more. */
  constructor(options: JitterBufferOptions, onGap: (endPosition: number) => void) {
    this.#options = options;
    this.#memory = new Uint8Array(options.capacityFrames * options.frameBytes);
    this.#states = new Uint8Array(options.capacityFrames);
    this.#from = { bytes: this.#memory, at: 0 };
    this.#into = { bytes: this.#memory, at: 0 };
    this.#onGap = onGap;
  }

  /** Behind the youngest frame. */
  get endPosition(): number {
    return this.#end;
  }

  get waitingFrames(): number {
    return this.#end - this.#read;
  }

  get concealedFrames(): number {
    return this.#concealedFrames;
  }

  /** Of the present run everything was read, and another has begun. */
  get isAtNextRun(): boolean {
    return this.#read === this.#nextRun;
  }

  /** What comes from now on is a new run; what is there of the present one is still read. */
  breakRun(): void {
    // A run that was not begun to be read when the next one comes was a short one.
    if (this.#nextRun < Number.POSITIVE_INFINITY) this.#forgetBehind(this.#nextRun);
    else if (this.#end > this.#runStart) this.#nextRun = this.#end;
  }

  /** The reader begins with the next run. */
  enterNextRun(): void {
    this.#nextRun = Number.POSITIVE_INFINITY;
    this.#runStart = this.#read;
    this.#isHolding = true;
  }

  /** Forgets what waits: the next audio is a run of its own. */
  restart(): void {
    this.#states.fill(missing);
    this.#read = this.#end;
    this.#whole = this.#end;
    this.enterNextRun();
  }

  write(position: number, audio: PacketAudio): Placement {
    const { frames } = audio;
    const lateFrames = Math.max(0, this.#read - position);
    if (lateFrames >= frames) return 'late';
    if (position + frames - this.#read > this.#options.capacityFrames) return 'full';
    const state = this.#states[this.#slotOf(position + lateFrames)];
    if (state !== missing) return state === present ? 'duplicate' : 'late';
    this.#put(audio, position, lateFrames);
    this.#added(position + lateFrames, position + frames);
    return 'kept';
  }

  /** The sender was silent. */
  writeSilence(position: number, frames: number): void {
    const { capacityFrames, frameBytes } = this.#options;
    if (position + frames - this.#read > capacityFrames) return;
    for (let done = 0; done < frames; ) {
      const slot = this.#slotOf(position + done);
      const count = Math.min(frames - done, capacityFrames - slot);
      this.#memory.fill(0, slot * frameBytes, (slot + count) * frameBytes);
      this.#states.fill(present, slot, slot + count);
      done += count;
    }
    this.#added(position, position + frames);
  }

  /** Fills the target, the last one of a run up with silence; false while not enough is there. */
  fill(target: Uint8Array): boolean {
    const frames = Math.floor(target.length / this.#options.frameBytes);
    const limit = Math.min(this.#nextRun, this.#end);
    const isLast = this.#nextRun <= this.#read + frames;
    if (this.#isHolding && limit < this.#nextRun) {
      if (this.waitingFrames < this.#options.holdFrames + frames) return false;
    }
    const wanted = Math.min(this.#read + frames, limit);
    if (!isLast && wanted < this.#read + frames) return false;
    this.#closeGaps(wanted);
    if (this.#whole < wanted) return false;
    this.#isHolding = false;
    this.#take(target, wanted - this.#read);
    return true;
  }

  /** Moves what is there to `into` and forgets the rest: nothing more comes. */
  takeRest(into: Uint8Array): number {
    const { frameBytes } = this.#options;
    const frames = Math.min(Math.floor(into.length / frameBytes), this.waitingFrames);
    while (this.#whole < this.#read + frames) this.#closeGap();
    this.#take(into.subarray(0, frames * frameBytes), frames);
    this.restart();
    return frames * frameBytes;
  }

  #slotOf(position: number): number {
    return position % this.#options.capacityFrames;
  }

  #put(audio: PacketAudio, position: number, firstFrame: number): void {
    const { capacityFrames, frameBytes, sampleBytes } = this.#options;
    const channels = frameBytes / sampleBytes;
    for (let done = firstFrame; done < audio.frames; ) {
      const slot = this.#slotOf(position + done);
      const count = Math.min(audio.frames - done, capacityFrames - slot);
      this.#from.bytes = audio.bytes;
      this.#from.at = audio.at + done * audio.frameBytes;
      this.#into.at = slot * frameBytes;
      audio.unpack(this.#from, this.#into, count * channels);
      this.#states.fill(present, slot, slot + count);
      done += count;
    }
  }

  #added(position: number, endPosition: number): void {
    this.#end = Math.max(this.#end, endPosition);
    if (position > this.#whole) return;
    this.#whole = Math.max(this.#whole, endPosition);
    this.#growWhole();
  }

  /** What had come before its time joins on. */
  #growWhole(): void {
    while (this.#whole < this.#end) {
      const next = this.#next(this.#whole, missing);
      if (next === this.#whole) return;
      this.#whole = next;
    }
  }

  /** The first position from `position` on whose frame is in that state, or the end. */
  #next(position: number, state: number): number {
    const { capacityFrames } = this.#options;
    for (let at = position; at < this.#end; ) {
      const slot = this.#slotOf(at);
      const found = this.#states.indexOf(state, slot);
      const last = Math.min(capacityFrames, slot + this.#end - at);
      if (found >= 0 && found < last) return at + found - slot;
      at += last - slot;
    }
    return this.#end;
  }

  #closeGaps(wanted: number): void {
    const { holdFrames } = this.#options;
    const isOver = this.#nextRun < Number.POSITIVE_INFINITY;
    while (this.#whole < wanted && (isOver || this.#end - this.#whole >= holdFrames)) {
      this.#closeGap();
    }
  }

  /** Puts something in the place of the audio that is missing at `#whole`, exactly as long. */
  #closeGap(): void {
    const start = this.#whole;
    const end = this.#next(start, present);
    const { fadeFrames, frameBytes, sampleBytes, capacityFrames } = this.#options;
    const frames = end - start;
    this.#onGap(end);
    conceal(this.#memory, {
      frameBytes,
      sampleBytes,
      ringFrames: capacityFrames,
      start: this.#slotOf(start),
      frames,
      fadeFrames,
      framesBefore: Math.min(start - this.#runStart, capacityFrames - (this.#end - start)),
      framesBehind: this.#next(end, missing) - end,
    });
    for (let done = 0; done < frames; ) {
      const slot = this.#slotOf(start + done);
      const count = Math.min(frames - done, capacityFrames - slot);
      this.#states.fill(concealed, slot, slot + count);
      done += count;
    }
    this.#concealedFrames += frames;
    this.#whole = end;
    this.#growWhole();
  }

  #take(target: Uint8Array, frames: number): void {
    const { capacityFrames, frameBytes } = this.#options;
    for (let done = 0; done < frames; ) {
      const slot = this.#slotOf(this.#read);
      const count = Math.min(frames - done, capacityFrames - slot);
      const from = slot * frameBytes;
      target.set(this.#memory.subarray(from, from + count * frameBytes), done * frameBytes);
      this.#states.fill(missing, slot, slot + count);
      done += count;
      this.#read += count;
    }
    target.fill(0, frames * frameBytes);
  }

  #forgetBehind(position: number): void {
    for (let at = position; at < this.#end; at += 1) this.#states[this.#slotOf(at)] = missing;
    this.#end = position;
    this.#whole = Math.min(this.#whole, position);
  }
}
