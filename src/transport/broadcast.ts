import type { Chunk } from '../audio/chunk.ts';
import { ChunkRing } from '../audio/chunk-ring.ts';
import type { Clock } from '../base/clock.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import type { AudioPath } from './audio-path.ts';
import { Cursor } from './cursor.ts';
import type { FanOut } from './fan-out.ts';
import { RecentMaximum } from './recent-maximum.ts';
import { maxSendChunks, SendInterval, type SendIntervalOptions } from './send-interval.ts';

/**
 * One session gets at most this much per tick, so that its reply lane never waits for long. Where
 * a chunk is larger than half of it, two chunks: with one per tick no player would ever catch up.
 */
const maxSendBytes = 128 * 1024;
const leastCatchUpChunks = 2;

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
 * Each published chunk is a tick. A session is due every `send_interval`; sessions are spread
 * over the phases of that interval. Those behind are served at every tick within a common budget,
 * in turns, so that a thousand joining clients do not delay those that play.
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
  #joined = 0;
  #tick = 0;
  #firstInTurn = 0;
  /** The players to be served in this tick, those left over from the tick before in front. */
  #due: Cursor[] = [];
  readonly #share = new LoopShare();
  readonly #deliverRest = () => this.#deliver();
  #outdatedChunks = 0;
  #chunkAgeUs = 0;
  readonly #maxChunkAge = new RecentMaximum();
  #tail: { readonly timer: NodeJS.Timeout; readonly delayMs: number } | undefined;

  constructor(fanOut: FanOut, clock: Clock, options: BroadcastOptions) {
    this.#fanOut = fanOut;
    this.#clock = clock;
    this.#options = options;
    const { wantedSendBytes } = fanOut;
    this.#interval = new SendInterval({ ...options, wantedSendBytes });
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
    this.#tail?.timer.refresh();
    return cursor;
  }

  unsubscribe(cursor: Cursor): void {
    const index = this.#cursors.indexOf(cursor);
    if (index < 0) return;
    const last = this.#cursors.pop();
    if (last && last !== cursor) this.#cursors[index] = last;
    cursor.quota = 0;
  }

  /** Takes in a chunk and serves the sessions that are due. Ownership: takes over the reference. */
  publish(chunk: Chunk): void {
    const { durationUs } = chunk;
    const nowUs = this.#clock.nowUs();
    this.#chunkAgeUs = nowUs - chunk.timestampUs;
    this.#maxChunkAge.note(this.#chunkAgeUs, nowUs);
    const interval = this.#interval.chunksAfter(chunk);
    this.ring.push(chunk);
    this.ring.dropBefore(nowUs - this.#options.bufferMs * 1000);
    if (this.ring.tail === this.ring.head) this.#outdatedChunks += 1;
    this.#tick += 1;
    this.#serve(interval, this.#tick % interval);
    this.#armTail(durationUs);
  }

  /** Drops all chunks: after a pause no player wants them any more. */
  clear(): void {
    this.#forgetDue();
    this.ring.clear();
  }

  close(): void {
    clearTimeout(this.#tail?.timer);
    this.#tail = undefined;
    this.#cursors.length = 0;
    this.clear();
  }

  /** One tick: gives every session its quota and lets the fan-out send. */
  #serve(interval: number, phase: number): void {
    const count = this.#cursors.length;
    const first = this.#firstInTurn;
    const oldest = this.#oldestToSend(interval);
    const burst = new Burst(this.#options.burstBytes);
    for (let turn = 0; turn < count; turn += 1) {
      const index = (first + turn) % count;
      const cursor = this.#cursors[index] as Cursor;
      if (cursor.sequence < oldest) this.#moveOn(cursor, oldest);
      const backlog = this.ring.head - cursor.sequence;
      // Who was left over from the tick before keeps the place in front.
      const isListed = cursor.quota > 0;
      if (cursor.ordinal % interval === phase) cursor.grantShare(Math.min(backlog, interval));
      if (backlog > interval) this.#catchUp(cursor, burst, index);
      else cursor.quota = this.#regularQuota(cursor);
      if (cursor.quota > 0 && !isListed) this.#due.push(cursor);
    }
    this.#deliver();
  }

  /** The share of a session, or as much of it as one send may have: the rest goes at the next tick. */
  #regularQuota({ sequence, share }: Cursor): number {
    return share === 0 ? 0 : Math.min(share, this.#chunksWithin(sequence, this.#maxSendBytes, 1));
  }

  #catchUp(cursor: Cursor, burst: Burst, index: number): void {
    const { sequence } = cursor;
    const maxBytes = Math.min(this.#maxSendBytes, this.#options.burstBytes);
    const chunks = this.#chunksWithin(sequence, maxBytes, leastCatchUpChunks);
    const isFirstRefusal = !burst.isSpent;
    if (burst.take(this.ring.bytesBetween(sequence, sequence + chunks))) {
      cursor.quota = chunks;
      return;
    }
    if (isFirstRefusal) this.#firstInTurn = index;
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
    const isDone = this.#fanOut.deliver(this.ring, this.#due, this.#share);
    this.#due = isDone ? [] : this.#due.filter(({ quota }) => quota > 0);
    if (isDone) this.#share.cancel(this.#deliverRest);
    else this.#share.later(this.#deliverRest);
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
  #oldestToSend(interval: number): number {
    const fresh = this.#firstOfLast(playablePastMs(this.#options.bufferMs, staleMarginMs));
    return Math.max(this.ring.tail, Math.min(fresh, this.ring.head - interval));
  }

  #oldestWorthPlaying(): number {
    return this.#firstOfLast(playablePastMs(this.#options.bufferMs));
  }

  #firstOfLast(pastMs: number): number {
    return this.ring.firstSince(this.#clock.nowUs() - pastMs * 1000);
  }

  /** When no further chunk comes, what is left behind the head goes out one tick later. */
  #armTail(chunkUs: number): void {
    const delayMs = Math.ceil((2 * chunkUs) / 1000);
    if (this.#tail?.delayMs === delayMs) {
      this.#tail.timer.refresh();
      return;
    }
    clearTimeout(this.#tail?.timer);
    this.#tail = { timer: setTimeout(() => this.#flushTail(), delayMs), delayMs };
  }

  #flushTail(): void {
    this.#serve(1, 0);
    const { head } = this.ring;
    if (this.#cursors.some((cursor) => cursor.sequence < head)) this.#tail?.timer.refresh();
  }
}

/** Age of the oldest audio that is still played in time when it leaves now. */
export function playablePastMs(bufferMs: number, marginMs = startMarginMs): number {
  return bufferMs - Math.min(marginMs, bufferMs / 2);
}

/** What all sessions that catch up may get in one tick. */
class Burst {
  readonly #bytes: number;
  #takenBytes = 0;
  #isSpent = false;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get isSpent(): boolean {
    return this.#isSpent;
  }

  /**
   * A player that cannot get all that one send may have gets nothing, nor do those after it: it
   * comes first in the next tick. The first always gets it.
   */
  take(bytes: number): boolean {
    const isFirst = this.#takenBytes === 0;
    this.#isSpent ||= !isFirst && this.#takenBytes + bytes > this.#bytes;
    if (!this.#isSpent) this.#takenBytes += bytes;
    return !this.#isSpent;
  }
}
