import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { monotonicClock } from '../../../src/base/clock.ts';
import type { LiveViewer } from '../../../src/live/live-topic.ts';
import { SyncTopic } from '../../../src/live/sync-topic.ts';
import { EventAxis } from '../../../src/observing/event-axis.ts';

const viewerCount = 8;
/** Longer than the slice of work that may be done in one turn of the event loop. */
const busyMs = 5;

it('tells many viewers in many turns of the event loop', async () => {
  let turn = 0;
  const toldIn: number[] = [];
  const topic = new SyncTopic({
    clock: monotonicClock,
    sessions: () => [],
    streams: { channels: new Map() },
    native: { reason: 'not needed' },
    events: new EventAxis(monotonicClock),
  });
  const viewer = (): LiveViewer => ({
    remoteAddress: '::1',
    isBehind: false,
    tell: () => {
      toldIn.push(turn);
      const endMs = performance.now() + busyMs;
      while (performance.now() < endMs);
    },
    show: () => expect.unreachable(),
  });
  for (let count = 0; count < viewerCount; count += 1) {
    const end = topic.plan({ sync: true })!(viewer());
    onTestFinished(() => end());
  }
  while (toldIn.length < viewerCount) {
    await setImmediate();
    turn += 1;
  }
  expect(new Set(toldIn).size).toBe(viewerCount);
});
