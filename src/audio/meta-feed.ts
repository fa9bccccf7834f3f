import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { CrossFade } from './cross-fade.ts';
import { MetaChild } from './meta-child.ts';
import type { MetaOptions } from './meta-options.ts';
import { PcmConverter } from './pcm-converter.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';
import type { Stream } from './stream.ts';
import type { FeedOutput, StreamFeed, StreamReader } from './stream-feed.ts';
import type { StreamOptions } from './stream-options.ts';

interface MetaFeedOptions {
  readonly stream: Pick<StreamOptions, 'name' | 'format' | 'chunkMs'>;
  readonly meta: Pick<MetaOptions, 'mode' | 'holdMs' | 'fadeMs'>;
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly dsp: Dsp;
  readonly logger: Logger;
  /** Another stream is heard, or would be if it played. */
  readonly onActive: () => void;
}

/**
 * Gives a stream the audio of that one of several others which has the highest rank of those that play.
 *
 * The audio keeps the timestamps that it has in the stream it comes from. So at a switch, what was
 * captured before the end of what has been sent is cut off, to the sample, and a gap is filled with
 * silence if it is short, and else ends the run: timestamps never go back.
 */
export class MetaFeed implements StreamFeed, StreamReader {
  readonly format: SampleFormat;
  readonly backlogMs = undefined;
  readonly #options: MetaFeedOptions;
  readonly #frameUs: number;
  #output: FeedOutput | undefined;
  /** By rank. */
  #streams: readonly Stream[] = [];
  readonly #children = new Map<Stream, MetaChild>();
  /** Children whose converter is being made. */
  readonly #openings = new Map<Stream, Promise<void>>();
  #active: MetaChild | undefined;
  #isPlaying = false;
  /** Since when the one that was heard plays no more. */
  #idleSinceUs: number | undefined;
  #holdTimer: NodeJS.Timeout | undefined;
  #fade: CrossFade | undefined;
  #going: MetaChild | undefined;
  /** What came of that before what follows it. */
  #early: TimedPcm[] = [];
  /** How many times a child has begun to play. */
  #plays = 0;
  #isWanted = false;
  #isStopped = false;
  #isSuspended = false;
  /** What was sent last goes on, and where it ends. */
  #isOpen = false;
  #endUs = Number.NEGATIVE_INFINITY;
  /** The child that is heard begins no earlier. */
  #notBeforeUs = Number.NEGATIVE_INFINITY;
  /** What comes next is the first of another child. */
  #isOther = false;

  constructor(options: MetaFeedOptions) {
    this.#options = options;
    this.format = options.stream.format;
    this.#frameUs = this.format.durationUs(1);
  }

  /** The stream that is heard, or would be heard if it played. */
  get active(): Stream | undefined {
    return this.#active?.stream ?? this.#streams[0];
  }

  get driftPpm(): number {
    return this.#active?.stream.driftPpm ?? 0;
  }

  /** Once. */
  open(output: FeedOutput): StreamReader {
    this.#output = output;
    return this;
  }

  start(): void {
    this.#evaluate();
  }

  /** Makes it choose among these, of which the first has the highest rank. */
  setChildren(streams: readonly Stream[]): void {
    if (this.#isStopped) return;
    this.#streams = streams;
    for (const child of this.#children.values()) {
      if (!streams.includes(child.stream)) this.#drop(child);
    }
    for (const stream of streams) {
      if (!this.#children.has(stream) && !this.#openings.has(stream)) this.#join(stream);
    }
    this.#evaluate();
    this.#options.onActive();
  }

  listen(isWanted: boolean): void {
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    for (const { stream } of this.#children.values()) this.#listenTo(stream, isWanted);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#holdTimer);
    this.listen(false);
    this.#streams = [];
    for (const child of this.#children.values()) this.#drop(child);
    this.#endFade();
    this.#output?.stages.close();
    await Promise.all(this.#openings.values());
  }

  #listenTo(stream: Stream, isWanted: boolean): void {
    if (isWanted) stream.addPcmListener?.();
    else stream.removePcmListener?.();
  }

  #join(stream: Stream): void {
    if (stream.format.equals(this.format)) {
      this.#add(stream, undefined);
      return;
    }
    const opening = this.#convert(stream).finally(() => this.#openings.delete(stream));
    this.#openings.set(stream, opening);
  }

  async #convert(stream: Stream): Promise<void> {
    const { pool, dsp, logger, stream: own } = this.#options;
    const [from, to] = [stream.format, this.format];
    const facts = { stream: own.name, child: stream.id, from: String(from), to: String(to) };
    try {
      const converter = await PcmConverter.create({ from, to, pool, dsp });
      if (!this.#streams.includes(stream)) return;
      if (from.channels !== to.channels) logger.notice('meta stream changes the channels', facts);
      this.#add(stream, converter);
      this.#evaluate();
    } catch (error) {
      logger.notice('meta stream cannot use a stream', { ...facts, reason: messageOf(error) });
    }
  }

  #add(stream: Stream, converter: PcmConverter | undefined): void {
    const child = new MetaChild({
      stream,
      converter,
      onPlaying: (child, atUs) => this.#onPlaying(child, atUs),
      onPcm: (child, pcm) => this.#onPcm(child, pcm),
      onRunEnd: (child) => this.#onRunEnd(child),
      onPause: (child, change) => this.#onPause(child, change),
    });
    stream.followers?.add(child);
    this.#children.set(stream, child);
    // One that plays already has the rank of its place.
    if (child.isPlaying) child.playedSince = -this.#streams.indexOf(stream);
    if (this.#isWanted) this.#listenTo(stream, true);
  }

  #drop(child: MetaChild): void {
    const { stream } = child;
    if (!this.#children.delete(stream)) return;
    stream.followers?.remove(child);
    if (this.#isWanted) this.#listenTo(stream, false);
    child.close();
    if (this.#active === child) this.#active = undefined;
  }

  #onPlaying(child: MetaChild, toldUs: number | undefined): void {
    if (!this.#children.has(child.stream)) return;
    const atUs = toldUs ?? this.#readUs;
    if (child.isPlaying) {
      this.#plays += 1;
      child.playedSince = this.#plays;
    }
    if (child === this.#active) this.#idleSinceUs = child.isPlaying ? undefined : atUs;
    this.#evaluate(atUs);
  }

  /** What was captured until then has been read where nothing is put off. */
  get #readUs(): number {
    return this.#options.clock.nowUs() - this.#options.stream.chunkMs * 1000;
  }

  /** What plays with the highest rank; or the one that played last, as long as that holds. */
  #choose(): MetaChild | undefined {
    const { mode } = this.#options.meta;
    const ranked = this.#streams.flatMap((stream) => this.#children.get(stream) ?? []);
    const playing = ranked.filter(({ isPlaying }) => isPlaying);
    if (mode === 'recent') playing.sort((a, b) => b.playedSince - a.playedSince);
    const [best] = playing;
    const held = this.#held();
    if (!held) return best ?? ranked[0];
    const isAbove =
      mode === 'recent'
        ? best && best.playedSince > held.playedSince
        : best && ranked.indexOf(best) < ranked.indexOf(held);
    return isAbove ? best : held;
  }

  /** The one that was heard and has not been idle for long enough. */
  #held(): MetaChild | undefined {
    clearTimeout(this.#holdTimer);
    if (this.#idleSinceUs === undefined) return undefined;
    const untilUs = this.#idleSinceUs + this.#options.meta.holdMs * 1000;
    const leftUs = untilUs - this.#readUs;
    if (leftUs <= 0) return undefined;
    this.#holdTimer = setTimeout(() => this.#evaluate(untilUs), Math.ceil(leftUs / 1000));
    return this.#active;
  }

  /** `atUs`: as of the audio that was captured then. */
  #evaluate(atUs = this.#readUs): void {
    if (!this.#output || this.#isStopped) return;
    const chosen = this.#choose();
    const isOther = chosen !== this.#active;
    if (isOther) this.#switch(chosen, atUs);
    const isPlaying = chosen?.isPlaying ?? false;
    const hasChanged = isPlaying !== this.#isPlaying;
    this.#isPlaying = isPlaying;
    // Last, as what is told may make it choose anew.
    if (hasChanged) this.#output.onPlaying(isPlaying, atUs);
    if (isOther) this.#options.onActive();
  }

  #switch(next: MetaChild | undefined, atUs: number): void {
    const { logger, stream } = this.#options;
    const previous = this.#active;
    this.#endFade();
    this.#active = next;
    this.#idleSinceUs = undefined;
    this.#isOther = true;
    this.#notBeforeUs = atUs;
    if (previous) this.#leave(previous, next);
    if (!next?.isPlaying) this.#end();
    else {
      const facts = { stream: stream.name, from: previous?.stream.id, to: next.stream.id };
      logger.info('meta stream plays another stream', facts);
    }
    this.#suspend(next?.isSuspended ?? false);
    next?.hear(Math.max(atUs, this.#isOpen ? this.#endUs : 0));
  }

  #leave(previous: MetaChild, next: MetaChild | undefined): void {
    const goes = previous.isPlaying && next?.isPlaying === true;
    previous.leave(goes ? 'going' : 'waiting');
    this.#going = goes ? previous : undefined;
  }

  #onPcm(child: MetaChild, pcm: TimedPcm): void {
    if (child !== this.#active) {
      if (this.#fade) this.#fade.takeGoing(pcm);
      else this.#keepEarly(pcm);
      return;
    }
    const placed = this.#place(pcm);
    if (!placed) return;
    this.#send(placed);
  }

  #keepEarly(pcm: TimedPcm): void {
    this.#early.push(pcm);
    const oldestUs = pcm.timestampUs - this.#goingMs * 1000;
    while (this.#early[0]!.timestampUs < oldestUs) this.#early.shift()?.chunk.release();
  }

  #send(pcm: TimedPcm): void {
    if (this.#fade) this.#fade.takeComing(pcm);
    else this.#output?.stages.take(pcm);
    if (this.#fade?.isOver) this.#endFade();
  }

  #onRunEnd(child: MetaChild): void {
    if (child === this.#going) this.#fade?.endGoing();
    if (child === this.#active) this.#end();
  }

  #onPause(child: MetaChild, change: 'suspend' | 'resume' | 'clear'): void {
    if (child !== this.#active || this.#isStopped) return;
    if (change === 'clear') {
      this.#endFade();
      this.#output?.stages.clear();
    } else this.#suspend(change === 'suspend');
  }

  #suspend(isSuspended: boolean): void {
    if (isSuspended === this.#isSuspended) return;
    this.#isSuspended = isSuspended;
    if (isSuspended) this.#output?.stages.suspend();
    else this.#output?.stages.resume();
  }

  /** Cuts off what lies before the end of what was sent, and sees to what is missing behind it. */
  #place(pcm: TimedPcm): TimedPcm | undefined {
    const { stages, maxPaddingUs } = this.#output!;
    const { frameBytes } = this.format;
    const frameUs = this.#frameUs * pcm.stretch;
    const { chunkMs } = this.#options.stream;
    const gapUs = pcm.timestampUs - this.#endUs;
    // What goes comes to where the other one begins, however late it is read.
    const longestMs = this.#going ? this.#goingMs : chunkMs;
    if (this.#isOpen && gapUs > Math.max(longestMs * 1000, 2 * maxPaddingUs)) this.#end();
    const earliestUs = this.#isOpen ? this.#endUs : stages.position.endUs;
    const fromUs = Math.max(earliestUs, this.#notBeforeUs);
    const frames = pcm.chunk.payloadBytes / frameBytes;
    const cut = Math.max(0, Math.round((fromUs - pcm.timestampUs) / frameUs));
    if (cut >= frames) {
      pcm.chunk.release();
      return undefined;
    }
    const timestampUs = pcm.timestampUs + cut * frameUs;
    const missing = this.#isOpen ? Math.round((timestampUs - this.#endUs) / frameUs) : 0;
    const startsRun = !this.#isOpen;
    const isFromMiddle = !pcm.startsRun || cut > 0;
    if (this.#isOther && (isFromMiddle || this.#isOpen)) this.#beginFade(missing);
    this.#isOther = false;
    if (missing > 0) this.#sendSilence(missing, pcm);
    this.#isOpen = true;
    this.#endUs = timestampUs + (frames - cut) * frameUs;
    const chunk = cut === 0 ? pcm.chunk : this.#cutOff(pcm, cut);
    return { ...pcm, chunk, timestampUs, startsRun };
  }

  #cutOff({ chunk }: TimedPcm, frames: number): TimedPcm['chunk'] {
    const from = frames * this.format.frameBytes;
    const rest = this.#options.pool.acquire(chunk.payloadBytes - from, 'the beginning of a child');
    rest.payloadBytes = chunk.payloadBytes - from;
    chunk.payload.copy(rest.writable, 0, from);
    chunk.release();
    return rest;
  }

  #sendSilence(frames: number, { stretch }: TimedPcm): void {
    const bytes = frames * this.format.frameBytes;
    const chunk = this.#options.pool.acquire(bytes, 'silence between two children');
    chunk.payloadBytes = bytes;
    chunk.payload.fill(0);
    const timestampUs = this.#endUs;
    this.#send({ chunk, timestampUs, stretch, startsRun: false });
  }

  /** For so long what goes is waited for. */
  get #goingMs(): number {
    return (this.#output?.groupMs() ?? 0) + 2 * this.#options.stream.chunkMs;
  }

  /** `missing`: frames before the other one begins. */
  #beginFade(missing: number): void {
    const { pool, dsp, meta } = this.#options;
    const { format } = this;
    const { stages } = this.#output!;
    const leadFrames = this.#going ? missing : 0;
    const frames = Math.round((format.rateHz * meta.fadeMs) / 1000);
    if (leadFrames + frames === 0) return;
    this.#fade = new CrossFade(
      {
        ...{ pool, format, dsp, leadFrames, frames },
        waitMs: this.#goingMs,
        onPcm: (pcm) => void stages.take(pcm),
      },
      { hasGone: this.#going === undefined },
    );
    for (const pcm of this.#early.splice(0)) this.#fade.takeGoing(pcm);
  }

  #endFade(): void {
    const fade = this.#fade;
    this.#fade = undefined;
    fade?.close();
    for (const { chunk } of this.#early.splice(0)) chunk.release();
    this.#going?.leave('waiting');
    this.#going = undefined;
  }

  #end(): void {
    this.#endFade();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#output?.stages.end();
  }
}
