// Needs --expose-gc and a young generation so large that no collection falls into a window; then
// the growth of the used heap is exactly what was allocated.
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { observe } from './observer.mjs';

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

async function close() {
  const allocatedBytes = usedBytes() - start.bytes;
  const elapsedMs = performance.now() - start.atMs;
  await sleep(50);
  return { allocatedBytes, elapsedMs, collections: collections - start.collections };
}

observe('heap-observer', { open, close });
