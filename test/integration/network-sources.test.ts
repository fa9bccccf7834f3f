import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { scratchFolder } from '../support/fifo.ts';
import { exactRuns } from '../support/pcm-compare.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { StreamRig } from '../support/stream-rig.ts';
import { uniqueSignal } from '../support/test-signal.ts';
import { UdpRelay } from '../support/udp-relay.ts';
import { until } from '../support/waiting.ts';

const isMissing = !process.env.CI && spawnSync('ffmpeg', ['-version']).error !== undefined;
const seconds = 4;
const format16 = SampleFormat.parse('48000:16:2');
const format24 = SampleFormat.parse('48000:24:2');

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => folder.remove());

/** Plays a stream with one listener until the test is over. */
async function playing(address: string): Promise<StreamRig> {
  const rig = await new StreamRig(address).play();
  onTestFinished(async () => {
    await rig.stream.stop();
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  });
  return rig;
}

/** Where a source listens. */
async function portOf(rig: StreamRig): Promise<number> {
  const line = () => rig.log.with('waiting for a sender')[0];
  await until(() => line() !== undefined, 'it listens');
  return Number(String(line()?.fields.address).split(':').at(-1));
}

/** The real sender, in real time. */
function ffmpeg(input: Buffer, format: SampleFormat, output: readonly string[]): ChildProcess {
  const file = join(folder.path, 'audio.wav');
  const packed = format.bits === 24 ? packed24(input) : input;
  writeFileSync(file, wavFile(packed, { bits: format.bits }));
  const args = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-re', '-i', file, ...output];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

function packed24(pcm: Buffer): Buffer {
  const packed = Buffer.alloc((pcm.length / 4) * 3);
  for (let at = 0; at < pcm.length / 4; at += 1) pcm.copy(packed, at * 3, at * 4, at * 4 + 3);
  return packed;
}

describe.skipIf(isMissing)('ffmpeg as a sender', () => {
  it.each([
    ['pcm_s16be', 'rtp://127.0.0.1:0?name=N', format16, 300],
    ['pcm_s24be', 'rtp://127.0.0.1:0?name=N&encoding=L24', format24, 300],
    ['pcm_s16be', 'udp://127.0.0.1:0?name=N&mode=rtp&buffer_ms=50', format16, 1472],
  ] as const)(
    'is heard without a missing sample: %s at %s',
    async (codec, address, format, size) => {
      const fed = uniqueSignal({ format, seconds });
      const rig = await playing(address);
      const port = await portOf(rig);
      const target = `rtp://127.0.0.1:${port}?pkt_size=${size}`;
      await once(ffmpeg(fed, format, ['-c:a', codec, '-f', 'rtp', target]), 'exit');
      await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
      const runs = exactRuns({ fed, recorded: rig.audio, format });
      expect(runs).toHaveLength(1);
      expect(runs[0]!.share).toBeGreaterThan(0.999);
      expect(rig.stream.reception).toMatchObject({
        lostPackets: 0,
        latePackets: 0,
        concealedMs: 0,
      });
      expect(rig.stream.driftPpm).toBe(0);
    },
  );

  it('sends raw PCM', async () => {
    const fed = uniqueSignal({ format: format16, seconds });
    const rig = await playing('udp://127.0.0.1:0?name=N');
    const port = await portOf(rig);
    const target = `udp://127.0.0.1:${port}?pkt_size=1200`;
    await once(ffmpeg(fed, format16, ['-f', 's16le', target]), 'exit');
    await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    const runs = exactRuns({ fed, recorded: rig.audio, format: format16 });
    expect(runs).toHaveLength(1);
    expect(runs[0]!.share).toBeGreaterThan(0.999);
  });

  it('is heard at its pace over a bad network, and only what was lost is missing', async () => {
    const fed = uniqueSignal({ format: format16, seconds });
    const rig = await playing('rtp://127.0.0.1:0?name=N');
    const relay = await UdpRelay.open(await portOf(rig), 42);
    onTestFinished(() => relay.close());
    relay.misbehave({ drop: 0.05, duplicate: 0.05, swap: 0.1 });
    const target = `rtp://127.0.0.1:${relay.port}?pkt_size=300`;
    await once(ffmpeg(fed, format16, ['-c:a', 'pcm_s16be', '-f', 'rtp', target]), 'exit');
    await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    const runs = exactRuns({ fed, recorded: rig.audio, format: format16 });
    // What lies between two good pieces is as long in the recording as it was sent.
    const offsets = new Set(runs.map(({ fedFrame, recordedFrame }) => recordedFrame - fedFrame));
    expect(offsets.size).toBe(1);
    const { lostPackets, duplicatePackets, latePackets, concealedMs } = rig.stream.reception!;
    // What is lost behind the last packet is not missed.
    expect(lostPackets).toBeLessThanOrEqual(relay.dropped);
    expect(lostPackets).toBeGreaterThan(relay.dropped - 4);
    expect(relay.dropped).toBeGreaterThan(50);
    expect(duplicatePackets).toBeGreaterThan(50);
    expect(latePackets).toBe(0);
    expect(concealedMs).toBeGreaterThan(0.8 * 1.5 * lostPackets);
    expect(concealedMs).toBeLessThanOrEqual(1.5 * lostPackets);
  });
});
