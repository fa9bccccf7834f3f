interface Curve {
  /** Units: a part of the whole volume to a part of the way. */
  readonly position: (volume: number) => number;
  readonly volume: (position: number) => number;
}

/** From the quietest that players play, at one percent, to the loudest. */
const rangeDb = 54;

/** How the place of the thumb becomes a volume. */
const curves = {
  quadratic: { position: Math.sqrt, volume: (position) => position ** 2 },
  linear: { position: (volume) => volume, volume: (position) => position },
  // Of what players make of a volume: the gain is (10^volume − 1) / 9.
  decibel: {
    position: (volume) => Math.max(0, 1 + (20 * Math.log10((10 ** volume - 1) / 9)) / rangeDb),
    volume: (position) =>
      position === 0 ? 0 : Math.log10(9 * 10 ** (((position - 1) * rangeDb) / 20) + 1),
  },
} as const satisfies Readonly<Record<string, Curve>>;

type SliderCurve = keyof typeof curves;

/** Units: percent to a part of the way, 0 to 1. */
export function positionOf(value: number, curve: SliderCurve): number {
  return curves[curve].position(value / 100);
}

/** Units: a part of the way, 0 to 1, to whole percent. */
export function valueAt(position: number, curve: SliderCurve): number {
  return Math.round(100 * curves[curve].volume(position));
}

const stepOf: Readonly<Record<string, number>> = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 5,
  PageDown: -5,
  Home: -100,
  End: 100,
};

/** What a key makes of a volume; `undefined`: nothing. */
export function valueByKey(key: string, value: number): number | undefined {
  const step = stepOf[key];
  return step === undefined ? undefined : Math.min(100, Math.max(0, value + step));
}

/**
 * Volumes of a group that is made louder or quieter as a whole, to a mean of `to`: what is left above or
 * below of each changes by the same part, so that the balance is kept and comes back.
 *
 * Units: percent.
 */
export function balanced(volumes: readonly number[], to: number): readonly number[] {
  const from = meanOf(volumes);
  if (to >= from) {
    const part = from === 100 ? 0 : (to - from) / (100 - from);
    return volumes.map((volume) => Math.round(volume + (100 - volume) * part));
  }
  return volumes.map((volume) => Math.round((volume * to) / from));
}

export function meanOf(volumes: readonly number[]): number {
  if (volumes.length === 0) return 0;
  return volumes.reduce((sum, volume) => sum + volume, 0) / volumes.length;
}
