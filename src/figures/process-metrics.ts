import { collectDefaultMetrics, Registry } from 'prom-client';
import { type DelayFigures, EventLoopDelay } from './event-loop-delay.ts';
import { addMetric, type Metric } from './metric.ts';

/**
 * What prom-client tells of the delay of the event loop is reset by every caller, and its
 * processor time begins with the first question; the looks for the former shall never take place.
 */
const neverMs = 2 ** 31 - 1;

let registry: Registry | undefined;

/**
 * CPU, memory, descriptors, garbage collection, and the delay of the event loop.
 *
 * They are figures of the process, whichever of its servers is asked. prom-client begins to observe
 * and has no way to stop, so this happens at most once, when a caller asks for the first time.
 */
export function processMetrics(): Registry {
  if (registry) return registry;
  registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
  const delay = new EventLoopDelay();
  for (const metric of [...cpuMetrics(), ...delayMetrics(() => delay.figures)]) {
    registry.removeSingleMetric(metric.name);
    addMetric(registry, metric);
  }
  return registry;
}

/** Under the names of prom-client, which dashboards know. */
function cpuMetrics(): Metric[] {
  const counter = (name: string, what: string, us: (of: NodeJS.CpuUsage) => number): Metric => ({
    type: 'counter',
    name: `process_cpu_${name}_total`,
    help: `${what} CPU time since the process began`,
    samples: () => [{ value: us(process.cpuUsage()) / 1e6 }],
  });
  return [
    counter('user_seconds', 'User', ({ user }) => user),
    counter('system_seconds', 'System', ({ system }) => system),
    counter('seconds', 'User and system', ({ user, system }) => user + system),
  ];
}

const delayHelp: readonly (readonly [keyof DelayFigures, string])[] = [
  ['max', 'The longest delay of the event loop in the last minute'],
  ['min', 'The shortest delay of the event loop, in windows of 15 seconds'],
  ['mean', 'The mean of the delays of the event loop, in windows of 15 seconds'],
  ['stddev', 'The standard deviation of the delays, in windows of 15 seconds'],
  ['p50', 'The 50th percentile of the delays, in windows of 15 seconds'],
  ['p90', 'The 90th percentile of the delays, in windows of 15 seconds'],
  ['p99', 'The 99th percentile of the delays, in windows of 15 seconds'],
];

function delayMetrics(figures: () => DelayFigures | undefined): Metric[] {
  const ofWindows = delayHelp.map(
    ([key, help]): Metric => ({
      type: 'gauge',
      name: `nodejs_eventloop_lag_${key}_seconds`,
      help,
      samples: () => {
        const value = figures()?.[key];
        return value === undefined ? [] : [{ value }];
      },
    }),
  );
  return [
    {
      type: 'gauge',
      name: 'nodejs_eventloop_lag_seconds',
      help: 'The delay of the event loop at this moment',
      samples: async () => [{ value: await presentDelay() }],
    },
    ...ofWindows,
  ];
}

/** How long the event loop takes to come to what is due at once, seconds. */
async function presentDelay(): Promise<number> {
  const startMs = performance.now();
  await new Promise((resolve) => setImmediate(resolve));
  return (performance.now() - startMs) / 1000;
}
