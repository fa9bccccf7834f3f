import { readResidentKiB } from '../bench/process-figures.ts';
import { openDescriptors } from '../support/fifo.ts';
import { readMetrics } from '../support/metrics.ts';

/** Of the server at one moment. */
export interface Figures {
  readonly rssBytes: number;
  readonly descriptors: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly chunksInUse: number;
  readonly sessions: number;
  readonly controllers: number;
  readonly knownClients: number;
  readonly skippedChunks: number;
}

export interface ServerPlace {
  readonly pid: number;
  readonly httpPort: number;
}

/** Players come and go meanwhile, which counts for nothing as soon as one look was undisturbed. */
const maxLooks = 5;

/**
 * The server now; if possible, at a moment when its descriptors did not change.
 *
 * Source: proc(5); prom-client, "Default metrics".
 */
export async function readFigures({ pid, httpPort }: ServerPlace): Promise<Figures> {
  for (let look = 1; ; look += 1) {
    const descriptors = openDescriptors(pid);
    const rssBytes = readResidentKiB(pid) * 1024;
    const metrics = await readMetrics(httpPort);
    if (openDescriptors(pid) === descriptors || look === maxLooks) {
      return { rssBytes, descriptors, ...figuresIn(metrics) };
    }
  }
}

function figuresIn(metrics: ReadonlyMap<string, number>) {
  const of = (name: string) => metrics.get(name) ?? Number.NaN;
  return {
    heapBytes: of('nodejs_heap_size_used_bytes'),
    externalBytes: of('nodejs_external_memory_bytes'),
    chunksInUse: of('zerocast_pool_slots{state="used"}'),
    sessions: of('zerocast_sessions'),
    controllers: of('zerocast_control_sessions'),
    knownClients: of('zerocast_clients{state="connected"}') + of('zerocast_clients{state="away"}'),
    skippedChunks: of('zerocast_skipped_chunks_total'),
  };
}
