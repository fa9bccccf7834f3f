export type Point = readonly [x: number, y: number];

export interface Line {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

export interface Growth {
  readonly median: number;
  readonly growth: number;
  readonly low: number;
  readonly high: number;
  readonly bound: number;
  readonly verdict: 'level' | 'grows' | 'unclear';
}

/** A growth that noise would show in one of twenty runs at most. Source: normal distribution. */
const quantile95 = 1.96;

/**
 * The line through points by Theil and Sen: the median of the slopes between all pairs, which a
 * few wild values do not move, and the interval that holds the true slope in 95 of 100 cases.
 *
 * Shape: `points` are `[x, y]`, at least two of them at different places.
 * Source: P. K. Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", 1968.
 */
export function fitSlope(points: readonly Point[]): Line {
  const slopes: number[] = [];
  for (const [i, [x, y]] of points.entries()) {
    for (const [laterX, laterY] of points.slice(i + 1)) {
      if (laterX !== x) slopes.push((laterY - y) / (laterX - x));
    }
  }
  if (slopes.length === 0) throw new Error('a slope needs two points at different places');
  slopes.sort((a, b) => a - b);
  const count = points.length;
  const spread = quantile95 * Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18);
  const at = (index: number) =>
    slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(index)))]!;
  return {
    slope: middleOf(slopes),
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
  };
}

function middleOf(sorted: readonly number[]): number {
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half]!;
  return sorted.length % 2 === 1 ? upper : (sorted[half - 1]! + upper) / 2;
}

/**
 * Whether a figure stayed level: its slope times the duration is at most `bound`, and so exact that
 * the upper end of the interval lies at most another `bound` above. Whatever is too short or too
 * noisy to tell that has not shown that it is level.
 *
 * Shape: `points` are `[seconds, value]`; the first `warmUpShare` of the time does not count.
 * Units: `growth`, `low` and `high` are those of the value, over the time that counts.
 */
export function judgeGrowth(
  points: readonly Point[],
  { bound, warmUpShare }: { readonly bound: number; readonly warmUpShare: number },
): Growth {
  const [first] = points.at(0)!;
  const [last] = points.at(-1)!;
  const counting = points.filter(([at]) => at >= first + (last - first) * warmUpShare);
  const duration = last - counting[0]![0];
  const { slope, low, high } = fitSlope(counting);
  const growth = slope * duration;
  const isClear = high * duration - growth <= bound;
  return {
    median: middleOf(counting.map(([, value]) => value).sort((a, b) => a - b)),
    growth,
    low: low * duration,
    high: high * duration,
    bound,
    verdict: growth > bound ? 'grows' : isClear ? 'level' : 'unclear',
  };
}
