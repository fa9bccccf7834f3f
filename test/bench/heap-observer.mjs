// Loaded into the process under test by `--import`: SIGUSR2 opens a window and closes it again.
// Needs --expose-gc and a young generation so large that no collection falls into a window; then
// the growth of the used heap is exactly what was allocated.
import { writeSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

function usedBytes() {
  return getHeapSpaceStatistics().reduce((sum, space) => sum + space.space_used_size, 0);
}

let start;

function open() {
  globalThis.gc();
  // The observer hears of a collection one turn later, also of the one just made.
  setImmediate(() => {
    setImmediate(() => {
      start = { collections, atMs: performance.now(), bytes: usedBytes() };
    });
  });
}

function close() {
  const allocatedBytes = usedBytes() - start.bytes;
  const elapsedMs = performance.now() - start.atMs;
  setTimeout(() => {
    const report = { allocatedBytes, elapsedMs, collections: collections - start.collections };
    start = undefined;
    writeSync(2, `heap-observer ${JSON.stringify(report)}\n`);
  }, 50);
}

process.on('SIGUSR2', () => (start === undefined ? open() : close()));
