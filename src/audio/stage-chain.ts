import { assert } from '../base/errors.ts';
import { RestartableTimer } from '../base/time/restartable-timer.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { AudioPosition, Mixer, MixerOutput } from './mixer.ts';
import type { SampleFormat } from './sample-format.ts';
import type { PcmObserver, Stage, TimedPcm } from './stage.ts';
import type { StreamFollowers } from './stream-followers.ts';

export interface StageChainOptions {
  readonly pool: ChunkPool;
  readonly format: SampleFormat;
  /** What was sent longer ago than this is too old to be played. */
  readonly bufferMs: number;
  /** How much silence may be sent behind what was told before `onRunEnd`. */
  readonly maxPaddingUs: number;
  /** Ownership: takes over the reference to the chunk. */
  readonly onPcm: (pcm: TimedPcm) => void;
  /** No audio follows for the time being. */
  readonly onRunEnd: () => void;
  /** What was told before is too old to be played. */
  readonly onOutdated: () => void;
  /** A stage has thrown; nothing is told any more. */
  readonly onFailure: (error: unknown) => void;
  /** An observer has thrown, and sees nothing any more. */
  readonly onObserverFailure: (error: unknown) => void;
  /** Get what is sent before anything is mixed over it. */
  readonly followers?: StreamFollowers;
}

/**
 * The way from a reader to the encoder, through stages that may come and go while audio passes.
 *
 * What a stage that delays gives first is cut, and what it holds back in the end is fetched with
 * silence, so samples keep their timestamps, whatever stages there are. A run never begins before
 * the end of what was sent of the one before it and the longest padding of the codec, as while no
 * client listens the real one is not known yet.
 */
export class StageChain {
  readonly #options: StageChainOptions;
  readonly #outdatedTimer: RestartableTimer;
  #links: readonly Link[] = [];
  /** The stages that there shall be, and of those that there are the list as it was. */
  #stages: readonly Stage[] = [];
  #linked = this.#stages;
  #observers: readonly PcmObserver[] = [];
  #mixer: Mixer | undefined;
  /** What was sent last goes on. */
  #isOpen = false;
  #isSuspended = false;
  #isClosed = false;
  /** Where what was sent ends, and where the next run may begin. */
  #endUs = 0;
  #stretch = 1;
  #earliestUs = Number.NEGATIVE_INFINITY;
  /** By how much the run that begins in this call is sent later than it was told. */
  #postponedUs = 0;

  constructor(options: StageChainOptions) {
    this.#options = options;
    this.#outdatedTimer = new RestartableTimer(options.bufferMs, () => {
      if (!this.#mixer?.isOn && (!this.#isOpen || this.#isSuspended)) this.clear();
    });
  }

  /** Where what was sent ends, or where what comes next may begin. */
  get position(): AudioPosition {
    return this.#mixer?.isOn ? this.#mixer.position : this.#outer;
  }

  /** No run begins earlier. */
  notBefore(us: number): void {
    this.#earliestUs = Math.max(this.#earliestUs, us);
  }

  /** From the next PCM on, behind all others. */
  add(stage: Stage): void {
    assert(!this.#stages.includes(stage), 'a stage was added twice');
    this.#stages = [...this.#stages, stage];
  }

  /** From the next PCM on; for what it holds back it is called once more. */
  remove(stage: Stage): void {
    this.#stages = this.#stages.filter((other) => other !== stage);
  }

  /** From the next PCM on: it sees what is sent, at the time at which it is sent. */
  observe(observer: PcmObserver): void {
    this.#observers = [...this.#observers, observer];
  }

  unobserve(observer: PcmObserver): void {
    this.#observers = this.#observers.filter((other) => other !== observer);
  }

  /** The place behind all stages: who has it may also send when nothing comes. Once. */
  attach(create: (output: MixerOutput) => Mixer): Mixer {
    assert(!this.#mixer, 'a mixer was attached twice');
    this.#mixer = create({
      position: () => this.#outer,
      onPcm: (pcm) => this.#deliver(pcm),
      onRunEnd: (endUs) => {
        this.notBefore(endUs + this.#options.maxPaddingUs);
        this.#deliverEnd();
      },
    });
    if (this.#isSuspended) this.#mixer.suspend();
    return this.#mixer;
  }

  /** Returns how much later than told this run is sent. Ownership: takes over the reference. */
  take(pcm: TimedPcm): number {
    if (this.#stages !== this.#linked) this.#link();
    if (pcm.startsRun) this.#break();
    // A stage may change it.
    const isOwn = this.#links.length === 0 || !pcm.chunk.isShared;
    this.#pass(
      isOwn ? pcm : { ...pcm, chunk: this.#options.pool.unshared(pcm.chunk, 'a stage') },
      0,
    );
    return this.#takePostponed();
  }

  /** The run is over. */
  end(): void {
    this.#drain(0);
    this.#endOutput();
    this.#postponedUs = 0;
  }

  /** Nothing comes before `resume`, though the run is not over. */
  suspend(): void {
    this.#isSuspended = true;
    this.#mixer?.suspend();
    this.#options.followers?.suspend();
    this.#outdatedTimer.restart();
  }

  resume(): void {
    this.#isSuspended = false;
    this.#mixer?.resume();
    this.#options.followers?.resume();
  }

  /** What was sent is too old to be played. */
  clear(): void {
    this.#earliestUs = Number.NEGATIVE_INFINITY;
    this.#options.onOutdated();
    this.#options.followers?.clear();
  }

  /** Nothing is told any more. */
  close(): void {
    this.#isClosed = true;
    this.#outdatedTimer.stop();
    this.#mixer?.close();
    for (const observer of this.#observers) this.#dismiss(observer);
    this.#options.followers?.close();
  }

  /** How far that has got which is not led through the mixer. */
  get #outer(): AudioPosition {
    const endUs = this.#isOpen ? this.#endUs : this.#earliestUs;
    return { endUs, stretch: this.#stretch, isOpen: this.#isOpen };
  }

  #link(): void {
    for (const [index, { stage }] of this.#links.entries()) {
      if (!this.#stages.includes(stage)) this.#drainOne(index);
    }
    const links = new Map(this.#links.map((link) => [link.stage, link]));
    const { format } = this.#options;
    this.#links = this.#stages.map((stage) => links.get(stage) ?? new Link(stage, format));
    this.#linked = this.#stages;
  }

  #pass(pcm: TimedPcm, from: number): void {
    let passed = pcm;
    for (let index = from; index < this.#links.length; index += 1) {
      const link = this.#links[index]!;
      const out = this.#through(link, passed);
      if (!out) {
        if (link.stage.delayFrames === 0) this.#interrupt(index + 1);
        return;
      }
      passed = out;
    }
    this.#send(passed);
  }

  #through(link: Link, pcm: TimedPcm): TimedPcm | undefined {
    try {
      return link.process(pcm);
    } catch (error) {
      this.close();
      this.#options.onFailure(error);
      return undefined;
    }
  }

  /** A stage keeps the audio to itself: for all behind it that is the end of a run. */
  #interrupt(from: number): void {
    this.#drain(from);
    if (this.#isOpen) this.#endOutput();
  }

  #drain(from: number): void {
    for (let index = from; index < this.#links.length; index += 1) this.#drainOne(index);
  }

  #drainOne(index: number): void {
    const link = this.#links[index]!;
    const { delayFrames } = link.stage;
    if (link.isOpen && delayFrames > 0) {
      const { pool, format } = this.#options;
      const chunk = pool.acquire(delayFrames * format.frameBytes, 'silence behind a stage');
      chunk.payloadBytes = delayFrames * format.frameBytes;
      chunk.payload.fill(0);
      this.#pass({ ...link.end, startsRun: false, chunk }, index);
    }
    link.isOpen = false;
  }

  #break(): void {
    for (const link of this.#links) link.isOpen = false;
    this.#isOpen = false;
    this.#postponedUs = 0;
  }

  /** What comes next is told later by as much, and so is what the stages hold. */
  #takePostponed(): number {
    const us = this.#postponedUs;
    this.#postponedUs = 0;
    if (us > 0) for (const link of this.#links) link.postpone(us);
    return us;
  }

  #send(pcm: TimedPcm): void {
    if (this.#isClosed) {
      pcm.chunk.release();
      return;
    }
    const startsRun = !this.#isOpen;
    if (startsRun) this.#postponedUs = Math.max(0, this.#earliestUs - pcm.timestampUs);
    const timestampUs = pcm.timestampUs + this.#postponedUs;
    this.#isOpen = true;
    this.#endUs = timestampUs + durationUs(pcm, this.#options.format);
    this.#stretch = pcm.stretch;
    const isAsTold = startsRun === pcm.startsRun && timestampUs === pcm.timestampUs;
    const sent = isAsTold ? pcm : { ...pcm, startsRun, timestampUs };
    const { followers } = this.#options;
    const followed = followers && !followers.isEmpty ? sent.chunk.retain() : undefined;
    const us = this.#deliverOrMix(sent);
    if (!followed) return;
    followers?.take(us === 0 ? sent : { ...sent, timestampUs: timestampUs + us });
    followed.release();
  }

  /** Returns how much later than told it is sent. */
  #deliverOrMix(sent: TimedPcm): number {
    if (!this.#mixer?.isOn) {
      this.#deliver(sent);
      return 0;
    }
    const us = this.#mixer.take(sent);
    this.#postponedUs += us;
    this.#endUs += us;
    return us;
  }

  #deliver(pcm: TimedPcm): void {
    for (const observer of this.#observers) {
      try {
        observer.take(pcm);
      } catch (error) {
        this.#drop(observer, error);
      }
    }
    this.#options.onPcm(pcm);
  }

  #endOutput(): void {
    if (this.#isOpen) this.#earliestUs = this.#endUs + this.#options.maxPaddingUs;
    this.#isOpen = false;
    if (this.#isClosed) return;
    if (this.#mixer?.isOn) this.#mixer.end();
    else this.#deliverEnd();
    this.#options.followers?.endRun();
  }

  #deliverEnd(): void {
    for (const observer of this.#observers) {
      try {
        observer.endRun();
      } catch (error) {
        this.#drop(observer, error);
      }
    }
    this.#options.onRunEnd();
    if (!this.#isClosed) this.#outdatedTimer.restart();
  }

  /** Who only looks does not break what is heard. */
  #drop(observer: PcmObserver, error: unknown): void {
    this.unobserve(observer);
    this.#options.onObserverFailure(error);
    this.#dismiss(observer);
  }

  #dismiss(observer: PcmObserver): void {
    try {
      observer.close?.();
    } catch (error) {
      this.#options.onObserverFailure(error);
    }
  }
}

/** A stage, and the audio that is under way in it. */
class Link {
  readonly stage: Stage;
  /** What comes next continues what went in last. */
  isOpen = false;
  /** Where what went in last ends. */
  end: Omit<TimedPcm, 'chunk'> = { timestampUs: 0, stretch: 1, startsRun: false };
  readonly #format: SampleFormat;
  /** Frames that are still to come out from before what went in first. */
  #leadFrames = 0;

  constructor(stage: Stage, format: SampleFormat) {
    this.stage = stage;
    this.#format = format;
  }

  process(pcm: TimedPcm): TimedPcm | undefined {
    const startsRun = !this.isOpen;
    this.isOpen = true;
    const told = pcm.startsRun === startsRun ? pcm : { ...pcm, startsRun };
    if (this.stage.delayFrames === 0) return this.stage.process(told);
    if (startsRun) this.#leadFrames = this.stage.delayFrames;
    const { timestampUs, stretch } = pcm;
    const endUs = timestampUs + durationUs(pcm, this.#format);
    this.end = { timestampUs: endUs, stretch, startsRun: false };
    const out = this.stage.process(told);
    return out && this.#shift(out);
  }

  postpone(us: number): void {
    this.end = { ...this.end, timestampUs: this.end.timestampUs + us };
  }

  /** What comes out of a stage that delays was captured earlier than what went in. */
  #shift(pcm: TimedPcm): TimedPcm | undefined {
    const { chunk, timestampUs, stretch } = pcm;
    const { frameBytes } = this.#format;
    const leadFrames = Math.min(this.#leadFrames, chunk.payloadBytes / frameBytes);
    this.#leadFrames -= leadFrames;
    chunk.writable.copyWithin(0, leadFrames * frameBytes, chunk.payloadBytes);
    chunk.payloadBytes -= leadFrames * frameBytes;
    if (chunk.payloadBytes === 0) {
      chunk.release();
      return undefined;
    }
    const shiftUs = this.#format.durationUs(leadFrames - this.stage.delayFrames) * stretch;
    return { ...pcm, timestampUs: timestampUs + shiftUs };
  }
}

function durationUs({ chunk, stretch }: TimedPcm, format: SampleFormat): number {
  return format.durationUs(chunk.payloadBytes / format.frameBytes) * stretch;
}
