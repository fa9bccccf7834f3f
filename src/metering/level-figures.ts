import type { Clock } from '../base/clock.ts';
import { RecentMaximum } from '../base/time/recent-maximum.ts';
import { RestartableTimer } from '../base/time/restartable-timer.ts';
import type { LevelReading } from './level-meter.ts';
import type { StreamMeters } from './stream-meters.ts';

/** Without a question for so long nothing is measured any more. */
const unaskedMs = 10 * 60_000;

interface LevelFiguresOptions {
  readonly meters: StreamMeters;
  readonly streamIds: () => Iterable<string>;
  readonly clock: Clock;
}

/** What a stream sounds like, for who asks now and then. Absent: silence, or not enough audio. */
export interface LevelFigure {
  readonly streamId: string;
  /** Of the last minute, in the loudest channel. */
  readonly peakDb: number | undefined;
  readonly truePeakDb: number | undefined;
  /** The loudest of the last minute. */
  readonly momentaryLufs: number | undefined;
  readonly shortTermLufs: number | undefined;
  readonly integratedLufs: number | undefined;
}

/** Measures all streams from the first question on, until nobody has asked for ten minutes. */
export class LevelFigures {
  readonly #options: LevelFiguresOptions;
  readonly #levels = new Map<string, RecentLevels>();
  readonly #unasked = new RestartableTimer(unaskedMs, () => this.stop());

  constructor(options: LevelFiguresOptions) {
    this.#options = options;
  }

  /** Takes nothing away from others who ask. */
  read(): LevelFigure[] {
    this.#unasked.restart();
    const present = new Set(this.#options.streamIds());
    for (const [streamId, levels] of this.#levels) {
      if (!present.has(streamId)) this.#forget(streamId, levels);
    }
    for (const streamId of present) {
      if (!this.#levels.has(streamId)) this.#levels.set(streamId, this.#watch(streamId));
    }
    const nowUs = this.#options.clock.nowUs();
    return [...this.#levels].map(([streamId, levels]) => ({ streamId, ...levels.at(nowUs) }));
  }

  stop(): void {
    this.#unasked.stop();
    for (const [streamId, levels] of this.#levels) this.#forget(streamId, levels);
  }

  #watch(streamId: string): RecentLevels {
    const { meters, clock } = this.#options;
    const levels = new RecentLevels();
    levels.end = meters.watch(streamId, (reading) => levels.note(reading, clock.nowUs()));
    return levels;
  }

  #forget(streamId: string, levels: RecentLevels): void {
    levels.end();
    this.#levels.delete(streamId);
  }
}

class RecentLevels {
  end: () => void = () => undefined;
  readonly #peak = new RecentMaximum();
  readonly #truePeak = new RecentMaximum();
  readonly #momentary = new RecentMaximum();
  #shortTermLufs = Number.NEGATIVE_INFINITY;
  /** As it was measured last, which counts until more is. */
  #integratedLufs: () => number = () => Number.NEGATIVE_INFINITY;

  note(reading: LevelReading, nowUs: number): void {
    this.#peak.note(amplitude(Math.max(...reading.peakDb)), nowUs);
    this.#truePeak.note(amplitude(Math.max(...reading.truePeakDb)), nowUs);
    this.#momentary.note(amplitude(reading.momentaryLufs), nowUs);
    this.#shortTermLufs = reading.shortTermLufs;
    this.#integratedLufs = () => reading.integratedLufs;
  }

  at(nowUs: number): Omit<LevelFigure, 'streamId'> {
    return {
      peakDb: audible(decibels(this.#peak.at(nowUs))),
      truePeakDb: audible(decibels(this.#truePeak.at(nowUs))),
      momentaryLufs: audible(decibels(this.#momentary.at(nowUs))),
      shortTermLufs: audible(this.#shortTermLufs),
      integratedLufs: audible(this.#integratedLufs()),
    };
  }
}

/** A maximum is that of numbers of 0 and more. */
function amplitude(db: number): number {
  return 10 ** (db / 20);
}

function decibels(value: number): number {
  return 20 * Math.log10(value);
}

function audible(db: number): number | undefined {
  return Number.isFinite(db) ? db : undefined;
}
