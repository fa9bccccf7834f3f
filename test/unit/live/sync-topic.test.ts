import { setImmediate, setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { monotonicClock } from '../../../src/base/clock.ts';
import type { LiveViewer } from '../../../src/live/live-topic.ts';
import { SyncTopic } from '../../../src/live/sync-topic.ts';
import { EventAxis } from '../../../src/observing/event-axis.ts';
import { until } from '../../support/waiting.ts';

const viewerCount = 8;
/** Longer than the slice of work that may be done in one turn of the event loop. */
const busyMs = 5;

function openTopic(sessions: () => [] = () => []): SyncTopic {
  return new SyncTopic({
    clock: monotonicClock,
    sessions,
    streams: { channels: new Map() },
    native: { reason: 'not needed' },
    events: new EventAxis(monotonicClock),
  });
}

function viewer(rest: Partial<LiveViewer>): LiveViewer {
  const unwanted = () => expect.unreachable();
  return { isBehind: false, permits: () => true, tell: unwanted, show: unwanted, ...rest };
}

it('tells many viewers in many turns of the event loop', async () => {
  let turn = 0;
  const toldIn: number[] = [];
  const topic = openTopic();
  const tell = () => {
    toldIn.push(turn);
    const endMs = performance.now() + busyMs;
    while (performance.now() < endMs);
  };
  for (let count = 0; count < viewerCount; count += 1) {
    const end = topic.plan({ sync: true })!(viewer({ tell }));
    onTestFinished(() => end());
  }
  while (toldIn.length < viewerCount) {
    await setImmediate();
    turn += 1;
  }
  expect(new Set(toldIn).size).toBe(viewerCount);
});

it('looks once a second at most, however often a viewer looks away and back', async () => {
  const lookedMs: number[] = [];
  const topic = openTopic(() => {
    lookedMs.push(performance.now());
    return [];
  });
  const ignore = () => undefined;
  const startMs = performance.now();
  for (let count = 0; count < 20; count += 1) {
    const end = topic.plan({ sync: true })!(viewer({ tell: ignore }));
    await setTimeout(10);
    end();
  }
  expect(lookedMs.length).toBeLessThanOrEqual(1 + (performance.now() - startMs) / 1000);
  const end = topic.plan({ sync: true })!(viewer({ tell: ignore }));
  onTestFinished(() => end());
  const { length } = lookedMs;
  await until(() => lookedMs.length > length, 'it is looked again');
});

it('does not hear how a player plays from who may not play', () => {
  const report = openTopic().requests.get('player')!;
  const say = (...permissions: string[]) =>
    report({ id: 'a', errorMs: 1 }, viewer({ permits: (one) => permissions.includes(one) }));
  expect(() => say('Live')).toThrow('the role needs the permission Streaming');
  expect(() => say('Live', 'Streaming')).not.toThrow();
});
