// Measures one way to get memory for a chunk and to let go of it, in a process of its own.
//
//   node --import tsx pool-case.mjs VARIANT BYTES WARM_UP_MS WINDOW_MS
//
// Prints one JSON line. As many pieces of memory live at a time as a ring holds chunks, and each is
// written at both ends, so that it is really there. The time includes all garbage collection, that
// of the helper threads as CPU time.
import { PerformanceObserver } from 'node:perf_hooks';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';

const [variant, ...rest] = process.argv.slice(2);
const [bytes, warmUpMs, windowMs] = rest.slice(0, 3).map(Number);
/** One second of audio in 20 ms chunks. */
const liveChunks = 50;
const replacementsPerTurn = 400 * liveChunks;

function touch(memory) {
  memory[0] = 1;
  memory[bytes - 1] = 1;
}

function replaceInPool(allocate) {
  const pool = new ChunkPool({ allocate });
  return (old) => {
    old?.release();
    const chunk = pool.acquire(bytes, 'the benchmark');
    touch(chunk.writable);
    return chunk;
  };
}

function loadAddon() {
  const { addon, reason } = loadNativeAddon();
  if (!addon) throw new Error(`no native addon: ${reason}`);
  return addon;
}

/** Each gives the function that lets go of one piece of memory and gets the next. */
const variants = {
  'pool-addon': () => replaceInPool(loadAddon().allocateSlab),
  'pool-plain': () => replaceInPool(undefined),
  'buffer-unsafe-slow': () => () => {
    const memory = Buffer.allocUnsafeSlow(bytes);
    touch(memory);
    return memory;
  },
  'uint8-array': () => () => {
    const memory = new Uint8Array(bytes);
    touch(memory);
    return memory;
  },
};

const collections = { count: 0, ms: 0 };
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    collections.count += 1;
    collections.ms += duration;
  }
}).observe({ entryTypes: ['gc'] });

const live = new Array(liveChunks).fill(undefined);

/** The event loop turns in between, as it does in a server. */
async function runFor(replace, durationMs) {
  const endMs = performance.now() + durationMs;
  let operations = 0;
  do {
    for (let i = 0; i < replacementsPerTurn; i++) {
      live[i % liveChunks] = replace(live[i % liveChunks]);
    }
    operations += replacementsPerTurn;
    await new Promise(setImmediate);
  } while (performance.now() < endMs);
  return operations;
}

function read() {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000, ...collections };
}

const replace = await variants[variant]();
await runFor(replace, warmUpMs);
const before = read();
const operations = await runFor(replace, windowMs);
const after = read();
const wallMs = after.wallMs - before.wallMs;
const result = {
  operations,
  wallNs: (wallMs * 1e6) / operations,
  cpuNs: ((after.cpuMs - before.cpuMs) * 1e6) / operations,
  collections: after.count - before.count,
  collectingShare: (after.ms - before.ms) / wallMs,
};
console.log(JSON.stringify(result));
// The pool's timer and the chunks that live on are of no interest any more.
process.exit(0);
