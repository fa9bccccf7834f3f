// How long the event loop was held at most: by how much a timer of a millisecond came late.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { observe } from './observer.mjs';

const resolutionMs = 1;
const delays = monitorEventLoopDelay({ resolution: resolutionMs });

observe('loop-observer', {
  open() {
    delays.reset();
    delays.enable();
  },
  close() {
    delays.disable();
    return { holdMs: Math.max(0, delays.max / 1e6 - resolutionMs) };
  },
});
