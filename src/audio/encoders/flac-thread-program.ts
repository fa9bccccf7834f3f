import { parentPort, workerData } from 'node:worker_threads';
import { assert, messageOf } from '../../base/errors.ts';
import { SampleFormat } from '../sample-format.ts';
import { maxEncodeSamples } from './encoder.ts';
import type {
  FlacThreadBlock,
  FlacThreadReply,
  FlacThreadRequest,
  FlacThreadSettings,
} from './flac-thread.ts';
import { LibflacjsStream, loadLibflacjs, warmUp } from './libflacjs.ts';

// The program of the thread of `FlacThread`: answers each request, in order, and the start.

const settings = workerData as FlacThreadSettings;
const format = SampleFormat.parse(settings.format);
const sliceFrames = Math.floor(maxEncodeSamples / format.channels);

const flac = await loadLibflacjs();
await warmUp(flac, { format, level: settings.level });
const stream = new LibflacjsStream(flac, { ...settings, format });

answer(() => {
  stream.begin();
  return [];
});
parentPort?.on('message', ({ pcm }: FlacThreadRequest) => {
  answer(() => (pcm ? encode(pcm) : finish()));
});

function answer(work: () => FlacThreadBlock[]): void {
  assert(parentPort !== null, 'this is the program of a thread');
  const startMs = performance.now();
  let reply: FlacThreadReply;
  try {
    reply = { blocks: work(), tookUs: (performance.now() - startMs) * 1000 };
  } catch (error) {
    reply = { failure: messageOf(error) };
  }
  parentPort.postMessage(reply);
}

function encode(pcm: Uint8Array): FlacThreadBlock[] {
  const blocks: FlacThreadBlock[] = [];
  const frames = pcm.length / format.frameBytes;
  for (let start = 0; start < frames; start += sliceFrames) {
    const made = stream.process(pcm, start, Math.min(sliceFrames, frames - start));
    blocks.push(...takeBlocks(made));
  }
  return blocks;
}

function finish(): FlacThreadBlock[] {
  const blocks = takeBlocks(stream.finish());
  stream.begin();
  return blocks;
}

function takeBlocks(count: number): FlacThreadBlock[] {
  return Array.from({ length: count }, (_, index) => {
    const bytes = new Uint8Array(stream.blocks[2 * index]!);
    stream.take(bytes);
    return { bytes, frames: stream.blocks[2 * index + 1]! };
  });
}
