import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { EncodeTurns } from '../../../src/audio/encode-turns.ts';
import { Encoding } from '../../../src/audio/encoding.ts';
import { Pacer } from '../../../src/audio/pacer.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { StageChain } from '../../../src/audio/stage-chain.ts';
import { FakeTime } from '../../support/fake-time.ts';
import { numberedBytes } from '../../support/pcm-fixtures.ts';
import { StreamRig } from '../../support/stream-rig.ts';
import { turn, until } from '../../support/waiting.ts';

const startUs = 5_000_000;
/** More than a packet and the look-ahead of Opus. */
const mostPaddingUs = 23_000;

interface Sent {
  readonly timestampUs: number;
  readonly endUs: number;
}

function onFailure(error: unknown): never {
  throw error;
}

/** Runs of these lengths, each of which comes as soon as the one before it has ended. */
async function sendBackToBack(codec: string, format: SampleFormat, runs: readonly number[]) {
  const pool = new ChunkPool({ verifySeals: true });
  const sent: Sent[] = [];
  const encoding = await Encoding.open({
    codec,
    format,
    pastMs: 60_000,
    bufferMs: 60_000,
    pool,
    turns: new EncodeTurns(),
    publish: (chunk) => {
      const { timestampUs, durationUs } = chunk;
      sent.push({ timestampUs, endUs: timestampUs + durationUs });
      chunk.release();
    },
    onFailure,
  });
  encoding.activate();
  const stages = new StageChain({
    pool,
    format,
    bufferMs: 60_000,
    maxPaddingUs: encoding.maxPaddingUs,
    onPcm: (pcm) => encoding.take(pcm),
    onRunEnd: () => encoding.flush(),
    onOutdated: () => encoding.clear(),
    onFailure,
    onObserverFailure: onFailure,
  });
  const pacer = new Pacer(format, 250_000);
  const gapsUs: number[] = [];
  for (const frames of runs) {
    const chunk = pool.acquire(frames * format.frameBytes, 'test');
    chunk.payloadBytes = frames * format.frameBytes;
    const readUs = Math.max(startUs, pacer.nextReadUs);
    const place = pacer.place(frames, readUs);
    const postponedUs = stages.take({ ...place, chunk });
    pacer.postpone(postponedUs);
    gapsUs.push(place.timestampUs + postponedUs - readUs);
    pacer.end();
    stages.end();
  }
  await until(() => encoding.waiting === 0, 'all is encoded');
  await turn();
  stages.close();
  encoding.close();
  expect(pool.isFull).toBe(true);
  pool.close();
  return { sent, gapsUs };
}

describe.each([
  ['opus', '48000:16:2'],
  ['opus', '44100:16:2'],
  ['opus', '96000:24:1'],
  ['flac', '48000:16:2'],
  ['pcm', '44100:16:2'],
])('runs of %s at %s', (codec, formatText) => {
  it('never reach into each other, whatever their lengths are', async () => {
    const format = SampleFormat.parse(formatText);
    const length = fc.integer({ min: 1, max: format.framesIn(70) });
    const runs = fc.array(length, { minLength: 2, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(runs, async (frames) => {
        const { sent, gapsUs } = await sendBackToBack(codec, format, frames);
        for (const [index, { timestampUs }] of sent.entries()) {
          const before = sent[index - 1]?.endUs ?? 0;
          expect(timestampUs).toBeGreaterThanOrEqual(before - 0.01);
        }
        // And none waits for longer than the padding of the one before it.
        for (const gapUs of gapsUs) {
          expect(gapUs).toBeLessThanOrEqual(codec === 'opus' ? mostPaddingUs : 0);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('sound that comes back at once after silence that is not sent', () => {
  it('begins behind the padding of what was sent before', async () => {
    const time = FakeTime.install();
    const address = 'tcp://127.0.0.1:0?name=T&codec=opus&chunk_ms=10&send_silence=false';
    const rig = new StreamRig(`${address}&idle_threshold=10`, {}, time);
    try {
      await rig.play();
      const line = () => rig.log.with('waiting for a producer')[0];
      await time.until(() => line() !== undefined, 'it listens');
      const port = Number(String(line()?.fields.address).split(':')[1]);
      const socket = connect({ host: '127.0.0.1', port });
      const loud = numberedBytes(1920);
      const pieces = [loud, loud, loud, ...new Array<Buffer>(2).fill(Buffer.alloc(1920))];
      for (const piece of [...pieces, ...pieces, ...pieces]) {
        socket.write(piece);
        await time.pass(10);
      }
      await time.until(() => rig.published.length >= 6, 'all runs are sent');
      for (const [index, { timestampUs }] of rig.published.entries()) {
        const before = rig.published[index - 1];
        const endUs = before ? before.timestampUs + before.durationUs : 0;
        expect(timestampUs).toBeGreaterThanOrEqual(endUs - 0.01);
      }
      socket.destroy();
    } finally {
      const stopped = rig.stream.stop();
      time.remove();
      await stopped;
    }
    await until(() => rig.pool.isFull);
    rig.pool.close();
  });
});
