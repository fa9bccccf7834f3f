import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RpcError } from '../../../src/base/errors.ts';
import { maxNameLength } from '../../../src/players/group-control.ts';
import { messageType } from '../../../src/protocol/layout.ts';
import { decodeServerSettings } from '../../../src/protocol/messages.ts';
import { codecsOf, PlayerRig } from '../../support/player-rig.ts';
import type { ScriptedClient } from '../../support/scripted-client.ts';
import { until } from '../../support/waiting.ts';

const me = { name: 'a controller' };
let rig: PlayerRig;

beforeEach(async () => {
  rig = await PlayerRig.open([
    'tone:///?name=Hidden&codec=null',
    'tone:///?name=First&codec=pcm',
    'tone:///?name=Second&codec=flac',
  ]);
});

afterEach(async () => {
  expect(await rig.close(), 'the pool is full').toBe(true);
});

/** A player that has got everything that belongs to its start. */
async function player(id: string): Promise<ScriptedClient> {
  const client = await rig.playing(id);
  rig.takeChanges();
  return client;
}

/** All settings that a player was told, without those that answer its Hello. */
async function pushed(client: ScriptedClient) {
  await answered(client);
  const [, ...settings] = client.of(messageType.serverSettings);
  expect(settings.every(({ refersTo }) => refersTo === 0)).toBe(true);
  return settings.map(({ body }) => decodeServerSettings(body));
}

/** What was sent before this was called has arrived when it resolves. */
async function answered(client: ScriptedClient): Promise<void> {
  const count = client.of(messageType.time).length;
  client.requestTime(count + 10);
  await client.untilCount(messageType.time, count + 1);
}

const streamOf = (id: string) => rig.session(id).channel?.id;

describe('volume', () => {
  it.each([
    [250, 100],
    [-5, 0],
    [33.7, 34],
    [0.4, 0],
    [Number.POSITIVE_INFINITY, 100],
  ])('%d percent becomes %d, is told to the client, and is announced', async (percent, volume) => {
    const a = await player('a');
    rig.groups.setVolume(rig.client('a'), { percent }, me);
    expect(rig.client('a').volume).toBe(volume);
    expect(rig.takeChanges()).toEqual([['client-volume', 'a', me]]);
    expect(await pushed(a)).toEqual([{ bufferMs: 1000, latencyMs: 0, muted: false, volume }]);
  });

  it('keeps what it is not told', async () => {
    const a = await player('a');
    rig.groups.setVolume(rig.client('a'), { percent: 30 });
    rig.groups.setVolume(rig.client('a'), { muted: true });
    rig.groups.setVolume(rig.client('a'), { percent: 40 });
    rig.groups.setVolume(rig.client('a'), {});
    expect(await pushed(a)).toMatchObject([
      { volume: 30, muted: false },
      { volume: 30, muted: true },
      { volume: 40, muted: true },
      { volume: 40, muted: true },
    ]);
  });

  it('can be set while the client is away, which then starts with it', async () => {
    const a = await player('a');
    a.close();
    await until(() => !rig.client('a').isConnected);
    rig.groups.setVolume(rig.client('a'), { percent: 12 });
    const again = await player('a');
    const [settings] = again.of(messageType.serverSettings);
    expect(settings && decodeServerSettings(settings.body).volume).toBe(12);
  });
});

describe('latency', () => {
  it.each([
    [20_000, 1000],
    [-20_000, -10_000],
    [12.6, 13],
  ])('%d ms becomes %d, is told to the client, and is announced', async (wanted, latencyMs) => {
    const a = await player('a');
    rig.groups.setLatency(rig.client('a'), wanted, me);
    expect(rig.takeChanges()).toEqual([['client-latency', 'a', me]]);
    expect(await pushed(a)).toMatchObject([{ latencyMs }]);
  });
});

describe('names', () => {
  it('of clients are kept, announced, and push the settings as they are', async () => {
    const a = await player('a');
    rig.groups.setClientName(rig.client('a'), ' Küche ', me);
    expect(rig.client('a').name).toBe(' Küche ');
    expect(rig.takeChanges()).toEqual([['client-name', 'a', me]]);
    expect(await pushed(a)).toHaveLength(1);
    rig.groups.setClientName(rig.client('a'), '');
    expect(rig.client('a').name).toBe('');
  });

  it('of groups are kept and announced, and no player is told', async () => {
    const a = await player('a');
    rig.groups.setGroupName(rig.group('a'), 'Haus', me);
    expect(rig.group('a').name).toBe('Haus');
    expect(rig.takeChanges()).toEqual([['group-name', rig.group('a').id, me]]);
    expect(await pushed(a)).toEqual([]);
  });

  it('are cut when nobody could want them so long', async () => {
    await player('a');
    rig.groups.setClientName(rig.client('a'), 'x'.repeat(maxNameLength + 1));
    rig.groups.setGroupName(rig.group('a'), 'x'.repeat(maxNameLength + 1));
    expect(rig.client('a').name).toHaveLength(maxNameLength);
    expect(rig.group('a').name).toHaveLength(maxNameLength);
  });
});

describe('the mute of a group', () => {
  it('is told to each connected member, silences it, and is announced', async () => {
    const [a, b, other] = [await player('a'), await player('b'), await player('other')];
    (await player('away')).close();
    await until(() => !rig.client('away').isConnected);
    rig.groups.setClients(rig.group('a'), ['a', 'b', 'away']);
    rig.takeChanges();
    rig.groups.setMute(rig.group('a'), true, me);
    expect(rig.takeChanges()).toEqual([['group-mute', rig.group('a').id, me]]);
    for (const client of [a, b]) expect(await pushed(client)).toMatchObject([{ muted: true }]);
    expect(await pushed(other)).toEqual([]);
    const counts = [a.chunks.length, b.chunks.length];
    await other.untilCount(messageType.wireChunk, other.chunks.length + 10);
    expect([a.chunks.length, b.chunks.length]).toEqual(counts);
    rig.groups.setMute(rig.group('a'), false);
    await a.untilCount(messageType.wireChunk, a.chunks.length + 5);
    expect(codecsOf(a)).toEqual(['pcm']);
  });

  it('is told and announced again although nothing changes', async () => {
    const a = await player('a');
    rig.groups.setMute(rig.group('a'), false, me);
    expect(rig.takeChanges()).toHaveLength(1);
    expect(await pushed(a)).toHaveLength(1);
  });

  it('does not unmute a client that is muted itself', async () => {
    const a = await player('a');
    rig.groups.setVolume(rig.client('a'), { muted: true });
    rig.groups.setMute(rig.group('a'), false);
    expect(await pushed(a)).toMatchObject([{ muted: true }, { muted: true }]);
  });
});

describe('the stream of a group', () => {
  it('is played by all its members, header first, without further settings', async () => {
    const [a, b] = [await player('a'), await player('b')];
    rig.groups.setClients(rig.group('a'), ['a', 'b']);
    rig.takeChanges();
    rig.groups.setStream(rig.group('a'), 'Second', me);
    expect(rig.takeChanges()).toEqual([['group-stream', rig.group('a').id, me]]);
    expect(rig.group('a').streamId).toBe('Second');
    for (const client of [a, b]) {
      await client.untilCount(messageType.codecHeader, 2);
      expect(codecsOf(client)).toEqual(['pcm', 'flac']);
      expect(await pushed(client)).toEqual([]);
    }
  });

  it('is announced, and not begun anew, when it is the same', async () => {
    const a = await player('a');
    rig.groups.setStream(rig.group('a'), 'First', me);
    expect(rig.takeChanges()).toEqual([['group-stream', rig.group('a').id, me]]);
    await answered(a);
    expect(codecsOf(a)).toEqual(['pcm']);
  });

  it.each(['nobody', 'Hidden', '', '__proto__'])('cannot be "%s"', async (streamId) => {
    await player('a');
    const attempt = () => rig.groups.setStream(rig.group('a'), streamId, me);
    expect(attempt).toThrow(RpcError);
    expect(attempt).toThrow(
      expect.objectContaining({
        rpcCode: -32603,
        message: 'Internal error',
        data: 'Stream not found',
      }),
    );
    expect(rig.group('a').streamId).toBe('First');
    expect(rig.takeChanges()).toEqual([]);
  });

  it('can be set while its clients are away', async () => {
    (await player('a')).close();
    await until(() => !rig.client('a').isConnected);
    rig.groups.setStream(rig.group('a'), 'Second');
    const again = await player('a');
    expect(codecsOf(again)).toEqual(['flac']);
  });
});

describe('the members of a group', () => {
  it('play its stream, who is new there begins with the header, and it is one change', async () => {
    const [a, b] = [await player('a'), await player('b')];
    rig.groups.setStream(rig.group('a'), 'Second');
    rig.takeChanges();
    rig.groups.setClients(rig.group('a'), ['b', 'a', 'b', 'x'], me);
    expect(rig.takeChanges()).toEqual([['groups', '', me]]);
    expect(rig.members).toEqual([['a', 'b']]);
    await b.untilCount(messageType.codecHeader, 2);
    await answered(a);
    expect(codecsOf(a)).toEqual(['pcm', 'flac']);
    expect(codecsOf(b)).toEqual(['pcm', 'flac']);
    expect(await pushed(a)).toEqual([]);
    expect(await pushed(b)).toEqual([]);
  });

  it('go on with the same stream, without a new header, when they leave', async () => {
    const [a, b] = [await player('a'), await player('b')];
    rig.groups.setClients(rig.group('a'), ['a', 'b']);
    rig.groups.setStream(rig.group('a'), 'Second');
    rig.groups.setClients(rig.group('a'), ['a']);
    expect(streamOf('b')).toBe('Second');
    for (const client of [a, b]) {
      await client.untilCount(messageType.wireChunk, client.chunks.length + 10);
      expect(codecsOf(client)).toEqual(['pcm', 'flac']);
    }
  });

  it('are told at once when they come to a group that is muted, or leave it', async () => {
    const [a, b] = [await player('a'), await player('b')];
    rig.groups.setMute(rig.group('a'), true);
    rig.groups.setClients(rig.group('a'), ['a', 'b']);
    expect(await pushed(b)).toMatchObject([{ muted: true }]);
    const count = b.chunks.length;
    await answered(b);
    expect(b.chunks).toHaveLength(count);
    rig.groups.setClients(rig.group('a'), ['b']);
    expect(await pushed(a)).toMatchObject([{ muted: true }, { muted: false }]);
    await a.untilCount(messageType.wireChunk, a.chunks.length + 5);
    expect(await pushed(b)).toHaveLength(1);
  });

  it('are not told when they are muted themselves anyway', async () => {
    const b = await player('b');
    await player('a');
    rig.groups.setVolume(rig.client('b'), { muted: true });
    rig.groups.setMute(rig.group('a'), true);
    rig.groups.setClients(rig.group('a'), ['a', 'b']);
    rig.groups.setClients(rig.group('a'), ['a']);
    expect(await pushed(b)).toHaveLength(1);
  });
});

describe('a client that is deleted', () => {
  it('is gone with its group, its connection ends, and it comes back as a new one', async () => {
    const a = await player('a');
    const old = rig.client('a');
    rig.groups.setClientName(old, 'old');
    rig.takeChanges();
    rig.groups.deleteClient(old, me);
    expect(rig.takeChanges()).toEqual([['client-removed', 'a', me]]);
    expect(rig.registry.clients.size).toBe(0);
    expect(rig.registry.groups.size).toBe(0);
    await a.untilClosed();
    await rig.join('a');
    expect(rig.client('a')).not.toBe(old);
    expect(rig.client('a').name).toBe('');
    expect(rig.takeChanges()).toEqual([['client-added', 'a']]);
  });

  it('may be away', async () => {
    (await player('a')).close();
    await until(() => !rig.client('a').isConnected);
    rig.takeChanges();
    rig.groups.deleteClient(rig.client('a'), me);
    expect(rig.takeChanges()).toEqual([['client-removed', 'a', me]]);
    expect(rig.registry.clients.size).toBe(0);
  });

  it('leaves the rest of its group alone', async () => {
    const [, b] = [await player('a'), await player('b')];
    rig.groups.setClients(rig.group('a'), ['a', 'b']);
    rig.groups.deleteClient(rig.client('a'));
    expect(rig.members).toEqual([['b']]);
    await b.untilCount(messageType.wireChunk, b.chunks.length + 5);
    expect(codecsOf(b)).toEqual(['pcm']);
  });
});
