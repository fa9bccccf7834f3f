import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { playedStreamId } from '../../src/clients/registry.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { codecsOf } from '../support/player-rig.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';

const [toneA, toneB, toneC] = ['A', 'B', 'C'].map((name) => `tone:///?name=${name}&codec=pcm`) as [
  string,
  string,
  string,
];

let rig: ReloadRig;
const clients: ScriptedClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await rig.close();
});

async function start(...addresses: string[]): Promise<void> {
  rig = await ReloadRig.start(sources(...addresses));
}

const reload = (...addresses: string[]) => rig.reload(sources(...addresses));
const channel = (name: string) => rig.application.streams.channels.get(name);
const streamOf = (id: string) => {
  const client = rig.application.registry.clients.get(id);
  return client && playedStreamId(client.group);
};

async function playing(id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(rig.application.ports.streaming, id);
  clients.push(client);
  await client.untilCount(messageType.wireChunk, 1);
  return client;
}

describe('streams of a configuration that is read again', () => {
  it('are not touched when nothing has changed, however their addresses are written', async () => {
    await start(toneA, toneB);
    const before = [channel('A'), channel('B')];
    const report = await reload('tone:///?codec=pcm&name=A', toneB);
    expect([channel('A'), channel('B')]).toEqual(before);
    expect(channel('A')).toBe(before[0]);
    expect(report).toMatchObject({
      streams: { added: [], removed: [], replaced: [], unchanged: ['A', 'B'] },
    });
  });

  it('come at their places, which decide the default', async () => {
    await start(toneB);
    const report = await reload(toneA, toneB, toneC);
    expect(rig.streams).toEqual(['A', 'B', 'C']);
    expect(rig.application.streams.default?.id).toBe('A');
    expect(report.streams).toEqual({
      added: ['A', 'C'],
      removed: [],
      replaced: [],
      unchanged: ['B'],
    });
  });

  it('change their order alone', async () => {
    await start(toneA, toneB);
    const [a, b] = [channel('A'), channel('B')];
    await reload(toneB, toneA);
    expect(rig.streams).toEqual(['B', 'A']);
    expect([channel('A'), channel('B')]).toEqual([a, b]);
  });

  it('come back to the groups that they were given to, also when they had a fault', async () => {
    const good = 'tone:///?name=Radio&codec=flac';
    await start(toneA, good);
    const client = await playing('p');
    const groupId = () => rig.application.registry.clients.get('p')?.group.id;
    const given = { id: groupId(), stream_id: 'Radio' };
    await rig.application.request('Group.SetStream', given);
    for (const broken of [
      [],
      ['process:///nowhere/none?name=Radio'],
      ['pipe:///dev/null?name=Radio'],
    ]) {
      await reload(toneA, ...broken);
      expect(streamOf('p')).toBe('A');
      await reload(toneA, good);
      expect(streamOf('p')).toBe('Radio');
    }
    await client.untilCount(messageType.codecHeader, 8);
    expect(codecsOf(client)).toEqual(['pcm', ...Array(3).fill(['flac', 'pcm']).flat(), 'flac']);
  });

  it('go, and their players move to the default of the new configuration', async () => {
    await start(toneA, toneB);
    const client = await playing('p');
    expect(streamOf('p')).toBe('A');
    const report = await reload(`tone:///?name=N&codec=flac`, toneB);
    expect(report.streams).toEqual({
      added: ['N'],
      removed: ['A'],
      replaced: [],
      unchanged: ['B'],
    });
    expect(streamOf('p')).toBe('N');
    await until(() => codecsOf(client).length === 2);
    expect(codecsOf(client)).toEqual(['pcm', 'flac']);
  });

  it('are replaced where they stand: groups stay, with the new header before the audio', async () => {
    await start(toneA, toneB);
    const client = await playing('p');
    const report = await reload('tone:///?name=A&codec=flac', toneB);
    expect(report.streams).toEqual({
      added: [],
      removed: [],
      replaced: ['A'],
      unchanged: ['B'],
    });
    expect(rig.streams).toEqual(['A', 'B']);
    expect(streamOf('p')).toBe('A');
    await until(() => codecsOf(client).length === 2);
    const seen = client.of(messageType.wireChunk).length;
    await client.untilCount(messageType.wireChunk, seen + 3);
    expect(codecsOf(client)).toEqual(['pcm', 'flac']);
  });

  it('follow the defaults that concern them, and no others', async () => {
    await start('tone:///?name=own&codec=pcm', 'tone:///?name=usual');
    const own = channel('own');
    const report = await rig.reload(
      `${sources('tone:///?name=own&codec=pcm', 'tone:///?name=usual')}codec = pcm\n`,
    );
    expect(report.streams).toMatchObject({ replaced: ['usual'], unchanged: ['own'] });
    expect(channel('own')).toBe(own);
    expect(channel('usual')?.stream.codec).toBe('pcm');
  });

  it('hand a port from one to another', async () => {
    const [one, two] = [await freePort(), await freePort()];
    const listening = (name: string, port: number) => `tcp://127.0.0.1:${port}?name=${name}`;
    await start(listening('A', one), listening('B', two));
    await reload(listening('A', two), listening('B', one));
    expect([channel('A')?.stream.fault, channel('B')?.stream.fault]).toEqual([
      undefined,
      undefined,
    ]);
    await reload(listening('N', one), listening('A', two));
    expect(rig.streams).toEqual(['N', 'A']);
    expect(channel('N')?.stream.fault).toBeUndefined();
  });

  it('that were disabled are tried again', async () => {
    const port = await freePort();
    const address = `tcp://127.0.0.1:${port}?name=late`;
    await start(`tcp://127.0.0.1:${port}?name=first`, address);
    expect(channel('late')?.stream.state).toBe('disabled');
    const report = await reload(address);
    expect(report.streams).toMatchObject({ removed: ['first'], replaced: ['late'] });
    expect(channel('late')?.stream.state).toBe('idle');
  });

  it('are left out one by one: bad addresses and names that are taken', async () => {
    await start(toneA);
    await rig.application.streams.addTrusted('tone:///?name=mine&codec=pcm');
    const mine = channel('mine');
    const report = await reload(
      'tone:///?name=mine',
      'nonsense',
      toneB,
      'tone:///?name=B&codec=flac',
    );
    expect(rig.streams).toEqual(['B', 'mine']);
    expect(channel('mine')).toBe(mine);
    expect(channel('B')?.stream.codec).toBe('pcm');
    expect(report.warnings).toHaveLength(3);
    expect(rig.log.with('stream left out')).toHaveLength(3);
  });

  it('leave those alone that others have added, and do not come back for them', async () => {
    await start(toneA);
    await rig.application.request('Stream.AddStream', { streamUri: toneC });
    const added = channel('C');
    await reload(toneB);
    expect(rig.streams).toEqual(['B', 'C']);
    expect(channel('C')).toBe(added);
    // A controller may remove a stream of the configuration; the next reload brings it back.
    await rig.application.request('Stream.RemoveStream', { id: 'B' });
    expect((await reload(toneB)).streams).toMatchObject({ added: ['B'] });
    expect(rig.streams).toEqual(['B', 'C']);
  });

  it('are all opened, whatever the limit of streams', async () => {
    const limit = '[limits]\nmax_streams = 2\n';
    rig = await ReloadRig.start(`${sources(toneA, toneB, toneC)}${limit}`);
    expect(rig.streams).toEqual(['A', 'B', 'C']);
    const report = await rig.reload(`${sources(toneC, toneA, 'tone:///?name=D')}${limit}`);
    expect(rig.streams).toEqual(['C', 'A', 'D']);
    expect(report.warnings).toEqual([]);
    await expect(
      rig.application.request('Stream.AddStream', { streamUri: toneB }),
    ).rejects.toMatchObject({ data: expect.stringContaining('[limits] max_streams') });
  });
});

describe('any sequence of configurations', () => {
  const address = fc
    .record({
      name: fc.constantFrom('A', 'B', 'C', 'D'),
      codec: fc.constantFrom('pcm', 'flac', 'null', 'nonsense', ''),
      freq: fc.constantFrom(440, 880),
    })
    .map(({ name, codec, freq }) => `tone:///?name=${name}&codec=${codec}&freq=${freq}`);
  const text = fc
    .tuple(fc.array(address, { minLength: 1, maxLength: 5 }), fc.constantFrom('opus', 'pcm'))
    .map(([addresses, codec]) => `${sources(...addresses)}codec = ${codec}\n`);

  const stateOf = ({ application }: ReloadRig) =>
    [...application.streams.channels.values()].map(({ id, stream }) => [
      id,
      stream.options.codec,
      stream.options.uri.query,
      stream.state === 'disabled',
    ]);

  it('ends where a start with the last one begins', async () => {
    await start(toneA);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 4 }), async (texts) => {
        for (const one of texts) await rig.reload(one);
        const fresh = await ReloadRig.start(texts.at(-1) ?? '');
        try {
          expect(stateOf(rig)).toEqual(stateOf(fresh));
        } finally {
          await fresh.close();
        }
      }),
      { numRuns: 25 },
    );
  });
});
