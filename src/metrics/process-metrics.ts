import { collectDefaultMetrics, Registry } from 'prom-client';

/** Each look at the delay of the event loop wakes the process up. */
const delayResolutionMs = 20;

let registry: Registry | undefined;

/**
 * CPU, memory, descriptors, garbage collection, and the delay of the event loop.
 *
 * They are figures of the process, whichever of its servers is asked. prom-client begins to observe
 * and has no way to stop, so this happens at most once, when somebody asks for the first time.
 */
export function processMetrics(): Registry {
  if (!registry) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: delayResolutionMs });
  }
  return registry;
}
