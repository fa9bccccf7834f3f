import type { Clock } from '../base/clock.ts';
import { assert } from '../base/errors.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { MixBus } from './mix-bus.ts';
import type { Mix, MixEnd, MixInput, MixSettings } from './mix-input.ts';
import { MixVoice } from './mix-voice.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';

const leastFillMs = 20;
/** Of all that send silence: what is mixed over it may take long. */
const fillShare = new LoopShare();

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
 * Audio is to be led through it only while it `isOn`; samples before the first ramp and behind the last one
 * are not touched, and all keep their timestamps.
 */
export class Mixer implements MixTarget {
  readonly #options: MixerOptions;
  readonly #frameUs: number;
  readonly #bus: MixBus;
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
  /** What came and waits until the silence before it is sent. */
  #held: TimedPcm[] = [];
  /** Of that silence, what is not sent yet. */
  #gapFrames = 0;
  /** No audio comes behind it for the time being. */
  #endsBehindHeld = false;
  #fillTimer: NodeJS.Timeout | undefined;
  /** Since when nothing is mixed any more, while there is no audio either. */
  #overUs: number | undefined;

  constructor(options: MixerOptions) {
    this.#options = options;
    this.#frameUs = options.format.durationUs(1);
    const { pool, format, dsp } = options;
    this.#bus = new MixBus({ pool, format, dsp, onPcm: (pcm) => this.#emit(pcm) });
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasRoom(): boolean {
    return this.#bus.hasRoom;
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
    this.#bus.add(voice);
    if (!this.#isFed) this.#startFilling();
    return {
      startUs,
      stop: (fadeMs) => voice.stop(Math.round((format.rateHz * fadeMs) / 1000)),
    };
  }

  /** Returns how much later than told this is sent. Ownership: takes over the reference. */
  take(pcm: TimedPcm): number {
    const { bufferMs, chunkMs } = this.#options;
    const isNext = this.#isFed && !pcm.startsRun && !this.#endsBehindHeld;
    if (!isNext) this.#finishHeld();
    const postponedUs = isNext ? 0 : this.#connect(pcm);
    this.#isFed = true;
    this.#stopFilling();
    const timestampUs = pcm.timestampUs + postponedUs;
    this.#held.push(postponedUs === 0 ? pcm : { ...pcm, timestampUs });
    if (this.#held.length === 1) this.#passHeld();
    else if (this.#held.length * chunkMs > bufferMs) this.#finishHeld();
    return postponedUs;
  }

  /** No audio comes for the time being: silence takes its place. */
  end(): void {
    if (this.#held.length > 0) {
      this.#endsBehindHeld = true;
      return;
    }
    this.#isFed = false;
    if (this.#bus.isOver) this.#leave();
    else this.#startFilling();
  }

  /** Nothing is sent before `resume`; what is mixed goes on unheard. */
  suspend(): void {
    this.#finishHeld();
    this.#isSuspended = true;
    if (this.#isOn) this.#tick();
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /** Ends all that is mixed. Nothing the second time. */
  close(reason: MixEnd = 'gone'): void {
    clearTimeout(this.#fillTimer);
    fillShare.cancel(this.#passHeld);
    for (const { chunk } of this.#held.splice(0)) chunk.release();
    this.#gapFrames = 0;
    this.#endsBehindHeld = false;
    this.#isClosed = true;
    this.#isOn = false;
    this.#bus.abandon(reason);
  }

  /** Where nothing plays the earliest place is that from which on silence is sent. */
  get #outer(): AudioPosition {
    const { position, clock, lagMs } = this.#options;
    const outer = position();
    if (outer.isOpen && !this.#isSuspended) return outer;
    const endUs = Math.max(outer.endUs, clock.nowUs() - lagMs() * 1000);
    return { endUs, stretch: 1, isOpen: false };
  }

  /** Over, and nothing has followed. */
  get #hasLingered(): boolean {
    if (!this.#bus.isOver) {
      this.#overUs = undefined;
      return false;
    }
    this.#bus.drain(this.position);
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
    this.#bus.drain(this.position);
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
    if (isFillable) this.#gapFrames = gapFrames;
    else {
      this.#breakOff();
      this.#skip(gapFrames);
      this.#stretch = pcm.stretch;
      this.#endUs = pcm.timestampUs;
    }
    return 0;
  }

  /** Sends what is held, and the silence before it; in several turns if that is much. */
  readonly #passHeld = (): void => {
    while (this.#held.length > 0) {
      this.#passNext();
      if (this.#held.length === 0 || !fillShare.isOver) continue;
      fillShare.later(this.#passHeld);
      return;
    }
  };

  #finishHeld(): void {
    fillShare.cancel(this.#passHeld);
    while (this.#held.length > 0) this.#passNext();
  }

  #passNext(): void {
    const { format, chunkMs } = this.#options;
    if (this.#gapFrames > 0) {
      const frames = Math.min(this.#gapFrames, format.framesIn(chunkMs));
      this.#gapFrames -= frames;
      this.#sendSilence(frames);
      return;
    }
    this.#pass(this.#held.shift()!);
    if (this.#held.length > 0 || !this.#endsBehindHeld) return;
    this.#endsBehindHeld = false;
    this.end();
  }

  /** What was sent is over, and what follows is another run. */
  #breakOff(): void {
    this.#bus.drain(this.position);
    if (this.#isOpen) this.#options.onRunEnd(this.#endUs);
    this.#isOpen = false;
  }

  #skip(frames: number): void {
    this.#bus.skip(frames);
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
    const { pool, format } = this.#options;
    const bytes = frames * format.frameBytes;
    const chunk = pool.acquire(bytes, 'silence under a mix');
    chunk.payloadBytes = bytes;
    chunk.payload.fill(0);
    const [timestampUs, stretch] = [this.#endUs, this.#stretch];
    this.#pass({ chunk, timestampUs, stretch, startsRun: false });
  }

  #pass(pcm: TimedPcm): void {
    const frames = pcm.chunk.payloadBytes / this.#options.format.frameBytes;
    const endUs = pcm.timestampUs + frames * this.#frameUs * pcm.stretch;
    if (!this.#isOpen) this.#startsOutput = true;
    this.#isOpen = true;
    this.#stretch = pcm.stretch;
    this.#bus.take(pcm);
    this.#endUs = endUs;
    if (this.#isFed && this.#held.length === 0 && this.#bus.isEmpty) this.#leave();
  }

  #emit(pcm: TimedPcm): void {
    const startsRun = this.#startsOutput;
    this.#startsOutput = false;
    this.#options.onPcm(pcm.startsRun === startsRun ? pcm : { ...pcm, startsRun });
  }
}
