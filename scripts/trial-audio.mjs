#!/usr/bin/env node
// What scripts/start plays when nothing else is configured: what programs write to a fifo, and a
// test tone while nobody does, as 48000:16:2 on standard output.
//
//   scripts/trial-audio.mjs FIFO

import { execFileSync } from 'node:child_process';
import { constants, existsSync, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';

const frameBytes = 4;
const framesPerMs = 48;
const toneHz = 440;
const amplitude = 3000;
/** A writer that pauses for less is not interrupted. */
const patienceMs = 500;
const tickMs = 20;
/** How far the tone is ahead of its time: the audio that a new writer has to wait for. */
const leadMs = 100;

const [path] = process.argv.slice(2);
const output = process.stdout;
let fifo;
let writtenBytes = 0;
let lastWriteMs = Number.NEGATIVE_INFINITY;
/** When all that was put out will have been taken. */
let endMs = performance.now();
let frame = 0;

output.on('error', () => process.exit());
output.on('drain', () => fifo?.resume());
try {
  fifo = openFifo(path);
  fifo.on('error', complain).on('data', (pcm) => {
    lastWriteMs = performance.now();
    put(pcm);
  });
} catch (error) {
  complain(error);
}
setInterval(playTone, tickMs);

/** Also opened for writing, so that it does not end when a writer goes. */
function openFifo(path) {
  if (!existsSync(path)) execFileSync('mkfifo', ['-m', '666', path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  if (!fstatSync(fd).isFIFO()) throw new Error(`${path} is no fifo: remove it`);
  return new Socket({ fd, readable: true, writable: false });
}

function complain({ message }) {
  process.stderr.write(`only the test tone is played: ${message}\n`);
}

function playTone() {
  const nowMs = performance.now();
  if (nowMs - lastWriteMs < patienceMs) return;
  endMs = Math.max(endMs, nowMs);
  // The last writer may have stopped in the middle of a frame.
  const cut = writtenBytes % frameBytes;
  if (cut > 0) put(Buffer.alloc(frameBytes - cut));
  while (endMs - nowMs < leadMs && !output.writableNeedDrain) put(tone(tickMs * framesPerMs));
}

function put(pcm) {
  writtenBytes += pcm.length;
  endMs = Math.max(endMs, performance.now()) + pcm.length / frameBytes / framesPerMs;
  if (!output.write(pcm)) fifo?.pause();
}

function tone(frames) {
  const samples = new Int16Array(2 * frames);
  for (let at = 0; at < frames; at += 1, frame += 1) {
    const angle = (2 * Math.PI * toneHz * frame) / (1000 * framesPerMs);
    samples.fill(amplitude * Math.sin(angle), 2 * at, 2 * at + 2);
  }
  return new Uint8Array(samples.buffer);
}
