// Notes how long each publication of a chunk, and each further piece of its delivery, keeps the
// event loop. The methods are replaced for good: a change later would make the engine throw away
// what it has optimised, and the ticks after it would show that.
import { register } from 'node:module';
import { observe } from './observer.mjs';

const calibrationCalls = 20_000;
const methods = { Broadcast: 'publish', NativeFanOut: 'deliver', NodeFanOut: 'deliver' };

let isOpen = false;
let durationsMs = [];
let depth = 0;

/** Only the outermost call counts: the first delivery is a part of the publication. */
function timed(method) {
  return function (...args) {
    depth += 1;
    const startMs = performance.now();
    try {
      return Reflect.apply(method, this, args);
    } finally {
      depth -= 1;
      if (depth === 0 && isOpen) durationsMs.push(performance.now() - startMs);
    }
  };
}

/** Called by each module that has such a class, whichever file of the build it is in. */
globalThis.observeTicks = (className, { prototype }) => {
  const name = methods[className];
  prototype[name] = timed(prototype[name]);
};
register('./tick-hooks.mjs', import.meta.url, { data: Object.keys(methods) });

function summarise(sorted) {
  const percentile = (percent) => sorted[Math.ceil((sorted.length * percent) / 100) - 1] * 1000;
  return { count: sorted.length, p50: percentile(50), p99: percentile(99), max: percentile(100) };
}

/** What one observed call costs beyond the call itself, microseconds. */
function observationUs() {
  const bare = { call: () => 0 };
  const observed = { call: timed(bare.call) };
  const lastMs = (target) => {
    const startMs = performance.now();
    for (let i = 0; i < calibrationCalls; i++) target.call(1, 2);
    return performance.now() - startMs;
  };
  lastMs(observed);
  lastMs(bare);
  return Math.max(0, ((lastMs(observed) - lastMs(bare)) * 1000) / calibrationCalls);
}

// Before the server starts, where it delays nobody.
const callUs = observationUs();

function open() {
  durationsMs = [];
  isOpen = true;
}

function close() {
  isOpen = false;
  const sorted = durationsMs.sort((a, b) => a - b);
  const tickUs = sorted.length > 0 ? summarise(sorted) : null;
  return { tickUs, observerUs: callUs * sorted.length };
}

observe('tick-observer', { open, close });
