import type { DoctorContext } from './context.ts';
import { portsOf } from './port-check.ts';
import type { ProcessFacts } from './process-table.ts';

/** The server that listens on ports of this configuration; another one does not count. */
export function runningServer({ config, processes }: DoctorContext): ProcessFacts | undefined {
  for (const { port } of portsOf(config)) {
    const owner = port > 0 ? processes.listenerOn(port) : undefined;
    if (owner?.server === 'zerocast') return owner;
  }
  return undefined;
}
