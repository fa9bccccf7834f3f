import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { scratchFolder } from '../support/fifo.ts';
import { codecsOf, PlayerRig } from '../support/player-rig.ts';
import { savedClient, savedGroup } from '../support/saved-groups.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { turn, until } from '../support/waiting.ts';

const first = 'tone:///?name=First&codec=pcm';
const second = 'tone:///?name=Second&codec=flac';
const radio = 'tone:///?name=Radio&codec=pcm&chunk_ms=10';

describe('a group whose stream goes', () => {
  let rig: PlayerRig;

  afterEach(async () => {
    expect(await rig.close(), 'the pool is full').toBe(true);
  });

  /** Clients in groups of their own, all of which play `Radio`; `away` is not connected. */
  async function start(...sources: readonly string[]): Promise<ScriptedClient> {
    rig = await PlayerRig.open(sources);
    const player = await rig.playing('a');
    (await rig.playing('away')).close();
    await until(() => !rig.client('away').isConnected);
    for (const id of ['a', 'away']) rig.groups.setStream(rig.group(id), 'Radio');
    rig.takeChanges();
    return player;
  }

  const everybody = () => ['a', 'away'].map((id) => rig.played(id));

  it('plays the default one, and its own one as soon as that is there again, header first', async () => {
    const player = await start(first, second, radio);
    await rig.streams.remove('Radio');
    expect(everybody()).toEqual(['First', 'First']);
    await rig.streams.addTrusted(radio);
    await turn();
    expect(everybody()).toEqual(['Radio', 'Radio']);
    expect(rig.session('a').channel?.id).toBe('Radio');
    const moves = rig.log.with('client moved').map(({ fields }) => [fields.from, fields.to]);
    expect(moves).toEqual([
      ['Radio', 'First'],
      ['First', 'Radio'],
    ]);
    const ids = ['a', 'away'].map((id) => rig.group(id).id);
    const told = rig.takeChanges().filter(([kind]) => kind === 'group-stream');
    expect(told.map(([, id]) => id)).toEqual([...ids, ...ids]);
    const count = player.chunks.length;
    await player.untilCount(messageType.wireChunk, count + 10);
    expect(codecsOf(player)).toEqual(['pcm', 'pcm', 'pcm', 'pcm']);
  });

  it('comes back to it however often it goes', async () => {
    await start(first, radio);
    for (let round = 0; round < 5; round += 1) {
      await rig.streams.remove('Radio');
      expect(everybody()).toEqual(['First', 'First']);
      await rig.streams.addTrusted(radio);
      await turn();
      expect(everybody()).toEqual(['Radio', 'Radio']);
    }
  });

  it('comes back from a stream that has gone as well, and from none', async () => {
    await start(first, second, radio);
    await rig.streams.remove('Radio');
    await rig.streams.remove('First');
    expect(everybody()).toEqual(['Second', 'Second']);
    await rig.streams.remove('Second');
    expect(rig.session('a').channel).toBeUndefined();
    await rig.streams.addTrusted(radio);
    await turn();
    expect(everybody()).toEqual(['Radio', 'Radio']);
    expect(rig.session('a').channel?.id).toBe('Radio');
  });

  it('comes back also when its own was the default one', async () => {
    await start(radio, second);
    await rig.streams.remove('Radio');
    expect(everybody()).toEqual(['Second', 'Second']);
    await rig.streams.addTrusted(radio);
    await turn();
    expect([...rig.streams.channels.keys()]).toEqual(['Second', 'Radio']);
    expect(everybody()).toEqual(['Radio', 'Radio']);
  });

  it('is interrupted by no other stream that comes meanwhile', async () => {
    const player = await start(second, radio);
    await rig.streams.remove('Radio');
    await rig.streams.remove('Second');
    await rig.streams.addTrusted(first);
    await rig.streams.addTrusted(second);
    await turn();
    expect(everybody()).toEqual(['First', 'First']);
    await rig.streams.addTrusted(radio);
    await player.untilCount(messageType.codecHeader, 5);
    expect(codecsOf(player)).toEqual(['flac', 'pcm', 'flac', 'pcm', 'pcm']);
  });

  it.each(['Second', 'First'])(
    'stays with %s when that is set meanwhile, also when it is what is played anyway',
    async (chosen) => {
      await start(first, second, radio);
      await rig.streams.remove('Radio');
      for (const id of ['a', 'away']) rig.groups.setStream(rig.group(id), chosen);
      await rig.streams.addTrusted(radio);
      await turn();
      expect(everybody()).toEqual([chosen, chosen]);
    },
  );

  it('plays the default one while it is given one that is disabled, away or not', async () => {
    await start(first, radio);
    await rig.streams.remove('Radio');
    await rig.streams.addConfigured('file:///nowhere?name=Radio');
    for (const chosen of ['First', 'Radio']) {
      for (const id of ['a', 'away']) rig.groups.setStream(rig.group(id), chosen);
      expect(everybody()).toEqual(['First', 'First']);
    }
    await rig.streams.remove('Radio');
    await rig.streams.addTrusted(radio);
    await turn();
    expect(everybody()).toEqual(['Radio', 'Radio']);
  });

  it('takes its stream along to those who join, and gives it to those who leave', async () => {
    await start(first, radio);
    await rig.playing('b');
    expect(rig.played('b')).toBe('First');
    await rig.streams.remove('Radio');
    rig.groups.setClients(rig.group('a'), ['a', 'b']);
    rig.groups.setClients(rig.group('a'), ['b']);
    expect(rig.group('a')).not.toBe(rig.group('b'));
    await rig.streams.addTrusted(radio);
    await turn();
    expect(['a', 'b'].map((id) => rig.session(id).channel?.id)).toEqual(['Radio', 'Radio']);
  });

  it('is no example for new clients, who get the default one and keep it', async () => {
    await start(radio, first);
    await rig.streams.remove('Radio');
    await rig.playing('new');
    await rig.streams.addTrusted(radio);
    await turn();
    expect(['a', 'new'].map((id) => rig.played(id))).toEqual(['Radio', 'First']);
  });

  it('and was saved plays the default one as soon as the streams are there', async () => {
    rig = await PlayerRig.open([first, second]);
    const saved = [savedClient('a'), savedClient('b')];
    rig.registry.restore([savedGroup('g', saved, { streamId: 'Radio' })]);
    rig.server.reroute();
    await turn();
    expect(rig.played('a')).toBe('First');
    const player = await rig.playing('a');
    expect(codecsOf(player)).toEqual(['pcm']);
    expect(rig.log.with('client plays another stream').map(({ fields }) => fields)).toEqual([
      { client: 'a', own: 'Radio', plays: 'First' },
    ]);
    await rig.streams.addTrusted(radio);
    await turn();
    expect(rig.session('a').channel?.id).toBe('Radio');
    expect(rig.registry.groups.get('g')).toMatchObject({
      streamId: 'Radio',
      fallbackId: undefined,
    });
  });
});

describe('a server that is started again', () => {
  const folder = scratchFolder();
  const tones = ['First', 'Second', 'Third', 'Fourth'].map((name) => `tone:///?name=${name}`);
  const saved = () => {
    const { Groups } = JSON.parse(readFileSync(join(folder.path, 'server.json'), 'utf8'));
    const groups: { stream_id: string; clients: { id: string }[] }[] = Groups;
    return new Map(groups.map((group) => [group.clients[0]?.id, group.stream_id]));
  };

  afterEach(() => folder.remove());

  it('keeps what each group was given, whatever the configuration was in between', async () => {
    const run = async (
      sources: readonly string[],
      act: (server: TestServer) => Promise<void> | void = () => {},
    ) => {
      const settings = sources.map((address) => `stream.source=${address}`);
      const server = await TestServer.startWith({ dataFolder: folder.path }, ...settings);
      await act(server);
      await server.stop();
    };
    const connectAll = async (server: TestServer) => {
      for (const name of ['First', 'Second', 'Third', 'Fourth']) {
        const player = await ScriptedClient.greet(server.port, `of ${name}`);
        await player.untilCount(messageType.wireChunk, 1);
        player.close();
      }
      await server.untilSessions(0);
    };
    await run(tones, async (server) => {
      await connectAll(server);
      for (const { id, group } of server.application.registry.clients.values()) {
        const params = { id: group.id, stream_id: id.replace('of ', '') };
        await server.application.request('Group.SetStream', params);
      }
    });
    const given = saved();
    expect([...given.values()]).toEqual(['First', 'Second', 'Third', 'Fourth']);
    const [a = '', b = '', c = '', d = ''] = tones;
    const missing = (name: string) => `process:///nowhere/none?name=${name}`;
    for (const sources of [
      [missing('First'), b, c, missing('Fourth')],
      [c],
      [c, b],
      [missing('Second'), `pipe:///dev/null?name=Third`, 'tone:///?name=Other'],
      [d, c, b, a],
    ]) {
      await run(sources, connectAll);
      expect(saved()).toEqual(given);
    }
    await run(tones, async (server) => {
      await connectAll(server);
      const channels = [...server.application.registry.clients.values()].map(({ group }) => group);
      expect(channels.map(({ fallbackId }) => fallbackId)).toEqual(channels.map(() => undefined));
    });
    expect(saved()).toEqual(given);
  });
});

describe('controllers', () => {
  let server: TestServer;

  afterEach(() => server.stop());

  const streamOf = async (id: string) => {
    const { server: status } = (await server.application.request('Server.GetStatus', {})) as {
      server: { groups: { stream_id: string; clients: { id: string }[] }[] };
    };
    return status.groups.find(({ clients }) => clients.some((client) => client.id === id))
      ?.stream_id;
  };

  it('are told what a group plays, and need not give it its stream again', async () => {
    server = await TestServer.start(`stream.source=${first}`, `stream.source=${second}`);
    const ask = (method: string, params: Record<string, unknown>) =>
      server.application.request(method, params);
    const player = await ScriptedClient.greet(server.port, 'a');
    await player.untilCount(messageType.wireChunk, 1);
    const { group } = server.application.registry.clients.get('a')!;
    const streamUri = 'tcp://127.0.0.1:0?name=MusicAssistant&mode=server&codec=pcm';
    await ask('Stream.AddStream', { streamUri });
    const given = await ask('Group.SetStream', { id: group.id, stream_id: 'MusicAssistant' });
    expect(given).toEqual({ stream_id: 'MusicAssistant' });
    await ask('Stream.RemoveStream', { id: 'MusicAssistant' });
    expect(await streamOf('a')).toBe('First');
    await ask('Stream.AddStream', { streamUri });
    expect(await streamOf('a')).toBe('MusicAssistant');
    await ask('Group.SetStream', { id: group.id, stream_id: 'Second' });
    await ask('Stream.RemoveStream', { id: 'MusicAssistant' });
    await ask('Stream.AddStream', { streamUri });
    expect(await streamOf('a')).toBe('Second');
    player.close();
  });
});
