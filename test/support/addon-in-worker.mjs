// Shows that the native addon gives back what it took. Run as a process of its own, with --expose-gc,
// because it judges by the whole process: node addon-in-worker.mjs SCENE

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { setTimeout as setTimeoutOf } from 'node:timers';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { isMainThread, Worker } from 'node:worker_threads';

const addon = createRequire(import.meta.url)('../../build/Release/zerocast.node');
const mib = 1024 * 1024;

const scenes = {
  async collect() {
    const beforeMib = residentMib();
    let slabs = Array.from({ length: 64 }, () => touchedSlab(4 * mib));
    assert.ok(residentMib() - beforeMib > 200, 'the slabs occupy memory while they are held');
    assert.equal(slabs.length, 64);
    slabs = undefined;
    await untilFreed(beforeMib);
  },

  async pressure() {
    const beforeMib = residentMib();
    let peakMib = 0;
    for (let round = 0; round < 1024; round += 1) {
      touchedSlab(mib);
      // Finalizers run between two turns of the event loop.
      if (round % 8 === 0) await setImmediate();
      peakMib = Math.max(peakMib, residentMib());
    }
    assert.ok(peakMib - beforeMib < 512, `1024 MiB of garbage made ${peakMib - beforeMib} MiB`);
  },

  async worker() {
    const beforeMib = residentMib();
    await runWorker();
    await untilFreed(beforeMib);
  },

  async flacEncoders() {
    // The allocator keeps some of what is freed: ever less comes to that, while a leak is 50 MiB each time.
    for (let round = 0; round < 4; round += 1) await runWorker();
    const beforeMib = residentMib();
    for (let round = 0; round < 8; round += 1) await runWorker();
    await untilFreed(beforeMib, 200);
  },

  fanOuts: leavesNoDescriptors,

  acceptors: leavesNoDescriptors,

  async acceptorAlone() {
    const acceptor = holdings.acceptors();
    const outlived = new Promise((resolve, reject) => {
      process.once('beforeExit', () => reject(new Error('nothing keeps the process')));
      setTimeoutOf(resolve, 100).unref();
    });
    await outlived.finally(() => acceptor.close());
  },
};

/** What a worker holds when it ends. */
const holdings = {
  worker: () => Array.from({ length: 64 }, () => touchedSlab(4 * mib)),
  flacEncoders: () => Array.from({ length: 200 }, () => workedFlacEncoder()),
  fanOuts: () => Array.from({ length: 3 }, () => new addon.FanOut(fanOutOptions)),
  acceptors() {
    const server = createServer().listen(0);
    const acceptor = new addon.Acceptor(server._handle.fd, () => {});
    server.close();
    return acceptor;
  },
};
const fanOutOptions = {
  zeroCopy: true,
  minBytes: 1,
  always: true,
  onReleased: () => {},
  onPlayer: () => {},
};

const flacOptions = { rateHz: 48_000, channels: 8, bits: 24, level: 8, blockFrames: 4096 };

if (isMainThread) await scenes[process.argv[2]]();
else {
  globalThis.held = holdings[process.argv[2]]();
  // What listens does not end by itself.
  if (process.argv[2] === 'acceptors') process.exit();
}

async function leavesNoDescriptors() {
  await runWorker();
  const before = openDescriptors();
  for (let round = 0; round < 3; round += 1) await runWorker();
  assert.equal(openDescriptors(), before);
}

async function runWorker() {
  const worker = new Worker(new URL(import.meta.url), { argv: [process.argv[2]] });
  await new Promise((resolve, reject) => {
    worker.once('exit', resolve).once('error', reject);
  });
}

function workedFlacEncoder() {
  const encoder = new addon.FlacEncoder({ ...flacOptions, blocks: new Uint32Array(2) });
  assert.equal(encoder.begin(), 0);
  encoder.process(new Uint8Array(8 * 4 * 1000), 0, 1000);
  return encoder;
}

function openDescriptors() {
  return readdirSync('/proc/self/fd').length;
}

function touchedSlab(bytes) {
  const slab = addon.allocateSlab(bytes);
  new Uint8Array(slab).fill(1);
  return slab;
}

function residentMib() {
  return process.memoryUsage.rss() / mib;
}

async function untilFreed(beforeMib, keptMib = 64) {
  const heldMib = () => residentMib() - beforeMib;
  for (let attempt = 0; attempt < 50 && heldMib() > keptMib; attempt += 1) {
    globalThis.gc();
    await setTimeout(20);
  }
  assert.ok(heldMib() <= keptMib, `${heldMib()} MiB are still held`);
}
