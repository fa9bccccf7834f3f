const width = 120;
const height = 28;

interface SparkProps {
  readonly values: readonly (number | undefined)[];
  /** So many places has the line; what is not there yet is left free. */
  readonly places: number;
  /** The scale reaches at least so far. */
  readonly least: number;
}

/** A small line through the last values, the newest at the end: an ornament beside the number. */
export function Spark({ values, places, least }: SparkProps) {
  const known = values.filter((value) => value !== undefined);
  const top = Math.max(least, ...known.map(Math.abs));
  const bottom = known.some((value) => value < 0) ? -top : 0;
  const x = (index: number) => (width * (places - values.length + index)) / (places - 1);
  const y = (value: number) => height - 1 - ((height - 2) * (value - bottom)) / (top - bottom);
  let path = '';
  let isBroken = true;
  for (const [index, value] of values.entries()) {
    if (value === undefined) {
      isBroken = true;
      continue;
    }
    path += `${isBroken ? 'M' : 'L'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    isBroken = false;
  }
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}
