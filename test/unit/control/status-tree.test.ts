import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noProperties } from '../../../src/audio/stream-properties.ts';
import { hostFacts } from '../../../src/control/host-facts.ts';
import { JsonText, jsonOf } from '../../../src/control/json-text.ts';
import { feedPipe } from '../../support/feeder.ts';
import { RpcRig } from '../../support/rpc-rig.ts';
import { until } from '../../support/waiting.ts';

let rig: RpcRig;

beforeEach(() => {
  rig = new RpcRig();
});

afterEach(() => rig.close());

const whole = () => JSON.parse(rig.status.server().text);
const channelOf = (id: string) => rig.streams.channels.get(id)!;
const streamOf = (id: string) => JSON.parse(rig.status.stream(channelOf(id)).text);

/** Whether all keys are in alphabetical order, at any depth. */
function isSorted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  const keys = Array.isArray(value) ? [] : Object.keys(value);
  const isInOrder = keys.every((key, index) => index === 0 || String(keys[index - 1]) < key);
  return isInOrder && Object.values(value).every(isSorted);
}

describe('the complete status', () => {
  it('of a server without anything is complete', () => {
    expect(rig.status.server().text).toBe(
      '{"groups":[],"server":{"host":{"arch":"x86_64","ip":"","mac":"","name":"vm",' +
        '"os":"Debian GNU/Linux 12 (bookworm)"},"snapserver":{"controlProtocolVersion":1,' +
        '"name":"Snapserver","protocolVersion":1,"version":"0.34.0"}},"streams":[]}',
    );
  });

  it('is made of the texts of its parts, with sorted keys', async () => {
    await rig.stream('tone:///?name=a&z=1');
    await rig.stream('tone:///?name=b');
    for (const id of ['1', '2', '3']) rig.join(id);
    rig.groups.setClients(rig.join('1').group, ['1', '2']);
    const status = whole();
    expect(isSorted(status)).toBe(true);
    expect(status.groups).toHaveLength(2);
    expect(status.groups[0].clients).toHaveLength(2);
    expect(status.streams).toEqual([streamOf('a'), streamOf('b')]);
    for (const group of rig.registry.groups.values()) {
      const shown = JSON.parse(rig.status.group(group).text);
      expect(status.groups).toContainEqual(shown);
      expect(shown.clients).toEqual(
        group.clients.map((client) => JSON.parse(rig.status.client(client).text)),
      );
    }
  });

  it('survives every name', async () => {
    const evil = '"},"lastSeen":0,"x":\\ \u2028\u{1f3b5}\u0000]}';
    await rig.stream(`tone:///?name=${encodeURIComponent('a"b\\')}&extra=%22`);
    const client = rig.join(evil, { hostName: evil, version: evil, os: '"lastSeen":0' });
    rig.groups.setClientName(client, evil);
    rig.groups.setGroupName(client.group, evil);
    const [group] = whole().groups;
    expect(group.name).toBe(evil);
    expect(group.clients[0]).toMatchObject({
      id: evil,
      config: { name: evil },
      host: { name: evil, os: '"lastSeen":0' },
      snapclient: { version: evil },
    });
    expect(whole().streams[0].id).toBe('a"b\\');
  });
});

describe('a client', () => {
  it('is seen at the moment it was seen, without any change', () => {
    const client = rig.join('a');
    const seen = () => JSON.parse(rig.status.client(client).text).lastSeen;
    expect(seen()).toEqual({ sec: 1_795_172_274, usec: 691_000 });
    rig.nowMs = 1_795_172_280_005;
    rig.registry.seen(client);
    expect(seen()).toEqual({ sec: 1_795_172_280, usec: 5000 });
    expect(whole().groups[0].clients[0].lastSeen).toEqual({ sec: 1_795_172_280, usec: 5000 });
    expect(rig.changes).toEqual([]);
  });

  it('has its texts trimmed', () => {
    const client = rig.join('a', {
      hostName: ' host ',
      os: '\tos\n',
      arch: ' arch',
      mac: ' m ',
      clientName: ' c ',
      version: ' 1 ',
    });
    rig.groups.setClientName(client, '  Kitchen ');
    expect(JSON.parse(rig.status.client(client).text)).toMatchObject({
      config: { name: 'Kitchen' },
      host: { arch: 'arch', mac: 'm', name: 'host', os: 'os' },
      snapclient: { name: 'c', version: '1' },
    });
  });

  it('changes in the status with every change of it', () => {
    const client = rig.join('a');
    const shown = () => whole().groups[0].clients[0];
    shown();
    rig.groups.setVolume(client, { percent: 5, muted: true });
    expect(shown().config.volume).toEqual({ muted: true, percent: 5 });
    rig.groups.setLatency(client, 7);
    expect(shown().config.latency).toBe(7);
    rig.groups.setClientName(client, 'new');
    expect(shown().config.name).toBe('new');
    rig.registry.leave(client);
    rig.status.invalidate({ kind: 'client-disconnected', client });
    expect(shown().connected).toBe(false);
    rig.join('a', { version: '2', instance: 3 });
    rig.status.invalidate({ kind: 'client-connected', client });
    expect(shown()).toMatchObject({
      connected: true,
      config: { instance: 3 },
      snapclient: { version: '2' },
    });
    rig.groups.deleteClient(client);
    expect(whole().groups).toEqual([]);
  });
});

describe('a group', () => {
  it('changes in the status with every change of it', async () => {
    await rig.stream('tone:///?name=one');
    await rig.stream('tone:///?name=two');
    const { group } = rig.join('a');
    rig.join('b');
    const shown = () => JSON.parse(rig.status.group(group).text);
    expect(shown()).toMatchObject({ id: group.id, muted: false, name: '', stream_id: 'one' });
    rig.groups.setMute(group, true);
    rig.groups.setGroupName(group, ' all ');
    rig.groups.setStream(group, 'two');
    expect(shown()).toMatchObject({ muted: true, name: 'all', stream_id: 'two' });
    rig.groups.setClients(group, ['b', 'a']);
    expect(shown().clients.map(({ id }: { id: string }) => id)).toEqual(['a', 'b']);
    expect(whole().groups).toEqual([shown()]);
  });
});

describe('a stream', () => {
  it.each([
    [
      'tone:///?name=F',
      { chunk_ms: '20', codec: 'flac', name: 'F', sampleformat: '48000:16:2' },
      'tone:///?chunk_ms=20&codec=flac&name=F&sampleformat=48000%3A16%3A2',
    ],
    [
      'tone:///a b?name= My room &codec=opus:BITRATE:96000&chunk_ms=40&sampleformat=48000:16:1&frequency=440#top',
      {
        chunk_ms: '40',
        codec: 'opus:BITRATE:96000',
        frequency: '440',
        name: 'My room',
        sampleformat: '48000:16:1',
      },
      'tone:///a%20b?chunk_ms=40&codec=opus%3ABITRATE%3A96000&frequency=440&name=My%20room&sampleformat=48000%3A16%3A1#top',
    ],
    [
      'tone:///?name=secret&username=me&password=pw&codec=',
      {
        chunk_ms: '20',
        codec: 'flac',
        name: 'secret',
        password: 'xxx',
        sampleformat: '48000:16:2',
        username: 'xxx',
      },
      'tone:///?chunk_ms=20&codec=flac&name=secret&password=xxx&sampleformat=48000%3A16%3A2&username=xxx',
    ],
    [
      'tone:///?name=token&api-key=k&Auth=a&controlscriptparams=--queueid=q --token=t --port 1 --password "p w"&codec=pcm#sig=s',
      {
        Auth: 'xxx',
        'api-key': 'xxx',
        chunk_ms: '20',
        codec: 'pcm',
        controlscriptparams: '--queueid=q --token=xxx --port 1 --password xxx',
        name: 'token',
        sampleformat: '48000:16:2',
      },
      'tone:///?Auth=xxx&api-key=xxx&chunk_ms=20&codec=pcm&controlscriptparams=--queueid%3Dq%20--token%3Dxxx%20--port%201%20--password%20xxx&name=token&sampleformat=48000%3A16%3A2#sig%3Dxxx',
    ],
  ])('shows its address with all four parameters: %s', async (address, query, raw) => {
    await rig.stream(address);
    const { uri } = streamOf(query.name);
    expect(uri).toMatchObject({ query, raw, scheme: 'tone', host: '' });
    expect(Object.keys(uri.query)).toEqual(Object.keys(query));
  });

  it('shows host and port, and no user', async () => {
    await rig.stream('tcp://me:pw@127.0.0.1:0?name=F&mode=server');
    const text = rig.status.stream(channelOf('F')).text;
    expect(streamOf('F').uri).toMatchObject({ scheme: 'tcp', host: '127.0.0.1:0', path: '' });
    expect(text).not.toMatch(/me:|pw/);
  });

  it('is disabled when it cannot go on, and hidden when it has no codec', async () => {
    await rig.stream('file:///nowhere?name=broken');
    await rig.stream('tone:///?name=hidden&codec=null');
    expect(whole().streams).toMatchObject([{ id: 'broken', status: 'disabled' }]);
    expect(whole().streams).toHaveLength(1);
  });

  it('has the properties of its player, without the image', async () => {
    writeFileSync(join(rig.folder, 'player'), '');
    await rig.stream('tone:///?name=F&controlscript=player');
    expect(streamOf('F').properties).toEqual(noProperties);
    rig.script.tell({
      ...noProperties,
      canPlay: true,
      position: 2.25,
      metadata: { title: 'T1', artist: ['A'], artUrl: 'http://x', artData: { data: 'iVBO' } },
    });
    const channel = channelOf('F');
    rig.status.invalidate({ kind: 'stream-properties', channel });
    const shown =
      '{"canControl":false,"canGoNext":false,"canGoPrevious":false,"canPause":false,' +
      '"canPlay":true,"canSeek":false,' +
      '"metadata":{"artUrl":"http://x","artist":["A"],"title":"T1"},"position":2.25}';
    expect(rig.status.properties(channel).text).toBe(shown);
    expect(rig.status.stream(channel).text).toContain(`"properties":${shown}`);
  });

  it('changes in the status when it begins to play', async () => {
    await rig.stream('pipe://FOLDER/fifo?name=F&idle_threshold=60000');
    expect(streamOf('F').status).toBe('idle');
    await feedPipe(join(rig.folder, 'fifo'), Buffer.alloc(20_000, 7));
    await until(() => streamOf('F').status === 'playing');
    expect(whole().streams[0].status).toBe('playing');
  });
});

describe('the host', () => {
  it('is told by the names that controllers know', () => {
    const { arch, name, os } = hostFacts();
    expect(name).toBe(hostname());
    expect(arch).not.toMatch(/x64|arm64/);
    expect(os).not.toMatch(/^$|["=]/);
  });
});

describe('JSON text', () => {
  it('is spliced in, with sorted keys and without what is undefined', () => {
    const value = {
      b: [new JsonText('{"z":1,"a":2}'), 'x"', null],
      a: undefined,
      '"': { d: 1, c: true },
    };
    expect(jsonOf(value)).toBe('{"\\"":{"c":true,"d":1},"b":[{"z":1,"a":2},"x\\"",null]}');
    expect(jsonOf([Number.NaN, undefined, -0, 'ä\ud800'])).toBe('[null,null,0,"ä\\ud800"]');
  });
});
