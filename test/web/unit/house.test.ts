import { effect } from '@preact/signals';
import { beforeEach, describe, expect, it } from 'vitest';
import { House } from '../../../src/web/control/house.ts';
import type {
  ClientObject,
  ServerObject,
  StreamObject,
} from '../../../src/web/control/status-objects.ts';

function client(id: string, rest: Partial<ClientObject> = {}): ClientObject {
  return {
    id,
    connected: true,
    host: { name: id, ip: '10.0.0.1', os: 'Linux', arch: 'x86_64', mac: '00:00:00:00:00:01' },
    snapclient: { name: 'Snapclient', version: '0.34.0' },
    config: { name: '', latency: 0, instance: 1, volume: { percent: 50, muted: false } },
    lastSeen: { sec: 1, usec: 0 },
    ...rest,
  };
}

const stream = (id: string): StreamObject => ({
  id,
  status: 'playing',
  uri: { raw: '', scheme: 'tone', path: '', query: { name: id } },
});

const statusOf = (...groups: readonly (readonly ClientObject[])[]): ServerObject => ({
  groups: groups.map((clients, index) => ({
    id: `g${index}`,
    name: '',
    muted: false,
    stream_id: 'music',
    clients,
  })),
  streams: [stream('music'), stream('more')],
  server: { host: { name: 'here' }, snapserver: { version: '0.34.0' } },
});

let house: House;
beforeEach(() => {
  house = new House();
  house.takeStatus(statusOf([client('a'), client('b')], [client('c')]));
});

const of = (id: string) => house.clients.get(id)!.value;
const group = (id: string) => house.groups.get(id)!.value;

describe('what the server says', () => {
  it.each([
    [
      'Client.OnVolumeChanged',
      { id: 'a', volume: { percent: 7, muted: true } },
      () => house.volumes.get('a')?.value,
      { id: 'a', percent: 7, muted: true },
    ],
    ['Client.OnLatencyChanged', { id: 'a', latency: -20 }, () => of('a').config.latency, -20],
    ['Client.OnNameChanged', { id: 'a', name: 'New' }, () => of('a').config.name, 'New'],
    [
      'Client.OnDisconnect',
      { id: 'b', client: client('b', { connected: false }) },
      () => of('b').connected,
      false,
    ],
    ['Group.OnMute', { id: 'g0', mute: true }, () => group('g0').muted, true],
    ['Group.OnStreamChanged', { id: 'g0', stream_id: 'more' }, () => group('g0').stream_id, 'more'],
    ['Group.OnNameChanged', { id: 'g1', name: 'Up' }, () => group('g1').name, 'Up'],
    [
      'Stream.OnUpdate',
      { id: 'more', stream: { ...stream('more'), status: 'idle' } },
      () => house.streams.get('more')!.value.status,
      'idle',
    ],
    [
      'Stream.OnProperties',
      { id: 'more', properties: { canPlay: true } },
      () => house.streams.get('more')!.value.properties,
      { canPlay: true },
    ],
  ] as const)('by %s changes what is about it alone', (method, params, look, wanted) => {
    const drawn: string[] = [];
    for (const id of house.clients.ids.value) {
      effect(() => {
        of(id);
        house.volumes.get(id)?.value;
        drawn.push(id);
      });
    }
    drawn.length = 0;
    house.takeNotification({ method, params });
    expect(look()).toEqual(wanted);
    expect(drawn).toEqual(method.startsWith('Client') ? [params.id] : []);
  });

  it('in a whole status draws what differs alone', () => {
    const drawn: string[] = [];
    for (const id of ['a', 'b', 'c']) {
      effect(() => {
        if (house.clients.get(id)?.value && house.volumes.get(id)?.value) drawn.push(id);
      });
    }
    drawn.length = 0;
    const louder = { ...client('b').config, volume: { percent: 99, muted: false } };
    house.takeStatus(statusOf([client('a'), client('b', { config: louder })], [client('c')]));
    expect(drawn).toEqual(['b']);
  });

  it('no more is gone', () => {
    house.takeNotification({
      method: 'Server.OnUpdate',
      params: { server: statusOf([client('c')]) },
    });
    expect(house.clients.ids.value).toEqual(['c']);
    expect(house.groups.ids.value).toEqual(['g0']);
    expect(house.clients.get('a')).toBeUndefined();
  });

  it('of what is not known makes it ask for all', () => {
    expect(house.isOutdated.value).toBe(false);
    house.takeNotification({
      method: 'Client.OnConnect',
      params: { id: 'z', client: client('z') },
    });
    expect(house.isOutdated.value).toBe(true);
    house.takeStatus(statusOf([client('z')]));
    expect(house.isOutdated.value).toBe(false);
  });

  it('of what is not known changes nothing', () => {
    house.takeNotification({ method: 'Client.OnVolumeChanged', params: { id: 'z', volume: {} } });
    house.takeNotification({ method: 'Group.OnMute', params: { id: 'z', mute: true } });
    house.takeNotification({ method: 'Announce.OnUpdate', params: { id: 'z' } });
    expect(house.clients.ids.value).toEqual(['a', 'b', 'c']);
  });
});
