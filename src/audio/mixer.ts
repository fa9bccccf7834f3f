import type { Clock } from '../base/clock.ts';
import { assert } from '../base/errors.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { limiterDelayFrames, limiterField, newLimiter } from '../dsp/limiter.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { Mix, MixEnd, MixInput, MixSettings } from './mix-input.ts';
import { MixVoice } from './mix-voice.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';

/** Sounds that one stream mixes at the same time; one more is refused. */
export const maxMixes = 8;
/** What the limiter leaves free while something is mixed, and which music is as good as none. */
const ceilingDb = -1;
const silentDb = -60;
/** When all is over the limiter may still be letting go of the music for so long. */
const maxLimiterTailMs = 500;
/** It has let go when less is missing than a step of 16 bits. */
const almostOne = 1 - 2 ** -16;
const leastFillMs = 20;
/** Of all that send silence: what is mixed over it may take long. */
const fillShare = new LoopShare();
/** How often it is looked whether the limiter has let go. */
const tailSpanFrames = 128;

/** How far the audio that is not led through a mixer has got. */
export interface AudioPosition {
  /** Where it ends, or may begin at the earliest. */
  readonly endUs: number;
  readonly stretch: number;
  /** What comes next continues it. */
  readonly isOpen: boolean;
}

/** What is behind a mixer, and how far that has got while the mixer is off. */
export interface MixerOutput {
  readonly position: () => AudioPosition;
  /** Ownership: takes over the reference to the chunk. */
  readonly onPcm: (pcm: TimedPcm) => void;
  /** What was sent ends at `endUs`. */
  readonly onRunEnd: (endUs: number) => void;
}

export interface MixerOptions extends MixerOutput {
  readonly pool: ChunkPool;
  readonly format: SampleFormat;
  readonly clock: Clock;
  readonly dsp: Dsp;
  readonly chunkMs: number;
  /** Longer gaps are not filled with silence. */
  readonly bufferMs: number;
  /** Audio that a source begins with now was captured no longer ago than this. */
  readonly lagMs: () => number;
  /** For so long silence is sent behind what was mixed alone, as the next sound may follow it. */
  readonly lingerMs: number;
  /** Silence is sent in the place of audio, or no more. */
  readonly onFilling: (isFilling: boolean) => void;
}

/** Where sound can be mixed in. */
export interface MixTarget {
  readonly isClosed: boolean;
  /** One more can be mixed. */
  readonly hasRoom: boolean;
  /** When a mix can begin at the earliest: then the music is down, or players are awake. */
  earliestStartUs(settings: MixSettings): number;
  /** Begins to mix, while it `hasRoom` and is not closed. Ownership: closes the input. */
  start(start: MixStart): Mix;
}

export interface MixStart {
  readonly input: MixInput;
  readonly settings: MixSettings;
  /** The sound itself ends here, for whatever reason; the music stays down for as long as is told. */
  readonly onSoundEnd?: ((endUs: number, heldMs: number) => void) | undefined;
  readonly onEnd: (reason: MixEnd, fault?: string) => void;
}

/**
 * Mixes sounds over the audio of a stream, which goes down for them, and sends silence where there is
 * no audio meanwhile.
 *
 * Audio is to be led through it only while it `isOn`. What its limiter holds back is cut from what
 * comes first and fetched with what follows, so samples keep their timestamps; those before the first
 * ramp and behind the last one are not touched.
 */
export class Mixer implements MixTarget {
  readonly #options: MixerOptions;
  readonly #frameUs: number;
  #voices: readonly MixVoice[] = [];
  #isOn = false;
  #isClosed = false;
  /** What is sent next continues what was sent before, and what comes next what came before. */
  #isOpen = false;
  /** What is sent next starts a run. */
  #startsOutput = false;
  #isFed = false;
  #isFilling = false;
  /** Nothing comes, and nothing is wanted in its place. */
  #isSuspended = false;
  /** Where what came, or was filled in, ends. */
  #endUs = 0;
  #stretch = 1;
  /** There from the first ramp to the last one. */
  #limiter: Float64Array | undefined;
  readonly #dither = new Uint32Array(1);
  #floats = new Float32Array(0);
  /** Frames that are still to come out of the limiter from before what went in first. */
  #leadFrames = 0;
  /** Of them, those that were cut from what came out last. */
  #cutFrames = 0;
  /** Frames since all was over. */
  #tailFrames = 0;
  #fillTimer: NodeJS.Timeout | undefined;
  /** Since when nothing is mixed any more, while there is no audio either. */
  #overUs: number | undefined;

  constructor(options: MixerOptions) {
    this.#options = options;
    this.#frameUs = options.format.durationUs(1);
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasRoom(): boolean {
    return this.#voices.length < maxMixes;
  }

  /** How far it has got, while it is on. */
  get position(): AudioPosition {
    return { endUs: this.#endUs, stretch: this.#stretch, isOpen: this.#isOpen };
  }

  earliestStartUs({ attackMs, leadMs, wakeMs }: MixSettings): number {
    const { endUs, isOpen } = this.#isOn ? this.position : this.#outer;
    return endUs + ((isOpen ? attackMs : wakeMs) + leadMs) * 1000;
  }

  /** Turns on at a place that may have passed: what is led through next was captured from there on. */
  beginAt(us: number): void {
    this.#endUs = us;
    this.#isOpen = true;
    this.#startsOutput = true;
    this.#isFed = true;
    this.#isOn = true;
  }

  start({ input, settings, onSoundEnd, onEnd }: MixStart): Mix {
    assert(this.hasRoom && !this.#isClosed, 'a mixer was given a sound that it cannot mix');
    const earliestUs = this.earliestStartUs(settings);
    if (!this.#isOn) this.#turnOn();
    const wantedUs = Math.max(settings.startUs ?? earliestUs, earliestUs);
    const startsIn = Math.round((wantedUs - this.#endUs) / (this.#frameUs * this.#stretch));
    const { format } = this.#options;
    const frameUs = this.#frameUs * this.#stretch;
    const startUs = this.#endUs + startsIn * frameUs;
    const voice = new MixVoice({
      ...{ input, settings, format, startsIn, onEnd },
      onSoundEnd: (frame, held) => onSoundEnd?.(startUs + frame * frameUs, (held * frameUs) / 1000),
    });
    this.#voices = [...this.#voices, voice];
    if (!this.#isFed) this.#startFilling();
    return {
      startUs,
      stop: (fadeMs) => voice.stop(Math.round((format.rateHz * fadeMs) / 1000)),
    };
  }

  /** Returns how much later than told this is sent. Ownership: takes over the reference. */
  take(pcm: TimedPcm): number {
    const postponedUs = this.#isFed && !pcm.startsRun ? 0 : this.#connect(pcm);
    this.#isFed = true;
    this.#stopFilling();
    const timestampUs = pcm.timestampUs + postponedUs;
    this.#pass(postponedUs === 0 ? pcm : { ...pcm, timestampUs });
    return postponedUs;
  }

  /** No audio comes for the time being: silence takes its place. */
  end(): void {
    this.#isFed = false;
    if (this.#isOver) this.#leave();
    else this.#startFilling();
  }

  /** Nothing is sent before `resume`; what is mixed goes on unheard. */
  suspend(): void {
    this.#isSuspended = true;
    if (this.#isOn) this.#tick();
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /** Ends all that is mixed. Nothing the second time. */
  close(reason: MixEnd = 'gone'): void {
    clearTimeout(this.#fillTimer);
    this.#isClosed = true;
    this.#isOn = false;
    this.#limiter = undefined;
    const voices = this.#voices;
    this.#voices = [];
    for (const voice of voices) voice.abandon(reason);
  }

  /** Where nothing plays the earliest place is that from which on silence is sent. */
  get #outer(): AudioPosition {
    const { position, clock, lagMs } = this.#options;
    const outer = position();
    if (outer.isOpen && !this.#isSuspended) return outer;
    const endUs = Math.max(outer.endUs, clock.nowUs() - lagMs() * 1000);
    return { endUs, stretch: 1, isOpen: false };
  }

  get #isOver(): boolean {
    if (this.#voices.length > 0) return false;
    if (!this.#limiter) return true;
    const maxTail = (this.#options.format.rateHz * maxLimiterTailMs) / 1000;
    return this.#limiter[limiterField.gain]! >= almostOne || this.#tailFrames >= maxTail;
  }

  /** Over, and nothing has followed. */
  get #hasLingered(): boolean {
    if (!this.#isOver) {
      this.#overUs = undefined;
      return false;
    }
    if (this.#limiter) this.#drain();
    this.#overUs ??= this.#endUs;
    const isHeard = this.#isOpen && !this.#isSuspended;
    return !isHeard || this.#endUs - this.#overUs >= this.#options.lingerMs * 1000;
  }

  #turnOn(): void {
    this.#overUs = undefined;
    const { endUs, stretch, isOpen } = this.#outer;
    this.#endUs = endUs;
    this.#stretch = stretch;
    this.#isOpen = isOpen;
    this.#isFed = isOpen;
    this.#isOn = true;
  }

  /** Nothing is mixed any more: what comes next passes as it is. */
  #leave(): void {
    clearTimeout(this.#fillTimer);
    this.#fillTimer = undefined;
    this.#isOn = false;
    this.#floats = new Float32Array(0);
    if (this.#limiter) this.#drain();
    if (!this.#isFed && this.#isOpen) {
      this.#isOpen = false;
      this.#options.onRunEnd(this.#endUs);
    }
    this.#setFilling(false);
  }

  /** A run begins while another one may be under way here; returns by how much it is sent later. */
  #connect(pcm: TimedPcm): number {
    const gapUs = pcm.timestampUs - this.#endUs;
    const gapFrames = Math.round(gapUs / (this.#frameUs * this.#stretch));
    if (gapFrames < 0) {
      this.#stretch = pcm.stretch;
      // While nothing was wanted nothing was sent, only what is mixed went on.
      return this.#isSuspended ? 0 : -gapUs;
    }
    const isFillable = this.#isOpen && gapUs <= this.#options.bufferMs * 1000;
    if (isFillable) this.#sendSilence(gapFrames);
    else {
      this.#breakOff();
      this.#skip(gapFrames);
    }
    this.#stretch = pcm.stretch;
    this.#endUs = pcm.timestampUs;
    return 0;
  }

  /** What was sent is over, and what follows is another run. */
  #breakOff(): void {
    if (this.#limiter) this.#drain();
    if (this.#isOpen) this.#options.onRunEnd(this.#endUs);
    this.#isOpen = false;
  }

  #skip(frames: number): void {
    for (const voice of this.#voices) voice.skip(frames);
    this.#forgetOver();
    this.#endUs += frames * this.#frameUs * this.#stretch;
  }

  #startFilling(): void {
    if (!this.#fillTimer) this.#tick();
  }

  #stopFilling(): void {
    clearTimeout(this.#fillTimer);
    this.#fillTimer = undefined;
    this.#setFilling(false);
  }

  #setFilling(isFilling: boolean): void {
    if (isFilling === this.#isFilling) return;
    this.#isFilling = isFilling;
    this.#options.onFilling(isFilling);
  }

  /**
   * Sends the silence that is due, in several turns if it is much; with its lag, as a source that
   * begins may begin in the past.
   */
  #tick(): void {
    const { clock, lagMs, bufferMs, format, chunkMs } = this.#options;
    this.#fillTimer = undefined;
    const frames = format.framesIn(chunkMs);
    const chunkUs = format.durationUs(frames);
    const untilUs = clock.nowUs() - lagMs() * 1000;
    const isDue = () => this.#endUs + chunkUs <= untilUs;
    if (!this.#isSuspended && untilUs - this.#endUs <= bufferMs * 1000) {
      this.#setFilling(true);
      while (isDue() && !this.#hasLingered) {
        this.#sendSilence(frames);
        if (fillShare.isOver) break;
      }
    } else {
      this.#breakOff();
      this.#skip(Math.max(0, Math.floor((untilUs - this.#endUs) / this.#frameUs)));
    }
    if (this.#hasLingered) this.#leave();
    else {
      const waitMs = isDue() ? 0 : Math.max(leastFillMs, chunkMs);
      this.#fillTimer = setTimeout(() => this.#tick(), waitMs);
    }
  }

  #sendSilence(frames: number): void {
    const { format, chunkMs } = this.#options;
    const chunkFrames = format.framesIn(chunkMs);
    for (let left = frames; left > 0; left -= chunkFrames) {
      const chunk = this.#newChunk(Math.min(left, chunkFrames), 'silence under a mix');
      chunk.payload.fill(0);
      const [timestampUs, stretch] = [this.#endUs, this.#stretch];
      this.#pass({ chunk, timestampUs, stretch, startsRun: false });
    }
  }

  #pass(pcm: TimedPcm): void {
    const frames = pcm.chunk.payloadBytes / this.#options.format.frameBytes;
    const endUs = pcm.timestampUs + frames * this.#frameUs * pcm.stretch;
    if (!this.#isOpen) this.#startsOutput = true;
    this.#isOpen = true;
    this.#stretch = pcm.stretch;
    if (this.#limiter || this.#voices.some(({ waitFrames }) => waitFrames < frames))
      this.#process(pcm);
    else {
      for (const voice of this.#voices) voice.skip(frames);
      this.#emit(pcm);
    }
    this.#endUs = endUs;
    if (this.#isFed && this.#voices.length === 0 && !this.#limiter) this.#leave();
  }

  /** Mixes from the first ramp to the end of the last one; what is before or behind stays as it is. */
  #process(pcm: TimedPcm): void {
    const { format, dsp } = this.#options;
    const { chunk, timestampUs, stretch } = pcm;
    const head = this.#limiter ? 0 : Math.min(...this.#voices.map(({ waitFrames }) => waitFrames));
    for (const voice of this.#voices) voice.skip(head);
    this.#limiter ??= this.#newLimiter();
    const delay = limiterDelayFrames(this.#limiter);
    const frames = chunk.payloadBytes / format.frameBytes - head;
    const floats = this.#room(frames);
    dsp.toFloat(chunk.payload.subarray(head * format.frameBytes), format, floats);
    const mixed = this.#mixInto(floats);
    if (frames - mixed < delay || frames === mixed) {
      dsp.limit(this.#limiter, floats.subarray(mixed * format.channels));
      this.#put(floats, chunk, head);
      this.#sendPart(pcm, head);
      return;
    }
    const out = floats.subarray(0, (mixed + delay) * format.channels);
    this.#limitLast(out.subarray(mixed * format.channels));
    const end = this.#newChunk(head + mixed + delay, 'the end of a mix');
    chunk.payload.copy(end.writable, 0, 0, head * format.frameBytes);
    this.#put(out, end, head);
    this.#sendPart({ ...pcm, chunk: end }, head);
    this.#endMixing();
    const done = head + mixed;
    chunk.writable.copyWithin(0, done * format.frameBytes, chunk.payloadBytes);
    chunk.payloadBytes -= done * format.frameBytes;
    this.#emit({ ...pcm, timestampUs: timestampUs + done * this.#frameUs * stretch });
  }

  /** What the limiter holds back is sent, with silence behind. */
  #drain(): void {
    if (!this.#limiter) return;
    const frames = limiterDelayFrames(this.#limiter);
    const silence = this.#room(frames).fill(0);
    this.#limitLast(silence);
    const chunk = this.#newChunk(frames, 'the end of a mix');
    this.#put(silence, chunk, 0);
    const [timestampUs, stretch] = [this.#endUs, this.#stretch];
    this.#sendPart({ chunk, timestampUs, stretch, startsRun: false }, 0);
    this.#endMixing();
  }

  #limitLast(ahead: Float32Array): void {
    this.#limiter![limiterField.ceiling] = 1;
    this.#options.dsp.limit(this.#limiter!, ahead);
  }

  #endMixing(): void {
    this.#limiter = undefined;
    this.#tailFrames = 0;
  }

  /** Writes what has come out of the limiter behind the head of a chunk. */
  #put(limited: Float32Array, chunk: Chunk, head: number): void {
    const { format, dsp } = this.#options;
    const { channels, frameBytes, bits } = format;
    const cut = Math.min(this.#leadFrames, limited.length / channels);
    const sent = limited.subarray(cut * channels);
    chunk.payloadBytes = head * frameBytes + sent.length * format.sampleBytes;
    const target = chunk.payload.subarray(head * frameBytes);
    dsp.fromFloat(sent, target, format, bits < 32 ? this.#dither : undefined);
    this.#cutFrames = cut;
    this.#leadFrames -= cut;
  }

  /** What was captured earlier than what went in, unless it begins with what did not go in. */
  #sendPart(pcm: TimedPcm, head: number): void {
    if (pcm.chunk.payloadBytes === 0) {
      pcm.chunk.release();
      return;
    }
    const delay = limiterDelayFrames(this.#limiter!);
    const shiftFrames = head > 0 ? 0 : this.#cutFrames - delay;
    const timestampUs = pcm.timestampUs + shiftFrames * this.#frameUs * pcm.stretch;
    this.#emit({ ...pcm, timestampUs });
  }

  #emit(pcm: TimedPcm): void {
    const startsRun = this.#startsOutput;
    this.#startsOutput = false;
    this.#options.onPcm(pcm.startsRun === startsRun ? pcm : { ...pcm, startsRun });
  }

  /**
   * Turns the music down and adds the sounds, piece by piece between their corners; returns the number
   * of frames after which all was over.
   */
  #mixInto(floats: Float32Array): number {
    const { format, dsp } = this.#options;
    const { channels } = format;
    const limiter = this.#limiter!;
    let done = 0;
    for (const all = floats.length / channels; done < all && !this.#isOver; ) {
      const most = this.#voices.length > 0 ? all - done : Math.min(all - done, tailSpanFrames);
      const frames = this.#voices.reduce((least, voice) => Math.min(least, voice.spanFrames), most);
      const piece = floats.subarray(done * channels, (done + frames) * channels);
      dsp.gainRamp(piece, channels, this.#duck(0), this.#duck(frames));
      for (const voice of this.#voices) voice.addTo(piece);
      const presence = this.#voices.reduce((most, voice) => Math.max(most, voice.presence), 0);
      limiter[limiterField.ceiling] = 10 ** ((ceilingDb * presence) / 20);
      dsp.limit(limiter, piece);
      if (this.#voices.length === 0) this.#tailFrames += frames;
      this.#forgetOver();
      done += frames;
    }
    return done;
  }

  /** The gain of the music so many frames on: that of the sound for which it is lowest. */
  #duck(frames: number): number {
    let db = 0;
    for (const voice of this.#voices) db = Math.min(db, voice.duckDb * voice.presenceIn(frames));
    return db <= silentDb ? 0 : 10 ** (db / 20);
  }

  #forgetOver(): void {
    if (this.#voices.some(({ isOver }) => isOver))
      this.#voices = this.#voices.filter(({ isOver }) => !isOver);
  }

  #newLimiter(): Float64Array {
    const { rateHz, channels } = this.#options.format;
    const limiter = newLimiter(rateHz, channels);
    this.#leadFrames = limiterDelayFrames(limiter);
    this.#tailFrames = 0;
    return limiter;
  }

  #newChunk(frames: number, owner: string): Chunk {
    const { pool, format } = this.#options;
    const chunk = pool.acquire(frames * format.frameBytes, owner);
    chunk.payloadBytes = frames * format.frameBytes;
    return chunk;
  }

  #room(frames: number): Float32Array {
    const samples = frames * this.#options.format.channels;
    if (this.#floats.length < samples) this.#floats = new Float32Array(samples);
    return this.#floats.subarray(0, samples);
  }
}
