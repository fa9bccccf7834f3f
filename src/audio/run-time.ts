import type { Place } from './pacer.ts';

/** What calculating leaves; a run that goes on with other audio is nearer to its own sample than this to the next. */
const roundingUs = 0.5;

/** From `sinceUs` of the run on, its audio lies at `timestampUs` and is stretched. */
interface Segment {
  readonly sinceUs: number;
  readonly timestampUs: number;
  readonly stretch: number;
}

/**
 * Where the audio of one run lies on the time base, also that of chunks which begin elsewhere than
 * those that went into the encoder.
 */
export class RunTime {
  /** A new one only where the stretch or the grid of samples changes, so that sample counts stay exact. */
  readonly #segments: Segment[] = [];

  /** The audio from `sinceUs` of the run on has this place. */
  add(sinceUs: number, { timestampUs, stretch }: Place): void {
    const last = this.#segments.at(-1);
    if (last?.stretch === stretch) {
      const toldUs = last.timestampUs + (sinceUs - last.sinceUs) * stretch;
      if (Math.abs(timestampUs - toldUs) < roundingUs) return;
    }
    this.#segments.push({ sinceUs, timestampUs, stretch });
  }

  /** The time of `sinceUs` of the run; asked for in order, as what lies before is forgotten. */
  at(sinceUs: number): number {
    const segments = this.#segments;
    while (segments.length > 1 && segments[1]!.sinceUs <= sinceUs) segments.shift();
    const { sinceUs: beginUs, timestampUs, stretch } = segments[0]!;
    return timestampUs + (sinceUs - beginUs) * stretch;
  }
}
