import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { ChunkRing } from '../../../src/audio/chunk-ring.ts';
import { canSend, loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import { LoopShare } from '../../../src/base/time/loop-share.ts';
import { encodeTimeReply } from '../../../src/protocol/messages.ts';
import { Cursor } from '../../../src/transport/cursor.ts';
import type { Framing } from '../../../src/transport/link.ts';
import { NativeFanOut } from '../../../src/transport/native-fan-out.ts';
import { takeDescriptors } from '../../support/descriptors.ts';
import { LogLines } from '../../support/log-lines.ts';
import { messageTypes, SocketPairs } from '../../support/socket-pairs.ts';
import { until } from '../../support/waiting.ts';

const loaded = loadNativeAddon({});
const addon = 'addon' in loaded && canSend(loaded.addon) ? loaded.addon : undefined;
const mayBeMissing = !process.env.CI;

/** Runs `work` while this process has no descriptor to spare. */
function withoutDescriptors<Result>(work: () => Result): Result {
  const restore = takeDescriptors();
  try {
    return work();
  } finally {
    restore();
  }
}

describe.skipIf(!addon && mayBeMissing)('a fan-out without descriptors to spare', () => {
  let pool: ChunkPool;
  let ring: ChunkRing;
  let fanOut: NativeFanOut;
  let log: LogLines;
  let pairs: SocketPairs;

  beforeEach(async () => {
    pool = new ChunkPool({ verifySeals: true, allocate: (bytes) => addon!.allocateSlab(bytes) });
    ring = new ChunkRing();
    log = new LogLines();
    fanOut = new NativeFanOut({ pool, addon: addon!, logger: log });
    pairs = await SocketPairs.open({
      attach: (connection) => withoutDescriptors(() => fanOut.attach(connection)),
      deliver: (...delivery) => fanOut.deliver(...delivery),
      close: () => fanOut.close(),
      wantedSendBytes: 0,
    });
  });
  afterEach(async () => {
    pairs.close();
    ring.clear();
    await fanOut.close();
    await until(() => pool.isFull);
    pool.close();
  });

  it.each<Framing>(['tcp', 'websocket'])('sends to a player by Node: %s', async (framing) => {
    const peer = await pairs.join(true, framing);
    expect(peer.path.socketId).toBe(-1);
    for (let sequence = 0; sequence < 5; sequence += 1) {
      const chunk = pool.acquire(3840, 'test');
      chunk.payloadBytes = 3840;
      chunk.writable.fill(sequence);
      chunk.seal({ timestampUs: sequence * 20_000, durationUs: 20_000 });
      ring.push(chunk);
    }
    const cursor = new Cursor(peer.path, 0, 0);
    cursor.quota = 5;
    while (!fanOut.deliver(ring, [cursor], new LoopShare()));
    peer.connection.send(encodeTimeReply({ requestId: 1, receivedUs: 0, latencyUs: 0 }));
    await until(() => messageTypes(peer.heard()).length === 6);
    expect(messageTypes(peer.heard())).toEqual([2, 2, 2, 2, 2, 4]);
    const audio = [0, 1, 2, 3, 4].map((sequence) => ring.at(sequence).tcpMessage);
    expect(peer.heard().subarray(0, -34).equals(Buffer.concat(audio))).toBe(true);
    expect(cursor.path.takeStatistics()).toMatchObject({ chunks: 5, lostChunks: 0 });
  });

  it('says so once, with what to do', async () => {
    await pairs.joinAll(3);
    const told = log.with('no descriptor for native sending');
    expect(told).toHaveLength(1);
    expect(told[0]?.fields).toMatchObject({ error: 'EMFILE', remedy: expect.any(String) });
  });
});
