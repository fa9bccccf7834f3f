import { afterEach, describe, expect, it, vi } from 'vitest';
import { LoopShare, maxSliceMs } from '../../src/base/time/loop-share.ts';
import {
  ControlMessage,
  type ControlPeer,
  type ControlPeerContext,
} from '../../src/control/control-peer.ts';
import { maxRequestMs } from '../../src/control/incomplete-request.ts';
import { maxUnreadBytes as unreadOf } from '../../src/control/request-flow.ts';
import { ControlEnds, type Controller, type ControlTransport } from '../support/control-ends.ts';
import { controlLimits, controlPeerContext } from '../support/control-limits.ts';
import { stall } from '../support/fake-time.ts';
import { turn, until } from '../support/waiting.ts';

const { maxQueuedBytes } = controlLimits;
const maxUnreadBytes = unreadOf(maxQueuedBytes);
const megabyte = new ControlMessage('x'.repeat(1024 * 1024));

interface Pair {
  readonly peer: ControlPeer;
  readonly controller: Controller;
  readonly asked: string[];
  readonly closings: string[];
  readonly faults: string[];
}

const opened: ControlEnds[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const ends of opened.splice(0)) ends.close();
});

interface PairOptions {
  readonly transport: ControlTransport;
  /** Called for each request, before it is kept. */
  readonly onText?: (peer: ControlPeer, text: string) => void;
  readonly context?: ControlPeerContext;
}

async function pairOf({
  transport,
  onText,
  context = controlPeerContext(),
}: PairOptions): Promise<Pair> {
  const peers: ControlPeer[] = [];
  const asked: string[] = [];
  const closings: string[] = [];
  const faults: string[] = [];
  const ends = await ControlEnds.open({
    transport,
    context,
    onPeer: (peer) => {
      peers.push(peer);
      peer.open({
        isLoggedIn: () => true,
        onText: (text) => {
          onText?.(peer, text);
          asked.push(text);
        },
        onEnd: () => peer.close('closed by the peer'),
        onClose: (reason, isFault) => {
          closings.push(reason);
          if (isFault) faults.push(reason);
        },
      });
    },
  });
  opened.push(ends);
  const controller = await ends.connect();
  await until(() => peers.length > 0);
  const [peer] = peers;
  if (!peer) throw new Error('nobody was accepted');
  return { peer, controller, asked, closings, faults };
}

/** Sends until the peer is closed; returns how many messages that took. */
async function flood({ peer, closings }: Pair): Promise<number> {
  let sent = 0;
  for (; closings.length === 0 && sent < 1000; sent += 1) {
    peer.send(megabyte);
    await turn();
  }
  return sent;
}

describe.each<ControlTransport>(['TCP', 'WebSocket'])('a control peer over %s', (transport) => {
  it('says who it is', async () => {
    const { peer } = await pairOf({ transport });
    expect(peer.transport).toBe(transport);
    expect(peer.remoteAddress).toBe('127.0.0.1');
  });

  it('hands on texts and sends messages', async () => {
    const { peer, controller, asked } = await pairOf({ transport });
    controller.ask('{"a":"ä€𝄞"}');
    controller.ask('[1]');
    await until(() => asked.length === 2);
    expect(asked).toEqual(['{"a":"ä€𝄞"}', '[1]']);
    peer.send(new ControlMessage('"€"'));
    peer.send(new ControlMessage('2'));
    await until(() => controller.texts.length === 2);
    expect(controller.texts).toEqual(['"€"', '2']);
  });

  it('ignores texts without content and line endings at the end', async () => {
    const { controller, asked } = await pairOf({ transport });
    controller.ask('\r\n');
    controller.ask('');
    controller.ask('1\r\n');
    controller.ask('2\r\n');
    await until(() => asked.length === 2);
    expect(asked).toEqual(['1', '2']);
  });

  it('hands on nothing while it is paused, not even what it has read', async () => {
    const pair = await pairOf({ transport, onText: (peer, text) => text === '1' && peer.pause() });
    const { peer, controller, asked } = pair;
    for (const text of ['1', '2', '3']) controller.ask(text);
    await until(() => asked.length === 1);
    peer.send(new ControlMessage('sent all the same'));
    await until(() => controller.texts.length === 1);
    expect(asked).toEqual(['1']);
    peer.resume();
    await until(() => asked.length === 3);
    expect(asked).toEqual(['1', '2', '3']);
  });

  it('does not take in more while it is paused', async () => {
    const { controller, asked } = await pairOf({ transport, onText: (peer) => peer.pause() });
    for (let count = 0; count < 40; count += 1) controller.ask('x'.repeat(1_000_000));
    await until(() => asked.length === 1);
    await until(() => controller.socket.writableLength > 0);
    for (let turns = 0; turns < 200; turns += 1) await turn();
    expect(controller.socket.writableLength).toBeGreaterThan(0);
    expect(asked).toHaveLength(1);
  });

  it('can be paused and resumed by one and the same request', async () => {
    const onText = (peer: ControlPeer) => {
      peer.pause();
      peer.resume();
    };
    const { controller, asked } = await pairOf({ transport, onText });
    for (const text of ['1', '2', '3']) controller.ask(text);
    await until(() => asked.length === 3);
    expect(asked).toEqual(['1', '2', '3']);
  });

  it('lets those wait with further requests who have much to read', async () => {
    const onText = (peer: ControlPeer) => peer.send(megabyte);
    const { peer, controller, asked, closings } = await pairOf({ transport, onText });
    controller.pause();
    for (let count = 0; count < 30; count += 1) controller.ask(String(count));
    await until(() => peer.queuedBytes > maxUnreadBytes);
    for (let count = 0; count < 20; count += 1) await turn();
    expect(peer.queuedBytes).toBeLessThan(maxUnreadBytes + 2 * megabyte.text.length);
    expect(asked.length).toBeLessThan(30);
    controller.resume();
    await until(() => controller.texts.length === 30);
    expect(asked).toHaveLength(30);
    expect(closings).toEqual([]);
  });

  it('closes whoever does not read, and drops what was queued', async () => {
    const pair = await pairOf({ transport });
    pair.controller.pause();
    const sent = await flood(pair);
    expect(sent).toBeGreaterThan(maxQueuedBytes / megabyte.text.length);
    expect(sent).toBeLessThan(100);
    expect(pair.closings).toEqual([`does not read: more than ${maxQueuedBytes} bytes are waiting`]);
    expect(pair.faults).toEqual(pair.closings);
    pair.controller.resume();
    await until(pair.controller.isClosed);
  });

  it('takes one message of any size', async () => {
    const { peer, controller, closings } = await pairOf({ transport });
    peer.send(new ControlMessage('x'.repeat(2 * maxQueuedBytes)));
    await until(() => controller.texts.length === 1);
    expect(controller.texts[0]).toHaveLength(2 * maxQueuedBytes);
    expect(closings).toEqual([]);
  });

  it('does not hand on a flood of requests in one go', async () => {
    const onText = (peer: ControlPeer) => {
      stall(1);
      peer.send(new ControlMessage('{}'));
    };
    const { controller, asked } = await pairOf({ transport, onText });
    for (let count = 0; count < 100; count += 1) controller.ask('1');
    let most = 0;
    while (asked.length < 100) {
      const before = asked.length;
      await turn();
      most = Math.max(most, asked.length - before);
    }
    expect(most).toBeLessThan(10);
  });

  it('sends what was queued before it closes, and nothing that comes later', async () => {
    const { peer, controller, closings, faults, asked } = await pairOf({ transport });
    for (let count = 0; count < 5; count += 1) peer.send(megabyte);
    peer.close('enough');
    peer.send(new ControlMessage('too late'));
    controller.ask('too late');
    peer.close('again');
    expect(closings).toEqual(['enough']);
    await until(controller.isClosed);
    expect(controller.texts).toHaveLength(5);
    expect([closings, faults, asked]).toEqual([['enough'], [], []]);
  });

  it('stops at a request that closes it', async () => {
    const onText = (peer: ControlPeer) => peer.close('by a request');
    const { controller, asked } = await pairOf({ transport, onText });
    for (const text of ['1', '2', '3']) controller.ask(text);
    await until(controller.isClosed);
    expect(asked).toEqual(['1']);
  });

  it('tells once that the controller has gone', async () => {
    const { peer, controller, closings, faults } = await pairOf({ transport });
    controller.close();
    await until(() => closings.length > 0);
    peer.send(megabyte);
    peer.close('too late');
    await turn();
    expect([closings, faults]).toEqual([['closed by the peer'], []]);
  });

  it('tells that the controller broke the connection while much was queued for it', async () => {
    const { peer, controller, closings } = await pairOf({ transport });
    controller.pause();
    for (let count = 0; count < 5; count += 1) peer.send(megabyte);
    controller.socket.resetAndDestroy();
    await until(() => closings.length > 0);
    expect(closings).toHaveLength(1);
  });

  it('can be closed without ever having been opened', async () => {
    const refused: ControlPeer[] = [];
    const ends = await ControlEnds.open({
      transport,
      onPeer: (peer) => {
        refused.push(peer);
        peer.close('no room');
      },
    });
    opened.push(ends);
    const controller = await ends.connect();
    await until(controller.isClosed);
    expect(refused).toHaveLength(1);
  });

  // The event loop is busy with others, so that what has arrived is taken in a later turn.
  describe.each([
    ['at once', maxSliceMs],
    ['in a later turn', -1],
  ])('whose requests are taken %s', (_when, sliceMs) => {
    function contextOf(maxIncompleteBytes?: number): ControlPeerContext {
      return { ...controlPeerContext({}, maxIncompleteBytes), turns: new LoopShare(sliceMs) };
    }

    it('holds a share of the common memory while a request is incomplete', async () => {
      const context = contextOf();
      const { budget } = context;
      const { controller, asked } = await pairOf({ transport, context });
      const [beginning, end] = halves(transport, 100_000);
      for (let count = 1; count <= 2; count += 1) {
        controller.socket.write(beginning);
        await until(() => budget.takenBytes > 80_000);
        controller.socket.write(end);
        await until(() => asked.length === count);
        await until(() => budget.takenBytes === 0);
      }
      controller.socket.write(beginning);
      await until(() => budget.takenBytes > 80_000);
      controller.close();
      await until(() => budget.takenBytes === 0);
    });

    it('is closed when there is no memory for its request', async () => {
      const context = contextOf(50_000);
      const { controller, closings, faults } = await pairOf({ transport, context });
      controller.socket.write(halves(transport, 100_000)[0]);
      await until(() => closings.length === 1);
      expect(closings).toEqual(['too many requests are incomplete: no memory for this one']);
      expect(faults).toEqual(closings);
      expect(context.budget.takenBytes).toBe(0);
      await until(controller.isClosed);
    });

    it('is closed when its request is not complete in time, however often it adds to it', async () => {
      const context = contextOf();
      const { budget } = context;
      const { controller, asked, closings, faults } = await pairOf({ transport, context });
      const [beginning] = halves(transport, 100_000);
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      controller.ask('one that is complete');
      while (asked.length === 0) await turn();
      vi.advanceTimersByTime(maxRequestMs - 1);
      for (let sentBytes = 0; sentBytes < 30_000; sentBytes += 10_000) {
        controller.socket.write(beginning.subarray(sentBytes, sentBytes + 10_000));
        while (budget.takenBytes < sentBytes + 5000) await turn();
        expect(closings).toEqual([]);
        vi.advanceTimersByTime(maxRequestMs / 3);
      }
      expect(closings).toEqual([
        `a ${transport === 'TCP' ? 'line' : 'message'} was not complete within ${maxRequestMs} ms`,
      ]);
      expect(faults).toEqual(closings);
    });
  });

  it('is closed when it takes nothing of what waits for it', async () => {
    const context = controlPeerContext({ peerTimeoutMs: 300, maxQueuedBytes: 64 * 1024 * 1024 });
    const { peer, controller, closings } = await pairOf({ transport, context });
    controller.pause();
    for (let count = 0; count < 20; count += 1) peer.send(megabyte);
    await until(() => closings.length === 1);
    expect(closings).toEqual(['took nothing of what waits for it for 300 ms']);
  });

  it('stays while it takes something now and then', async () => {
    const peerTimeoutMs = 1500;
    const context = controlPeerContext({ peerTimeoutMs, maxQueuedBytes: 64 * 1024 * 1024 });
    const { peer, controller, closings } = await pairOf({ transport, context });
    const { socket } = controller;
    controller.pause();
    for (let count = 0; count < 40; count += 1) peer.send(megabyte);
    const startMs = performance.now();
    while (performance.now() - startMs < 2 * peerTimeoutMs) {
      // Enough for the kernel to take more of what waits.
      const wantedBytes = socket.bytesRead + 2 * megabyte.text.length;
      controller.resume();
      while (socket.bytesRead < wantedBytes && !socket.closed) await turn();
      controller.pause();
      expect([peer.queuedBytes > 0, closings]).toEqual([true, []]);
      await new Promise((resolve) => setTimeout(resolve, peerTimeoutMs / 4));
    }
    controller.resume();
    await until(() => controller.texts.length === 40);
    expect(closings).toEqual([]);
  });
});

/** A request of so many bytes, but for its end, and its end. */
function halves(transport: ControlTransport, bytes: number): readonly [Buffer, Buffer] {
  const text = Buffer.alloc(bytes, 'x');
  if (transport === 'TCP') return [text, Buffer.from('\n')];
  const head = Buffer.alloc(14);
  // The final frame of a text, with a 64-bit length and a mask of zeros.
  head.set([0x81, 0xff]);
  head.writeBigUInt64BE(BigInt(bytes + 1), 2);
  return [Buffer.concat([head, text]), Buffer.from('x')];
}
