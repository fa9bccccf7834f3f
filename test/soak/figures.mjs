import { readdirSync } from 'node:fs';
import { get } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { readResidentKiB } from '../bench/memory.mjs';

/** Resolves to the body of an answer that came on a connection of its own. */
async function fetchText(url) {
  const answer = await new Promise((resolve, reject) => {
    get(url, { agent: false }, resolve).on('error', reject);
  });
  return (await buffer(answer)).toString();
}

/** What /metrics tells, by the names that stand in the text. */
async function readMetrics(port) {
  const text = await fetchText(`http://127.0.0.1:${port}/metrics`);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.split(' ').at(-1)]),
  );
}

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
  const of = (name) => Number(metrics.get(name));
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
