const maxPoints = 64;
const usualIntervalUs = 1_000_000;
const longestIntervalUs = 16_000_000;

interface Point {
  readonly atUs: number;
  readonly value: number;
}

/**
 * The straight line through the least values of equal intervals, which grow as the series does: a
 * few seconds are told at once, a quarter of an hour precisely.
 */
export class Trend {
  #points: Point[] = [];
  #least: Point | undefined;
  #startUs = 0;
  readonly #firstIntervalUs: number;
  #intervalUs: number;

  constructor(intervalUs = usualIntervalUs) {
    this.#firstIntervalUs = intervalUs;
    this.#intervalUs = intervalUs;
  }

  /** From the first to the last value of the line. */
  get lengthUs(): number {
    return (this.#points.at(-1)?.atUs ?? 0) - (this.#points[0]?.atUs ?? 0);
  }

  /** By how much the value grows per microsecond; 0 while that is not known. */
  get slope(): number {
    return this.#line.slope;
  }

  /** The standard error of the slope: large where the values lie on no line. */
  get slopeError(): number {
    const points = this.#points;
    const { slope, meanUs, meanValue, square } = this.#line;
    if (points.length < 3 || square === 0) return Number.POSITIVE_INFINITY;
    const missed = points.map(({ atUs, value }) => value - meanValue - slope * (atUs - meanUs));
    const variance = missed.reduce((sum, one) => sum + one ** 2, 0) / (points.length - 2);
    return Math.sqrt(variance / square);
  }

  get #line() {
    const points = this.#points;
    const meanUs = points.reduce((sum, { atUs }) => sum + atUs, 0) / points.length;
    const meanValue = points.reduce((sum, { value }) => sum + value, 0) / points.length;
    let [product, square] = [0, 0];
    for (const { atUs, value } of points) {
      product += (atUs - meanUs) * value;
      square += (atUs - meanUs) ** 2;
    }
    return { meanUs, meanValue, square, slope: square === 0 ? 0 : product / square };
  }

  clear(): void {
    this.#points = [];
    this.#least = undefined;
    this.#intervalUs = this.#firstIntervalUs;
  }

  /** `atUs` only grows. */
  add(atUs: number, value: number): void {
    if (!this.#least) {
      this.#startUs = atUs;
      this.#least = { atUs, value };
    } else if (atUs - this.#startUs >= this.#intervalUs) {
      this.#push(this.#least);
      this.#startUs = atUs;
      this.#least = { atUs, value };
    } else if (value < this.#least.value) {
      this.#least = { atUs, value };
    }
  }

  #push(point: Point): void {
    this.#points.push(point);
    if (this.#points.length < maxPoints) return;
    if (this.#intervalUs >= longestIntervalUs) this.#points.shift();
    else this.#widen();
  }

  #widen(): void {
    this.#intervalUs *= 2;
    const halves: Point[] = [];
    for (let index = 0; index < this.#points.length; index += 2) {
      const [first, second] = [this.#points[index]!, this.#points[index + 1]];
      halves.push(second && second.value < first.value ? second : first);
    }
    this.#points = halves;
  }
}
