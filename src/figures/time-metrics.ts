import type { Metric } from './metric.ts';
import type { TimeFigures } from './time-watch.ts';

const msPerSecond = 1000;

/** What happened to the time of this process. */
export function timeMetrics(time: () => TimeFigures): Metric[] {
  const counter = (name: string, help: string, value: (of: TimeFigures) => number): Metric => ({
    type: 'counter',
    name: `zerocast_${name}`,
    help,
    samples: () => [{ value: value(time()) }],
  });
  return [
    counter('stalls_total', 'Times that the event loop stood still', ({ stalls }) => stalls),
    counter('stalled_seconds_total', 'How long it did', ({ stalledMs }) => stalledMs / msPerSecond),
    counter(
      'suspensions_total',
      'Times that the process was stopped, or the machine slept',
      ({ suspensions }) => suspensions,
    ),
    counter(
      'suspended_seconds_total',
      'How long that was',
      ({ suspendedMs }) => suspendedMs / msPerSecond,
    ),
    counter(
      'clock_steps_total',
      'Times that the wall clock was set',
      ({ clockSteps }) => clockSteps,
    ),
  ];
}
