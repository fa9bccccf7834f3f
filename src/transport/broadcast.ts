import type { Chunk } from '../audio/chunk.ts';
import { ChunkRing } from '../audio/chunk-ring.ts';
import { sameTimeUs } from '../audio/variant-input.ts';
import type { Clock } from '../base/clock.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { RecentMaximum } from '../base/time/recent-maximum.ts';
import type { AudioPath } from './audio-path.ts';
import { Cursor } from './cursor.ts';
import type { FanOut } from './fan-out.ts';
import { maxSendChunks, SendInterval, type SendIntervalOptions } from './send-interval.ts';

/**
 * One session gets at most this much at a time, so that its reply lane never waits for long. Where
 * a chunk is larger than half of it, two chunks: with one no player would ever catch up.
 */
const maxSendBytes = 128 * 1024;
const leastCatchUpChunks = 2;

/** Of how long it took until chunks came again so much is still expected after each turn. */
const restMemory = 0.99;

/** A joining client starts with the chunk that it can still play after this much transport time. */
const startMarginMs = 150;
/** Audio with less time left than this would come too late: a player at it is moved on. */
export const staleMarginMs = 50;

/** The ring keeps a chunk as long as the buffer. */
export interface BroadcastOptions extends Omit<SendIntervalOptions, 'wantedSendBytes'> {
  /** Whether joining clients get the recent past at once. */
  readonly instantStart: boolean;
  /** What all sessions that catch up may get together per tick, beyond their regular share. */
  readonly burstBytes: number;
}

/**
 * One stream on its way to its sessions: the ring, a cursor per session, and the ticks.
 *
 * Each chunk lasts one tick; all that come in one turn of the event loop are served together. A
 * session is due every `send_interval`; sessions are spread over the phases of that interval. Those
 * that join are served in the same turn, those behind at every tick, within a common budget and in
 * turns, so that a thousand joining clients do not delay those that play.
 */
export class Broadcast {
  readonly ring = new ChunkRing();
  readonly #fanOut: FanOut;
  readonly #clock: Clock;
  readonly #options: BroadcastOptions;
  readonly #interval: SendInterval;
  /** See `maxSendBytes`; more where zero-copy sends are wanted that are larger. */
  readonly #maxSendBytes: number;
  readonly #cursors: Cursor[] = [];
  readonly #burst: Burst;
  #joined = 0;
  /** Those that have joined since the last turn. */
  readonly #joining = new Set<Cursor>();
  #firstInTurn = 0;
  #turn: NodeJS.Immediate | undefined;
  /** Where the ring ended when all sessions were looked at. */
  #servedHead = 0;
  /** How many chunks came then, and how many may come until the next time. */
  #groupTicks = 0;
  #nextTicks = 0;
  /** When that was for new chunks, not there before the first; how long it takes until some come. */
  #servedUs = Number.POSITIVE_INFINITY;
  #restUs = 0;
  /** The players to be served in this tick, those left over from the tick before in front. */
  #due: Cursor[] = [];
  /** Some have not got what is theirs. */
  #isOwing = false;
  /** Some have not got all that there is, as they are not due. */
  #isWaiting = false;
  readonly #share = new LoopShare();
  readonly #deliverRest = () => this.#deliver();
  #outdatedChunks = 0;
  #chunkAgeUs = 0;
  readonly #maxChunkAge = new RecentMaximum();
  #tailTimer: NodeJS.Timeout | undefined;
  #owedTimer: NodeJS.Timeout | undefined;

  constructor(fanOut: FanOut, clock: Clock, options: BroadcastOptions) {
    this.#fanOut = fanOut;
    this.#clock = clock;
    this.#options = options;
    const { wantedSendBytes } = fanOut;
    this.#interval = new SendInterval({ ...options, wantedSendBytes });
    this.#burst = new Burst(options.burstBytes);
    this.#maxSendBytes = Math.max(maxSendBytes, 2 * wantedSendBytes);
  }

  get subscribers(): number {
    return this.#cursors.length;
  }

  /** Chunks that were too old for all players when they were published. */
  get outdatedChunks(): number {
    return this.#outdatedChunks;
  }

  /** Time from the first sample of the newest chunk to its publication. */
  get chunkAgeUs(): number {
    return this.#chunkAgeUs;
  }

  /** The longest such time of the last minute. */
  get maxChunkAgeUs(): number {
    return this.#maxChunkAge.at(this.#clock.nowUs());
  }

  /** Starts to send along `path`: from the recent past, or from the next chunk on. */
  subscribe(path: AudioPath): Cursor {
    const { instantStart } = this.#options;
    const from = instantStart ? this.#oldestWorthPlaying() : this.ring.head;
    const cursor = new Cursor(path, this.#joined, from);
    this.#joined += 1;
    this.#cursors.push(cursor);
    this.#joining.add(cursor);
    this.#serveSoon();
    return cursor;
  }

  /**
   * Goes on along a path from where a cursor of another ring with the same audio stands, which is not
   * used any more.
   */
  takeOver(cursor: Cursor, placeUs: number): Cursor {
    const { path } = cursor;
    const own = cursor.isFresh ? this.subscribe(path) : new Cursor(path, this.#joined, 0);
    const sequence = this.firstSince(placeUs);
    if (cursor.isFresh) {
      if (own.sequence < sequence) own.startAt(sequence);
      return own;
    }
    own.continueAt(sequence);
    this.#joined += 1;
    this.#cursors.push(own);
    if (sequence < this.ring.head) this.#isWaiting = true;
    this.#armTimers();
    return own;
  }

  /** Where the audio begins that was captured then, by another encoder perhaps. */
  firstSince(placeUs: number): number {
    return this.ring.firstSince(placeUs - sameTimeUs);
  }

  /** When the audio was captured that a cursor gets next; before all that is known while that is none. */
  placeOf({ sequence }: Cursor): number {
    const { tail, head } = this.ring;
    if (tail === head) return Number.NEGATIVE_INFINITY;
    if (sequence < head) return this.ring.at(Math.max(sequence, tail)).timestampUs;
    const { timestampUs, durationUs } = this.ring.at(head - 1);
    return timestampUs + durationUs;
  }

  /** How much audio of the ring a cursor has not got yet. */
  backlogUs({ sequence }: Cursor): number {
    const { tail, head } = this.ring;
    if (sequence >= head || tail === head) return 0;
    const { timestampUs, durationUs } = this.ring.at(head - 1);
    return timestampUs + durationUs - this.ring.at(Math.max(sequence, tail)).timestampUs;
  }

  /** Takes in what another ring has, for those that come from there. */
  copyFrom(ring: ChunkRing): void {
    for (let sequence = ring.tail; sequence < ring.head; sequence += 1) {
      const chunk = ring.at(sequence);
      this.#interval.note(chunk);
      this.ring.push(chunk.retain());
    }
    this.#servedHead = this.ring.head;
  }

  unsubscribe(cursor: Cursor): void {
    const index = this.#cursors.indexOf(cursor);
    if (index < 0) return;
    const last = this.#cursors.pop();
    if (last && last !== cursor) this.#cursors[index] = last;
    this.#joining.delete(cursor);
    cursor.quota = 0;
  }

  /**
   * Takes in a chunk; the sessions that are due get it at the end of this turn of the event loop.
   *
   * Ownership: takes over the reference.
   */
  publish(chunk: Chunk): void {
    const nowUs = this.#clock.nowUs();
    this.#chunkAgeUs = nowUs - chunk.timestampUs;
    this.#maxChunkAge.note(this.#chunkAgeUs, nowUs);
    this.#interval.note(chunk);
    this.ring.push(chunk);
    this.ring.dropBefore(nowUs - this.#options.bufferMs * 1000);
    if (this.ring.tail === this.ring.head) this.#outdatedChunks += 1;
    if (this.#cursors.length > 0) this.#serveSoon();
    else this.#servedHead = this.ring.head;
  }

  /** Drops all chunks: after a pause no player wants them any more. */
  clear(): void {
    this.#forgetDue();
    this.ring.clear();
  }

  close(): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#tailTimer);
    clearTimeout(this.#owedTimer);
    this.#cursors.length = 0;
    this.#joining.clear();
    this.clear();
  }

  #serveSoon(): void {
    this.#turn ??= setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#turn = undefined;
    const ticks = this.ring.head - this.#servedHead;
    if (ticks > 0) this.#serveNew(ticks);
    else this.#serveJoining();
  };

  #serveNew(ticks: number): void {
    const nowUs = this.#clock.nowUs();
    const { chunks, chunkUs } = this.#interval;
    const passedUs = nowUs - this.#servedUs;
    // All have waited for their interval; in a pause fewer chunks than that have come.
    const isIntervalOver = passedUs >= chunks * chunkUs;
    this.#restUs = Math.min(Math.max(restMemory * this.#restUs, passedUs), chunks * chunkUs);
    this.#servedUs = nowUs;
    this.#nextTicks = Math.max(ticks, this.#groupTicks);
    this.#groupTicks = ticks;
    clearTimeout(this.#tailTimer);
    this.#tailTimer = undefined;
    this.#serve(isIntervalOver ? Math.max(ticks, chunks) : ticks);
  }

  /** Gives every session its quota, with `ticks` since the last time, and lets the fan-out send. */
  #serve(ticks: number): void {
    const { head } = this.ring;
    const { chunks: interval } = this.#interval;
    // Who was not due the last time may have so much more by now.
    const most = interval + Math.max(0, ticks - 1);
    const count = this.#cursors.length;
    const first = this.#firstInTurn;
    const oldest = this.#oldestToSend();
    const servedHead = this.#servedHead;
    this.#servedHead = head;
    this.#isOwing = false;
    this.#isWaiting = false;
    this.#refillBurst(ticks);
    this.#burst.begin();
    for (let turn = 0; turn < count; turn += 1) {
      const cursor = this.#cursors[(first + turn) % count] as Cursor;
      if (cursor.sequence < oldest) this.#moveOn(cursor, oldest);
      const backlog = head - cursor.sequence;
      // Who was left over from the tick before keeps the place in front.
      const isListed = cursor.quota > 0;
      const isInPhase = (head + interval - (cursor.ordinal % interval)) % interval < ticks;
      // Until the next time it would have more than its interval.
      const isPressing = ticks > 0 && backlog <= most && backlog + this.#nextTicks > interval;
      const isDue = isInPhase || isPressing || cursor.path.isEveryTick;
      if (isDue) cursor.grantShare(Math.min(backlog, most));
      const isJoining = cursor.sequence < servedHead && this.#joining.has(cursor);
      if (backlog > most || isJoining) this.#catchUp(cursor);
      else cursor.quota = this.#regularQuota(cursor);
      this.#isWaiting ||= backlog > cursor.quota;
      if (cursor.quota > 0 && !isListed) this.#due.push(cursor);
    }
    this.#joining.clear();
    this.#deliver();
  }

  /** Those that join do not wait for the next chunk, unless others wait for the burst already. */
  #serveJoining(): void {
    const { tail, head } = this.ring;
    if (this.#burst.isSpent || tail === head) return;
    const oldest = this.#oldestToSend();
    this.#refillBurst(0);
    for (const cursor of this.#joining) {
      if (cursor.sequence < oldest) this.#moveOn(cursor, oldest);
      this.#catchUp(cursor);
      this.#isWaiting ||= head - cursor.sequence > cursor.quota;
      if (cursor.quota > 0) this.#due.push(cursor);
    }
    this.#joining.clear();
    this.#deliver();
  }

  #refillBurst(ticks: number): void {
    this.#burst.refill(this.#clock.nowUs(), { tickUs: this.#interval.chunkUs, ticks });
  }

  /** The share of a session, or as much of it as one send may have: the rest goes at the next tick. */
  #regularQuota({ sequence, share }: Cursor): number {
    return share === 0 ? 0 : Math.min(share, this.#chunksWithin(sequence, this.#maxSendBytes, 1));
  }

  #catchUp(cursor: Cursor): void {
    const { sequence } = cursor;
    const maxBytes = Math.min(this.#maxSendBytes, this.#options.burstBytes);
    const chunks = this.#chunksWithin(sequence, maxBytes, leastCatchUpChunks);
    const isFirstRefusal = !this.#burst.isSpent;
    if (this.#burst.take(this.ring.bytesBetween(sequence, sequence + chunks))) {
      cursor.quota = chunks;
      return;
    }
    if (isFirstRefusal) this.#firstInTurn = this.#cursors.indexOf(cursor);
    // A player that begins late loses nothing; one that begins and then waits has a gap.
    cursor.quota = cursor.isFresh ? 0 : this.#regularQuota(cursor);
  }

  /** How many chunks one send may have, from a sequence on. */
  #chunksWithin(sequence: number, bytes: number, least: number): number {
    const { head } = this.ring;
    const end = Math.max(this.ring.endWithin(sequence, bytes), sequence + least);
    return Math.min(end, head, sequence + maxSendChunks) - sequence;
  }

  /** Sends in slices, so that replies and other streams are served in between. */
  #deliver(): void {
    // The ring may have dropped what those were to get that the last slice left over.
    const { tail, head } = this.ring;
    for (const cursor of this.#due) {
      if (cursor.sequence < tail) this.#moveOn(cursor, tail);
      cursor.quota = Math.min(cursor.quota, head - cursor.sequence);
    }
    const isDone = this.#fanOut.deliver(this.ring, this.#due, this.#share);
    this.#isOwing ||= this.#burst.isSpent || this.#due.some((cursor) => this.#isOwed(cursor));
    this.#due = isDone ? [] : this.#due.filter(({ quota }) => quota > 0);
    if (isDone) {
      this.#share.cancel(this.#deliverRest);
      this.#armTimers();
    } else this.#share.later(this.#deliverRest);
  }

  /** Its socket was reserved, or it could not get all in one send. */
  #isOwed({ quota, share, sequence }: Cursor): boolean {
    return quota === 0 && (share > 0 || this.#servedHead - sequence > this.#interval.chunks);
  }

  #forgetDue(): void {
    this.#share.cancel(this.#deliverRest);
    for (const cursor of this.#due) cursor.quota = 0;
    this.#due = [];
  }

  #moveOn(cursor: Cursor, oldest: number): void {
    const target = Math.max(oldest, this.#oldestWorthPlaying());
    // Who begins late has lost nothing, unless there is nothing to begin with.
    const isLost = !cursor.isFresh || target === this.ring.head;
    if (isLost) cursor.path.counters.lostChunks += target - cursor.sequence;
    if (cursor.isFresh) cursor.startAt(target);
    else cursor.sequence = target;
  }

  /** Where the ring begins to be of use; the last regular share always is. */
  #oldestToSend(): number {
    const fresh = this.#firstOfLast(playablePastMs(this.#options.bufferMs, staleMarginMs));
    return Math.max(this.ring.tail, Math.min(fresh, this.ring.head - this.#interval.chunks));
  }

  #oldestWorthPlaying(): number {
    return this.#firstOfLast(playablePastMs(this.#options.bufferMs));
  }

  #firstOfLast(pastMs: number): number {
    return this.ring.firstSince(this.#clock.nowUs() - pastMs * 1000);
  }

  /** What is owed goes out a tick later, and all that is left behind the head when no chunk comes. */
  #armTimers(): void {
    const { chunkUs } = this.#interval;
    if (this.#isOwing) this.#owedTimer ??= setTimeout(this.#serveOwed, Math.ceil(chunkUs / 1000));
    const tailUs = Math.max(chunkUs, this.#restUs) + chunkUs;
    if (this.#isWaiting) this.#tailTimer ??= setTimeout(this.#flushTail, Math.ceil(tailUs / 1000));
  }

  /** New chunks are about to be served, and all that is owed with them. */
  get #hasNews(): boolean {
    return this.ring.head > this.#servedHead;
  }

  readonly #serveOwed = (): void => {
    this.#owedTimer = undefined;
    if (!this.#hasNews) this.#serve(0);
  };

  readonly #flushTail = (): void => {
    this.#tailTimer = undefined;
    if (!this.#hasNews) this.#serve(this.#interval.chunks);
  };
}

/** Age of the oldest audio that is still played in time when it leaves now. */
export function playablePastMs(bufferMs: number, marginMs = startMarginMs): number {
  return bufferMs - Math.min(marginMs, bufferMs / 2);
}

/** What all sessions that catch up may get: so much per tick, and what was left of the last ones. */
class Burst {
  readonly #tickBytes: number;
  #maxBytes: number;
  #leftBytes: number;
  #filledUs = Number.NEGATIVE_INFINITY;
  #isFirst = true;
  #isSpent = false;

  constructor(tickBytes: number) {
    this.#tickBytes = tickBytes;
    this.#maxBytes = tickBytes;
    this.#leftBytes = tickBytes;
  }

  /** Since the last `begin` a player got nothing, as it would have been too much. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** No more than the `ticks` that are served together have is kept. */
  refill(nowUs: number, { tickUs, ticks }: { tickUs: number; ticks: number }): void {
    if (ticks > 0) this.#maxBytes = ticks * this.#tickBytes;
    const passedTicks = (nowUs - this.#filledUs) / tickUs;
    this.#leftBytes = Math.min(this.#maxBytes, this.#leftBytes + passedTicks * this.#tickBytes);
    this.#filledUs = nowUs;
  }

  begin(): void {
    this.#isFirst = true;
    this.#isSpent = false;
  }

  /**
   * A player that cannot get all that one send may have gets nothing, nor do those after it: it
   * comes first in the next tick. The first always gets it.
   */
  take(bytes: number): boolean {
    this.#isSpent ||= !this.#isFirst && bytes > this.#leftBytes;
    if (this.#isSpent) return false;
    this.#isFirst = false;
    this.#leftBytes -= bytes;
    return true;
  }
}
