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

export function fitSlope(points: readonly Point[]): Line;
export function judgeGrowth(
  points: readonly Point[],
  options: { readonly bound: number; readonly warmUpShare: number },
): Growth;
