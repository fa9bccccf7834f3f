import { expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { PacketIntake } from '../../../src/audio/sources/rtp/packet-intake.ts';
import type { SourceSink, StreamSource } from '../../../src/audio/sources/stream-source.ts';
import { parseStreamOptions } from '../../../src/audio/stream-options.ts';
import { LogLines } from '../../support/log-lines.ts';
import { Random } from '../../support/random.ts';
import { pacedReader, streamDefaults } from '../../support/reader-rig.ts';
import { rtpPacket } from '../../support/rtp-packets.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

const hourUs = 3_600_000_000;
const format = SampleFormat.parse('8000:16:1');
const packetFrames = 640;
const packetUs = 80_000;
const chunkMs = 100;
const sender = { address: '192.0.2.1', port: 5004 };

/** Sends for so long by a clock of its own, through a network that delays and loses. */
async function listen(ppm: number, us: number, { lossShare = 0, jitterMs = 0 } = {}) {
  const time = new VirtualTime();
  const random = new Random(1);
  const log = new LogLines();
  const pool = new ChunkPool();
  const intake = new PacketIntake(
    {
      ...{ mode: 'rtp', format, packed24: false, encoding: 'L16', jitterMs: 60 },
      ...{ payloadType: undefined, ssrc: undefined },
    },
    { onRefused: (reason) => log.warn(reason), onSender: () => undefined },
  );
  const source: StreamSource = {
    format,
    packed24: false,
    start: (sink: SourceSink) => intake.open(sink),
    read: (target) => intake.read(target),
    takePartial: (into) => intake.takePartial(into),
    backlogBytes: () => intake.backlogBytes,
    capacityBytes: () => intake.capacityBytes,
    stop: async () => intake.close(),
  };
  const startUs = time.nowUs();
  const stepUs = packetUs / (1 + ppm / 1e6);
  const packet = rtpPacket({ sequence: 0, timestamp: 0, payload: Buffer.alloc(2 * packetFrames) });
  let [runs, frames, firstUs, farthestUs, sent] = [0, 0, 0, 0, 0];
  const send = () => {
    packet.writeUInt16BE(sent % 2 ** 16, 2);
    packet.writeUInt32BE((sent * packetFrames) % 2 ** 32, 4);
    sent += 1;
    if (!random.chance(lossShare)) intake.accept(packet, time.nowUs(), sender);
    const dueUs = startUs + sent * stepUs - time.nowUs();
    time.after(Math.max(0, dueUs + jitterMs * 1000 * random.next()), send);
  };
  const reader = pacedReader(
    source,
    parseStreamOptions('rtp://x?name=V', { ...streamDefaults, chunkMs }),
    {
      pool,
      clock: time,
      logger: log,
      groupMs: () => 300,
      onPcm: ({ chunk, timestampUs, startsRun }) => {
        chunk.release();
        if (startsRun) runs += 1;
        // What the sender says is its time for the first frame of the chunk.
        const sentUs = startUs + (frames / packetFrames) * stepUs;
        const latencyUs = timestampUs - sentUs;
        frames += format.framesIn(chunkMs);
        if (time.nowUs() - startUs < 60_000_000) firstUs = latencyUs;
        else farthestUs = Math.max(farthestUs, Math.abs(latencyUs - firstUs));
      },
      onRunEnd: () => undefined,
      onOutdated: () => undefined,
      onActivity: () => undefined,
      onFailure: (error) => {
        throw error;
      },
    },
  );
  let stopped: Promise<void> | undefined;
  time.during(() => {
    reader.start();
    send();
    time.pass(us);
    stopped = reader.stop();
  });
  await stopped;
  expect(pool.isFull).toBe(true);
  return { runs, sent, frames, farthestMs: farthestUs / 1000, intake, reader, log };
}

it.each([
  [200, 24],
  [-200, 4],
])(
  'follows an RTP clock by %i ppm for %i hours without a hole',
  async (ppm, hours) => {
    const heard = await listen(ppm, hours * hourUs, { jitterMs: 20 });
    expect(heard.runs).toBe(1);
    expect(heard.intake.reception).toMatchObject({
      lostPackets: 0,
      latePackets: 0,
      concealedMs: 0,
    });
    // All that was sent was heard, but for what is on its way.
    expect(heard.sent * packetFrames - heard.frames).toBeLessThan(format.framesIn(1000));
    expect(heard.farthestMs).toBeLessThan(45);
    expect(Math.abs(heard.reader.driftPpm - ppm)).toBeLessThan(10);
  },
  120_000,
);

it('follows it as well when packets are lost', async () => {
  const heard = await listen(150, hourUs, { jitterMs: 20, lossShare: 0.02 });
  expect(heard.runs).toBe(1);
  const { lostPackets, latePackets, concealedMs } = heard.intake.reception;
  expect(lostPackets).toBeGreaterThan(0.015 * heard.sent);
  expect(latePackets).toBe(0);
  expect(concealedMs).toBe((lostPackets * packetUs) / 1000);
  expect(heard.farthestMs).toBeLessThan(45);
});
