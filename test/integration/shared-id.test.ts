import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { monotonicClock } from '../../src/base/clock.ts';
import { maxSessionsOfClient } from '../../src/players/client-sessions.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeServerSettings, encodeHello, type Hello } from '../../src/protocol/messages.ts';
import { jsonMessage } from '../support/mutations.ts';
import { codecsOf, PlayerRig } from '../support/player-rig.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { turn, until } from '../support/waiting.ts';

let rig: PlayerRig;
let aheadUs = 0;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  aheadUs = 0;
  rig = await PlayerRig.open(['tone:///?name=First&codec=pcm', 'tone:///?name=Second&codec=flac'], {
    clock: { nowUs: () => monotonicClock.nowUs() + aheadUs },
  });
});

afterEach(async () => {
  vi.useRealTimers();
  expect(await rig.close(), 'the pool is full').toBe(true);
});

/** One more player of the client `same`, with all that belongs to its start. */
async function player(rest: Partial<Hello> = {}): Promise<ScriptedClient> {
  const client = rig.keep(await ScriptedClient.greet(rig.port, 'same', rest));
  await client.untilCount(messageType.wireChunk, 1);
  return client;
}

/** The answer to a time request has come, and with it everything before. */
async function askTime(client: ScriptedClient): Promise<void> {
  const count = client.of(messageType.time).length;
  client.requestTime(count + 10);
  await client.untilCount(messageType.time, count + 1);
}

/** Lets whole seconds pass, in each of which these players ask for the time. */
async function pass(seconds: number, ...talking: readonly ScriptedClient[]): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    aheadUs += 1_000_000;
    for (const client of talking) await askTime(client);
    vi.advanceTimersByTime(1000);
    await turn();
  }
}

async function playsOn(client: ScriptedClient): Promise<void> {
  const count = client.chunks.length;
  await client.untilCount(messageType.wireChunk, count + 10);
}

const told = () => rig.takeChanges().filter(([kind]) => kind !== 'stream-state');
const replaced = () => rig.log.with('replaced by a newer connection');
const warnings = () => rig.log.with('several players have one id');
const pushed = (client: ScriptedClient) =>
  client
    .of(messageType.serverSettings)
    .slice(1)
    .map(({ body }) => decodeServerSettings(body).volume);

describe('two players with one id', () => {
  it('both play for as long as they like, as one client that came and went once', async () => {
    const [a, b] = [await player(), await player()];
    await pass(30, a, b);
    await playsOn(a);
    await playsOn(b);
    expect([a.isClosed, b.isClosed]).toEqual([false, false]);
    expect(told()).toEqual([['client-added', 'same']]);
    a.close();
    await until(() => rig.server.sessionCount === 1, 'one has gone');
    await playsOn(b);
    expect(rig.client('same').isConnected).toBe(true);
    expect(told()).toEqual([]);
    b.close();
    await until(() => !rig.client('same').isConnected, 'the last one has gone');
    expect(told()).toEqual([['client-disconnected', 'same']]);
    expect(replaced()).toEqual([]);
  });

  it('are warned about once, with the id, both addresses, and how to fix it', async () => {
    const [a, b] = [await player(), await player()];
    await pass(1, a, b);
    expect(warnings()).toEqual([]);
    await pass(20, a, b);
    expect(warnings()).toHaveLength(1);
    const [{ level, fields }] = warnings() as [ReturnType<typeof warnings>[number]];
    expect(level).toBe('warn');
    expect(fields).toMatchObject({
      client: 'same',
      addresses: '127.0.0.1, 127.0.0.1',
      remedy: expect.stringMatching(/--hostID.*--instance/),
    });
    b.close();
    await until(() => rig.server.sessionCount === 1, 'one has gone');
    const again = await player();
    await pass(10, a, again);
    expect(warnings()).toHaveLength(1);
  });

  it('all follow volume, mute, latency, group and stream', async () => {
    const players = [await player(), await player(), await player()];
    const client = rig.client('same');
    rig.groups.setVolume(client, { percent: 40 });
    rig.groups.setLatency(client, 30);
    rig.groups.setStream(client.group, 'Second');
    for (const one of players) {
      await one.untilCount(messageType.codecHeader, 2);
      expect(codecsOf(one)).toEqual(['pcm', 'flac']);
      expect(pushed(one)).toEqual([40, 40]);
      await playsOn(one);
    }
    rig.groups.setMute(client.group, true);
    for (const one of players) await askTime(one);
    const counts = players.map(({ chunks }) => chunks.length);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(players.map(({ chunks }) => chunks.length)).toEqual(counts);
    rig.groups.setMute(client.group, false);
    for (const one of players) await playsOn(one);
  });

  it('have one volume: what one turns at its mixer the other is told, but no echo of it', async () => {
    const [a, b] = [await player(), await player()];
    a.send(jsonMessage(messageType.clientInfo, { volume: 42, muted: false }));
    await b.untilCount(messageType.serverSettings, 2);
    expect(pushed(b)).toEqual([42]);
    // Its mixer has other steps.
    b.send(jsonMessage(messageType.clientInfo, { volume: 41, muted: false }));
    await until(() => rig.client('same').volume === 41, 'the volume is known');
    await askTime(a);
    expect(pushed(a)).toEqual([]);
    await pass(2, a, b);
    b.send(jsonMessage(messageType.clientInfo, { volume: 70, muted: false }));
    await a.untilCount(messageType.serverSettings, 2);
    expect(pushed(a)).toEqual([70]);
    expect(pushed(b)).toEqual([42]);
  });

  it('are both ended when the client is deleted', async () => {
    const [a, b] = [await player(), await player()];
    rig.takeChanges();
    rig.groups.deleteClient(rig.client('same'));
    await a.untilClosed();
    await b.untilClosed();
    await until(() => rig.server.sessionCount === 0, 'both have gone');
    expect(told()).toEqual([['client-removed', 'same']]);
  });

  it('look like the one that has been there longest', async () => {
    const a = await player({ hostName: 'kitchen' });
    const b = await player({ hostName: 'garage' });
    expect(rig.client('same').hello.hostName).toBe('kitchen');
    rig.takeChanges();
    a.close();
    await until(() => rig.server.sessionCount === 1, 'one has gone');
    expect(rig.client('same').hello.hostName).toBe('garage');
    expect(told()).toEqual([['client-connected', 'same']]);
    await playsOn(b);
  });

  it('count as seen while either of them speaks', async () => {
    const [, b] = [await player(), await player()];
    const before = rig.client('same').lastSeenMs;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await askTime(b);
    expect(rig.client('same').lastSeenMs).toBeGreaterThan(before);
  });

  it('and many more of them are let in up to a limit; one more harms nobody', async () => {
    const players: ScriptedClient[] = [];
    for (let count = 0; count < maxSessionsOfClient; count += 1) players.push(await player());
    const refused = rig.keep(await ScriptedClient.greet(rig.port, 'same'));
    await refused.untilClosed();
    expect(
      rig.log.with('session closed').map(({ level, fields }) => [level, fields.reason]),
    ).toEqual([['warn', `refused: ${maxSessionsOfClient} players have the id same already`]]);
    for (const one of players) await askTime(one);
    expect(players.some(({ isClosed }) => isClosed)).toBe(false);
  });
});

describe('a player that comes back', () => {
  it('takes the place of its silent connection at once, and was never away', async () => {
    const old = await player();
    await pass(6);
    const again = await player();
    await old.untilClosed();
    await playsOn(again);
    expect(replaced()).toHaveLength(1);
    expect(told()).toEqual([
      ['client-added', 'same'],
      ['client-connected', 'same'],
    ]);
    expect(rig.client('same').isConnected).toBe(true);
  });

  it('within a second takes it when nothing more is heard of that, without a warning', async () => {
    const old = await player();
    await askTime(old);
    const again = await player();
    await pass(4, again);
    expect(old.isClosed).toBe(false);
    await pass(3, again);
    await old.untilClosed();
    await pass(10, again);
    expect(replaced()).toHaveLength(1);
    expect(warnings()).toEqual([]);
    expect(told()).toEqual([['client-added', 'same']]);
    await playsOn(again);
  });

  it('leaves no silent connection behind when it leaves again', async () => {
    const old = await player();
    await askTime(old);
    const again = await player();
    again.close();
    await until(() => rig.server.sessionsOf(rig.client('same')).length === 1);
    await pass(4);
    expect(old.isClosed).toBe(false);
    await pass(3);
    await old.untilClosed();
    expect(replaced()).toHaveLength(1);
    await until(() => !rig.client('same').isConnected);
  });

  it('and leaves again does not end a connection that was another player', async () => {
    const other = await player();
    const again = await player();
    await pass(3, other, again);
    again.close();
    await until(() => rig.server.sessionsOf(rig.client('same')).length === 1);
    await pass(4, other);
    await pass(60);
    expect(other.isClosed).toBe(false);
    await playsOn(other);
  });

  it('leaves the others of its id alone', async () => {
    const [old, other] = [
      await player({ hostName: 'kitchen' }),
      await player({ hostName: 'hall' }),
    ];
    await pass(8, old, other);
    await pass(6, other);
    const again = await player({ hostName: 'kitchen' });
    await old.untilClosed();
    await pass(10, other, again);
    expect([other.isClosed, again.isClosed]).toEqual([false, false]);
    expect(rig.client('same').hello.hostName).toBe('hall');
    expect(replaced()).toHaveLength(1);
  });

  it('leaves them alone also when this server was away, and has not heard them for that long', async () => {
    const [a, b] = [await player(), await player()];
    await pass(8, a, b);
    aheadUs += 60_000_000;
    const c = await player();
    vi.advanceTimersByTime(1000);
    await turn();
    await pass(8, a, b, c);
    expect([a, b, c].map(({ isClosed }) => isClosed)).toEqual([false, false, false]);
  });

  it('is never the reason to end a connection that is the only one, however silent', async () => {
    const a = await player();
    await pass(60);
    expect(a.isClosed).toBe(false);
    await playsOn(a);
  });

  it('and says Hello once more on the same connection stays one player', async () => {
    const a = await player();
    const b = await player();
    a.send(encodeHello(helloOf('same'), 3));
    await a.untilCount(messageType.serverSettings, 2);
    expect(rig.server.sessionsOf(rig.client('same'))).toHaveLength(2);
    await pass(8, a, b);
    expect([a.isClosed, b.isClosed]).toEqual([false, false]);
  });
});
