import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamState } from '../../../src/audio/stream.ts';
import { type StreamObserver, StreamUpdates } from '../../../src/control/stream-updates.ts';
import type { Requester } from '../../../src/streams/change.ts';
import { FakeTime } from '../../support/fake-time.ts';

const intervalMs = 250;

/** Somebody who keeps each state that it is told. */
class Observer implements StreamObserver {
  readonly states: StreamState[] = [];
  statusHeardMs = Number.NEGATIVE_INFINITY;
}

let time: FakeTime;
let state: StreamState;
let updates: StreamUpdates;
let ann: Observer;
let bob: Observer;

beforeEach(() => {
  time = FakeTime.install();
  state = 'idle';
  ann = new Observer();
  bob = new Observer();
  updates = new StreamUpdates({
    intervalMs,
    state: () => state,
    tell: (isFor) => {
      for (const observer of [ann, bob]) if (isFor(observer)) observer.states.push(state);
    },
  });
});

afterEach(() => {
  updates.stop();
  time.remove();
});

function becomes(next: StreamState, by?: Requester): void {
  state = next;
  updates.changed(by);
}

describe('the state of a stream', () => {
  it('is told at once', () => {
    becomes('playing');
    expect(ann.states).toEqual(['playing']);
  });

  it('is told at most once per interval, and the last one always', async () => {
    becomes('playing');
    becomes('idle');
    await time.pass(intervalMs - 1);
    expect(ann.states).toEqual(['playing']);
    await time.pass(1);
    expect(ann.states).toEqual(['playing', 'idle']);
    becomes('disabled');
    await time.pass(intervalMs);
    expect(ann.states).toEqual(['playing', 'idle', 'disabled']);
    expect(time.timers).toBe(1);
    await time.pass(intervalMs);
    expect(time.timers).toBe(0);
  });

  it('is told at once again after a time of rest', async () => {
    becomes('playing');
    await time.pass(intervalMs);
    becomes('idle');
    expect(ann.states).toEqual(['playing', 'idle']);
  });

  it('is not told when it is again the one that was told last', async () => {
    becomes('playing');
    for (let count = 0; count < 20; count += 1) {
      becomes('idle');
      becomes('playing');
      await time.pass(50);
    }
    await time.pass(2 * intervalMs);
    expect(ann.states).toEqual(['playing']);
    expect(time.timers).toBe(0);
  });

  it('is told all the same to whoever has got a status with another one meanwhile', async () => {
    becomes('playing');
    becomes('idle');
    ann.statusHeardMs = performance.now();
    becomes('playing');
    await time.pass(intervalMs);
    expect(ann.states).toEqual(['playing', 'playing']);
    expect(bob.states).toEqual(['playing']);
  });

  it('is not told again to whoever has got a status before', async () => {
    ann.statusHeardMs = performance.now() - 1;
    becomes('playing');
    becomes('idle');
    becomes('playing');
    await time.pass(intervalMs);
    expect(ann.states).toEqual(['playing']);
  });

  it('is not told to a requester that alone has changed it', async () => {
    becomes('playing', ann);
    expect([ann.states, bob.states]).toEqual([[], ['playing']]);
    becomes('idle', ann);
    becomes('playing');
    becomes('idle');
    await time.pass(intervalMs);
    expect([ann.states, bob.states]).toEqual([['idle'], ['playing', 'idle']]);
  });

  it('is not told any more once the stream is gone', async () => {
    becomes('playing');
    becomes('idle');
    updates.stop();
    await time.pass(intervalMs);
    becomes('playing');
    expect(ann.states).toEqual(['playing']);
  });
});
