import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeTimeReply } from '../../../src/protocol/messages.ts';
import { PlayerRig } from '../../support/player-rig.ts';
import type { ScriptedClient } from '../../support/scripted-client.ts';
import { until } from '../../support/waiting.ts';

const stallTimeoutMs = 5000;
let nowMs: number;
let rig: PlayerRig;

beforeEach(async () => {
  nowMs = 1000;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  rig = await PlayerRig.open([], { stallTimeoutMs, clock: { nowUs: () => nowMs * 1000 } });
});
afterEach(async () => {
  vi.useRealTimers();
  expect(await rig.close()).toBe(true);
});

/** Lets time pass while the server looks every second. */
function pass(seconds: number): void {
  for (let passed = 0; passed < seconds; passed += 1) {
    nowMs += 1000;
    vi.advanceTimersByTime(1000);
  }
}

/** A player that takes nothing, and for whom more waits than the kernel keeps. */
async function stalled(): Promise<ScriptedClient> {
  const client = await rig.join('deaf');
  client.socket.pause();
  const { connection } = rig.session('deaf');
  const reply = () => encodeTimeReply({ requestId: 1, receivedUs: 0, latencyUs: 0 });
  while (connection.busySinceUs === undefined) connection.send(reply());
  expect(connection.isClosed).toBe(false);
  return client;
}

describe('a player that takes nothing', () => {
  it('is closed when its time is over, and not before', async () => {
    await stalled();
    pass(5);
    expect(rig.server.sessionCount).toBe(1);
    pass(1);
    expect(rig.server.sessionCount).toBe(0);
    expect(rig.log.with('session closed').at(-1)?.fields.reason).toBe(
      `took no data for ${stallTimeoutMs} ms`,
    );
  });

  it('has all its time anew behind a suspension of the server', async () => {
    await stalled();
    pass(4);
    nowMs += 3_600_000;
    vi.advanceTimersByTime(1000);
    expect(rig.server.sessionCount).toBe(1);
    pass(5);
    expect(rig.server.sessionCount).toBe(1);
    pass(1);
    expect(rig.server.sessionCount).toBe(0);
  });

  it('stays when it takes what waits in time', async () => {
    const client = await stalled();
    pass(4);
    client.socket.resume();
    await until(() => rig.session('deaf').connection.busySinceUs === undefined);
    pass(10);
    expect(rig.server.sessionCount).toBe(1);
  });
});
