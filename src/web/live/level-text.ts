import { language } from '../settings.ts';

const formats = new Map<string, Intl.NumberFormat>();

/** With one decimal, as one's language writes it. */
export function numberText(value: number, unit: string): string {
  const code = language.peek();
  const format =
    formats.get(code) ??
    new Intl.NumberFormat(code, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  formats.set(code, format);
  return `${format.format(value)}\u00a0${unit}`;
}

/** Nothing is said of silence. */
export function levelText(level: number, unit: string): string {
  return level < -99 ? '–' : numberText(level, unit);
}
