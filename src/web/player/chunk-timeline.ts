/** Decoded audio that begins at a time of the server. */
export interface TimedSound {
  readonly timestampMs: number;
  /** One array per channel, all of the same length. */
  readonly channels: readonly Float32Array<ArrayBuffer>[];
}

interface Piece extends TimedSound {
  readonly start: number;
  readonly end: number;
}

/** Timestamps that miss by less are those of audio without interruption, rounded or led. */
const toleranceMs = 1;
/** More than servers keep for those who join. */
const maxKeptMs = 30_000;
const fadeMs = 5;

/**
 * The audio that has arrived: frames in one sequence of numbers, each with its time.
 *
 * What is missing has numbers too, so that time and number go together across a gap.
 */
export class ChunkTimeline {
  readonly #rateHz: number;
  #pieces: Piece[] = [];

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Behind the last frame. */
  get end(): number {
    return this.#pieces.at(-1)?.end ?? 0;
  }

  /** Of the first frame behind the last one; `undefined` when there is none. */
  get endMs(): number | undefined {
    return this.isEmpty ? undefined : this.timeMs(this.end);
  }

  /** What was there before at the same time is replaced, unless it is the same. */
  add({ timestampMs, channels }: TimedSound): void {
    const frames = channels[0]?.length ?? 0;
    if (frames === 0) return;
    const start = this.#startOf(timestampMs);
    const first = this.#pieces[0];
    // Played long ago: those who connect again get once more what they might have missed.
    if (first && start + frames <= first.start) return;
    if (this.#pieces.some((piece) => piece.start === start && piece.end === start + frames)) return;
    const isJoined = start === this.end || this.isEmpty;
    if (!isJoined) {
      this.#cut(start);
      this.#fade(channels);
    }
    this.#pieces.push({ timestampMs, channels, start, end: start + frames });
    const oldest = this.end - (maxKeptMs * this.#rateHz) / 1000;
    this.dropBefore(oldest);
  }

  dropBefore(frame: number): void {
    while (this.#pieces.length > 1 && this.#pieces[0]!.end <= frame) this.#pieces.shift();
  }

  timeMs(frame: number): number {
    const piece = this.#pieces.findLast(({ start }) => start <= frame) ?? this.#pieces[0]!;
    return piece.timestampMs + ((frame - piece.start) * 1000) / this.#rateHz;
  }

  /** Shape: not rounded. */
  frameAt(timeMs: number): number {
    const piece =
      this.#pieces.findLast(({ timestampMs }) => timestampMs <= timeMs) ?? this.#pieces[0]!;
    return piece.start + ((timeMs - piece.timestampMs) * this.#rateHz) / 1000;
  }

  /** The first frame from `frame` on that is missing. */
  coveredUntil(frame: number): number {
    let covered = frame;
    for (const { start, end } of this.#pieces) {
      if (start > covered) break;
      covered = Math.max(covered, end);
    }
    return covered;
  }

  /** The first frame from `frame` on that is there. */
  coveredFrom(frame: number): number {
    const piece = this.#pieces.find(({ end }) => end > frame);
    return piece ? Math.max(piece.start, frame) : Number.POSITIVE_INFINITY;
  }

  /** A copy of `frames` frames of a channel from `from` on, silent where they are missing. */
  read(channel: number, from: number, frames: number): Float32Array<ArrayBuffer> {
    const samples = new Float32Array(frames);
    for (const { start, end, channels } of this.#pieces) {
      const first = Math.max(start, from);
      const last = Math.min(end, from + frames);
      if (first >= last) continue;
      samples.set(channels[channel]!.subarray(first - start, last - start), first - from);
    }
    return samples;
  }

  #startOf(timestampMs: number): number {
    if (this.isEmpty) return 0;
    const frame = this.frameAt(timestampMs);
    const nearest = this.#pieces.find(
      (piece) => Math.abs(piece.timestampMs - timestampMs) <= toleranceMs / 2,
    );
    if (nearest) return nearest.start;
    const missMs = ((frame - this.end) * 1000) / this.#rateHz;
    return Math.abs(missMs) <= toleranceMs ? this.end : Math.round(frame);
  }

  /** Takes away what begins at `start` or later, and what reaches beyond it. */
  #cut(start: number): void {
    const kept = this.#pieces.filter((piece) => piece.start < start);
    const last = kept.pop();
    if (last) {
      const frames = Math.min(last.end, start) - last.start;
      const channels = last.channels.map((samples) => samples.subarray(0, frames));
      for (const samples of channels) fadeOut(samples, this.#fadeFrames);
      kept.push({ ...last, channels, end: last.start + frames });
    }
    this.#pieces = kept;
  }

  #fade(channels: readonly Float32Array[]): void {
    for (const samples of channels) fadeIn(samples, this.#fadeFrames);
  }

  get #fadeFrames(): number {
    return Math.round((fadeMs * this.#rateHz) / 1000);
  }
}

/** In place: from silence over `frames` frames. */
export function fadeIn(samples: Float32Array, frames: number): void {
  const length = Math.min(frames, samples.length);
  for (let index = 0; index < length; index += 1) samples[index]! *= (index + 0.5) / length;
}

/** In place: to silence over the last `frames` frames. */
export function fadeOut(samples: Float32Array, frames: number): void {
  const length = Math.min(frames, samples.length);
  for (let index = 0; index < length; index += 1) {
    samples[samples.length - 1 - index]! *= (index + 0.5) / length;
  }
}
