import type { PcmConverter } from './pcm-converter.ts';
import { PcmPast } from './pcm-past.ts';
import type { TimedPcm } from './stage.ts';
import type { Stream } from './stream.ts';
import type { StreamFollower } from './stream-followers.ts';

/** A child that is heard may begin as long ago: it may have been read before the other one was found idle. */
const recentMs = 300;

/** What becomes of the audio of a child: it is heard, goes while another one comes, or waits. */
type ChildPart = 'heard' | 'going' | 'waiting';

interface MetaChildOptions {
  readonly stream: Stream;
  /** Absent: its format is the one that is wanted. */
  readonly converter: PcmConverter | undefined;
  /** It plays, or plays no more. */
  readonly onPlaying: (child: MetaChild, atUs: number | undefined) => void;
  /** It is heard, or goes. Ownership: takes over the reference to the chunk. */
  readonly onPcm: (child: MetaChild, pcm: TimedPcm) => void;
  readonly onRunEnd: (child: MetaChild) => void;
  /** Nothing comes before the next PCM, or nothing that was given can be played any more. */
  readonly onPause: (child: MetaChild, change: 'suspend' | 'resume' | 'clear') => void;
}

/** One of the streams of a meta stream, and its audio in the format of that. */
export class MetaChild implements StreamFollower {
  readonly stream: Stream;
  /** The larger one has begun to play later. */
  playedSince = Number.NEGATIVE_INFINITY;
  isSuspended = false;
  readonly #options: MetaChildOptions;
  #part: ChildPart = 'waiting';
  #isPlaying = false;
  /** What it played last while another one was heard. */
  #recent: PcmPast | undefined;

  constructor(options: MetaChildOptions) {
    this.stream = options.stream;
    this.#options = options;
  }

  get isPlaying(): boolean {
    return this.#isPlaying;
  }

  get part(): ChildPart {
    return this.#part;
  }

  /** From now on it is heard, from what was captured at `sinceUs` on as far as that is there. */
  hear(sinceUs: number): void {
    const isWaiting = this.#part === 'waiting';
    this.#part = 'heard';
    const recent = this.#recent;
    this.#recent = undefined;
    if (isWaiting) this.#options.converter?.reset();
    if (!recent) return;
    // A filter needs something from before.
    const first = Math.max(recent.tail, recent.firstSince(sinceUs) - 2);
    for (let at = first; at < recent.head; at += 1) this.take(recent.at(at)!);
    recent.close();
  }

  leave(part: 'going' | 'waiting'): void {
    this.#part = part;
  }

  playing(isPlaying: boolean, atUs?: number): void {
    this.#isPlaying = isPlaying;
    if (!isPlaying) this.#forget();
    this.#options.onPlaying(this, atUs);
  }

  take(pcm: TimedPcm): void {
    const { converter, onPcm } = this.#options;
    if (this.#part === 'waiting') {
      if (this.#isPlaying) this.#keep(pcm);
      return;
    }
    const own = converter ? converter.convert(pcm) : { ...pcm, chunk: pcm.chunk.retain() };
    if (own) onPcm(this, own);
  }

  endRun(): void {
    const { converter, onPcm, onRunEnd } = this.#options;
    if (this.#part === 'waiting') return;
    const rest = converter?.finish();
    if (rest) onPcm(this, rest);
    onRunEnd(this);
  }

  suspend(): void {
    this.isSuspended = true;
    this.#options.onPause(this, 'suspend');
  }

  resume(): void {
    this.isSuspended = false;
    this.#options.onPause(this, 'resume');
  }

  clear(): void {
    this.#forget();
    this.#options.onPause(this, 'clear');
  }

  /** Its stream gives nothing any more. */
  close(): void {
    this.endRun();
    this.playing(false);
  }

  #keep(pcm: TimedPcm): void {
    this.#recent ??= new PcmPast({ keptMs: recentMs, beginUs: pcm.timestampUs });
    this.#recent.take(pcm);
  }

  #forget(): void {
    this.#recent?.close();
    this.#recent = undefined;
  }
}
