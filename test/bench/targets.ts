import { decimals } from './table.ts';

/** What a row must reach. */
export interface Target<Row> {
  readonly isFor: (row: Row) => boolean;
  readonly what: string;
  readonly value: (row: Row) => number | undefined;
  readonly most: number;
  readonly unit: string;
}

export interface TargetResult {
  readonly text: string;
  readonly isMet: boolean;
}

/** One line per target and row that have a figure. */
export function checkTargets<Row extends { readonly clients: number; readonly server: string }>(
  rows: readonly Row[],
  targets: readonly Target<Row>[],
): TargetResult[] {
  return targets.flatMap(({ isFor, what, value, most, unit }) =>
    rows.filter(isFor).flatMap((row) => {
      const measured = value(row);
      if (measured === undefined) return [];
      const text =
        `${row.clients} clients, ${row.server}: ${what} ${decimals(measured, 1)} ${unit}, ` +
        `target at most ${most} ${unit}`;
      return [{ text, isMet: measured <= most }];
    }),
  );
}

export function describeTargets(results: readonly TargetResult[]): string {
  return results.map(({ text, isMet }) => `- ${text}: ${isMet ? 'met' : 'missed'}.`).join('\n');
}

export function missedOf(results: readonly TargetResult[]): string[] {
  return results.filter(({ isMet }) => !isMet).map(({ text }) => text);
}
