import { markdownTable } from '../bench/table.ts';
import type { Figures } from './figures.ts';
import type { Growth } from './slope.ts';

const mib = 2 ** 20;

/** One look at the server. */
export interface Sample extends Figures {
  readonly seconds: number;
  /** Descriptors that belong to nobody who is connected. */
  readonly spareDescriptors: number;
}

const figures = [
  { key: 'rssBytes', name: 'resident memory', unit: 'MiB' },
  { key: 'heapBytes', name: 'V8 heap', unit: 'MiB' },
  { key: 'externalBytes', name: 'memory outside of V8', unit: 'MiB' },
  { key: 'spareDescriptors', name: 'descriptors of nobody connected', unit: '' },
  { key: 'chunksInUse', name: 'chunks in use', unit: '' },
] as const;

export type FigureKey = (typeof figures)[number]['key'];
export type Growths = Readonly<Record<FigureKey, Growth>>;

function show(value: number, unit: string): string {
  return unit === 'MiB' ? `${(value / mib).toFixed(1)} MiB` : value.toFixed(1);
}

/** One row per figure: where it was and whether it stayed there. */
export function growthTable(samples: readonly Sample[], growths: Growths): string {
  const rows = figures.map(({ key, name, unit }) => {
    const values = samples.map((sample) => sample[key]);
    const { median, growth, low, high, bound, verdict } = growths[key];
    const interval = `${show(low, unit)} … ${show(high, unit)}`;
    return [
      name,
      show(Math.min(...values), unit),
      show(median, unit),
      show(Math.max(...values), unit),
      show(growth, unit),
      interval,
      show(bound, unit),
      verdict,
    ];
  });
  const head = ['figure', 'least', 'median', 'most', 'growth', '95 %', 'allowed', 'verdict'];
  return markdownTable([head, ...rows]);
}

export function eventTable(events: Readonly<Record<string, number>>): string {
  const rows = Object.entries(events).map(([name, count]) => [name, String(count)]);
  return markdownTable([['event', 'count'], ...rows]);
}
