import { readdirSync } from 'node:fs';
import { readResidentKiB } from '../bench/memory.mjs';
import { readMetrics } from '../support/metrics.mjs';

const countDescriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
/** Players come and go meanwhile, which counts for nothing as soon as one look was undisturbed. */
const maxLooks = 5;

/**
 * The server now; if possible, at a moment when its descriptors did not change.
 *
 * Source: proc(5); prom-client, "Default metrics".
 */
export async function readFigures({ pid, httpPort }) {
  for (let look = 1; ; look += 1) {
    const descriptors = countDescriptors(pid);
    const rssBytes = readResidentKiB(pid) * 1024;
    const metrics = await readMetrics(httpPort);
    if (countDescriptors(pid) === descriptors || look === maxLooks) {
      return { rssBytes, descriptors, ...figuresIn(metrics) };
    }
  }
}

function figuresIn(metrics) {
  const of = (name) => metrics.get(name);
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
