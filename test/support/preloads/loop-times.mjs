// Says at each SIGUSR2 how long the event loop of a process has worked at most without looking up since
// the last time: in processor time, as a busy machine may take the processor away at any moment.
import { openSync, readSync, writeSync } from 'node:fs';

const file = openSync('/proc/self/schedstat', 'r');
const text = Buffer.alloc(64);
const standardError = 2;

function workedMs() {
  const bytes = readSync(file, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, bytes).split(' ', 1)[0]) / 1e6;
}

let lastMs = workedMs();
let longestMs = 0;

function look() {
  const nowMs = workedMs();
  longestMs = Math.max(longestMs, nowMs - lastMs);
  lastMs = nowMs;
}

setInterval(look, 1).unref();

process.on('SIGUSR2', () => {
  look();
  writeSync(standardError, `longest turn ${longestMs.toFixed(1)} ms\n`);
  longestMs = 0;
});
