import { describe, expect, it } from 'vitest';
import { maxAbsentStrangers } from '../../../src/clients/absent-clients.ts';
import type { ClientRecord } from '../../../src/clients/client-record.ts';
import { Registry } from '../../../src/clients/registry.ts';
import type { Hello } from '../../../src/protocol/messages.ts';
import { helloOf } from '../../support/scripted-client.ts';

interface Scene {
  readonly registry: Registry;
  /** Time of the registry's clock, Unix milliseconds. */
  nowMs: number;
  join(id: string, hello?: Partial<Hello>): ClientRecord;
}

function scene(options: { maxClients?: number; initialVolume?: number } = {}): Scene {
  const { maxClients = 10, initialVolume = 60 } = options;
  const result: Scene = {
    nowMs: 1000,
    registry: new Registry({
      bufferMs: 900,
      settings: () => ({ initialVolume, maxClients }),
      nowMs: () => result.nowMs,
    }),
    join: (id, hello = {}) =>
      result.registry.join(id, { hello: helloOf(id, hello), address: '10.0.0.1' }).client,
  };
  return result;
}

const members = (registry: Registry) =>
  [...registry.groups.values()].map(({ clients }) => clients.map(({ id }) => id));

const ids = (registry: Registry) => members(registry).flat();

describe('a client that was never seen before', () => {
  it('gets a group of its own, without a stream yet', () => {
    const { registry, join } = scene();
    const [a, b] = [join('a'), join('b')];
    expect(a.group).toMatchObject({ streamId: '', name: '', isMuted: false, clients: [a] });
    expect(b.group.clients).toEqual([b]);
    expect(a.group.id).not.toBe(b.group.id);
    expect([...registry.groups.values()]).toEqual([a.group, b.group]);
    expect([...registry.clients.values()]).toEqual([a, b]);
  });

  it('starts with the initial volume, unmuted, connected and seen just now', () => {
    const { registry, join } = scene({ initialVolume: 35 });
    const client = join('a');
    expect(client).toMatchObject({ isConnected: true, lastSeenMs: 1000, address: '10.0.0.1' });
    expect(registry.settingsOf(client)).toEqual({
      bufferMs: 900,
      latencyMs: 0,
      muted: false,
      volume: 35,
    });
  });
});

describe('a client that comes back', () => {
  it('is the same client in the same group, and keeps its volume and stream', () => {
    const { registry, join } = scene();
    const first = join('a');
    first.group.streamId = 'first';
    registry.report(first, { volume: 12, muted: true });
    registry.leave(first);
    const again = join('a');
    expect(again).toBe(first);
    expect(registry.groups.size).toBe(1);
    expect(again.group.streamId).toBe('first');
    expect(registry.settingsOf(again)).toMatchObject({ volume: 12, muted: true });
  });

  it('is described by what it says last', () => {
    const scenery = scene();
    const client = scenery.join('a', { hostName: 'old', version: '0.26.0' });
    scenery.registry.leave(client);
    scenery.nowMs = 5000;
    scenery.join('a', { hostName: 'new', version: '0.34.0' });
    expect(client.hello).toMatchObject({ hostName: 'new', version: '0.34.0' });
    expect(client).toMatchObject({ isConnected: true, lastSeenMs: 5000 });
  });

  it('is known by its id letter by letter', () => {
    const { registry, join } = scene();
    join('aa:bb');
    join('AA:BB');
    join('__proto__');
    expect(ids(registry)).toHaveLength(3);
  });
});

it('mutes a client when it or its group is muted', () => {
  const { registry, join } = scene();
  const client = join('a');
  client.group.isMuted = true;
  expect(registry.settingsOf(client).muted).toBe(true);
  client.group.isMuted = false;
  expect(registry.settingsOf(client).muted).toBe(false);
  client.isMuted = true;
  expect(registry.settingsOf(client).muted).toBe(true);
});

it('notes when a client was seen last, while it is there and when it goes', () => {
  const scenery = scene();
  const client = scenery.join('a');
  scenery.nowMs = 2000;
  scenery.registry.seen(client);
  expect(client.lastSeenMs).toBe(2000);
  scenery.nowMs = 3000;
  scenery.registry.leave(client);
  expect(client).toMatchObject({ isConnected: false, lastSeenMs: 3000 });
});

describe('the limit of known clients', () => {
  it('forgets the one that is absent for the longest time, with its group', () => {
    const scenery = scene({ maxClients: 3 });
    const [a, b] = [scenery.join('a'), scenery.join('b')];
    scenery.join('c');
    scenery.nowMs = 2000;
    scenery.registry.leave(b);
    scenery.nowMs = 3000;
    scenery.registry.leave(a);
    scenery.join('d');
    expect(ids(scenery.registry)).toEqual(['a', 'c', 'd']);
    expect(scenery.registry.groups.size).toBe(3);
    expect(scenery.registry.clients.has('b')).toBe(false);
  });

  it('forgets nobody who is connected, even if that exceeds it', () => {
    const { registry, join } = scene({ maxClients: 2 });
    for (const id of ['a', 'b', 'c', 'd']) join(id);
    expect(ids(registry)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('forgets nobody when a known client comes back', () => {
    const { registry, join } = scene({ maxClients: 2 });
    registry.leave(join('a'));
    registry.leave(join('b'));
    join('a');
    expect(ids(registry)).toEqual(['a', 'b']);
  });

  it('keeps a group in which somebody else is left', () => {
    const { registry, join } = scene({ maxClients: 2 });
    const [a, b] = [join('a'), join('b')];
    registry.setClients(a.group, ['a', 'b']);
    registry.leave(a);
    join('c');
    expect(b.group.clients).toEqual([b]);
    expect(registry.groups.get(b.group.id)).toBe(b.group);
  });

  it('forgets those first that nobody has arranged anything for', () => {
    const { registry, join } = scene({ maxClients: 7 });
    join('name').name = 'Kitchen';
    join('latency').latencyMs = 10;
    join('group').group.name = 'Garden';
    join('muted').group.isMuted = true;
    join('right');
    registry.setClients(join('left').group, ['left', 'right']);
    const known = [...registry.clients.values()];
    for (const client of known) registry.leave(client);
    for (let index = 0; index < 100; index += 1) {
      const stranger = join(`stranger ${index}`);
      registry.report(stranger, { volume: 1, muted: true });
      registry.leave(stranger);
    }
    expect([...registry.clients.values()].slice(0, -1)).toEqual(known);
    for (const id of ['a', 'b']) join(id);
    expect([...registry.clients.keys()]).toEqual([...known.slice(1).map(({ id }) => id), 'a', 'b']);
  });

  it('holds for ten thousand strangers who come and go', () => {
    const { registry, join } = scene({ maxClients: 100 });
    for (let index = 0; index < 10_000; index += 1) registry.leave(join(`stranger ${index}`));
    expect(ids(registry)).toHaveLength(100);
    expect(registry.groups.size).toBe(100);
    expect([...registry.clients.keys()].at(-1)).toBe('stranger 9999');
  });

  it('counts the time away from the last time that a client went', () => {
    const { registry, join } = scene({ maxClients: 2 });
    registry.leave(join('a'));
    registry.leave(join('b'));
    registry.leave(join('a'));
    const { forgotten } = registry.join('c', { hello: helloOf('c'), address: '' });
    expect(forgotten.map(({ id }) => id)).toEqual(['b']);
  });
});

describe('the limit of absent strangers', () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `stranger ${index}`);
  const surplus = 3;

  it('forgets those who are absent for the longest time, and says whom', () => {
    const { registry, join } = scene({ maxClients: 10_000 });
    const connected = join('connected');
    const named = join('named');
    named.name = 'Kitchen';
    registry.leave(named);
    const strangers = names(maxAbsentStrangers + surplus).map((id) => join(id));
    const [back, , arranged, ...rest] = strangers.map((stranger) => {
      const forgotten = registry.leave(stranger);
      return { stranger, forgotten };
    });
    expect(rest.flatMap(({ forgotten }) => forgotten.map(({ id }) => id))).toEqual(names(surplus));
    expect([back, arranged].flatMap((left) => left?.forgotten)).toEqual([]);
    expect(registry.clients.size).toBe(maxAbsentStrangers + 2);
    expect(registry.groups.size).toBe(maxAbsentStrangers + 2);
    expect(ids(registry).slice(0, 2)).toEqual([connected.id, named.id]);
  });

  it('counts neither those who are back nor those for whom something was arranged since', () => {
    const { registry, join } = scene({ maxClients: 10_000 });
    for (const id of names(maxAbsentStrangers)) registry.leave(join(id));
    join('stranger 0');
    const arranged = registry.clients.get('stranger 1');
    if (arranged) arranged.name = 'Kitchen';
    expect(registry.leave(join('a'))).toEqual([]);
    expect(registry.leave(join('b'))).toEqual([]);
    expect(registry.leave(join('c')).map(({ id }) => id)).toEqual(['stranger 2']);
  });

  it('holds for what was saved', () => {
    const first = scene({ maxClients: 10_000 });
    for (const id of names(maxAbsentStrangers + surplus)) first.join(id);
    const saved = [...first.registry.groups.values()];
    for (const [index, { clients }] of saved.entries()) {
      for (const client of clients) client.lastSeenMs = index;
    }
    const { registry } = scene({ maxClients: 10_000 });
    registry.restore(saved);
    expect(ids(registry)).toEqual(names(maxAbsentStrangers + surplus).slice(surplus));
  });
});

it('tells new clients from those that come back', () => {
  const { registry } = scene();
  const join = () => registry.join('a', { hello: helloOf('a'), address: '10.0.0.1' });
  const first = join();
  expect(first).toMatchObject({ isNew: true, forgotten: [] });
  expect(join()).toEqual({ client: first.client, isNew: false, forgotten: [] });
  registry.leave(first.client);
  expect(join().isNew).toBe(false);
});

it('does not keep what a client has shown to be let in', () => {
  const { join } = scene();
  const auth = { scheme: 'Basic', param: 'c2VjcmV0' };
  expect(JSON.stringify(join('a', { auth }).hello)).not.toMatch(/auth|c2VjcmV0/);
  expect(JSON.stringify(join('a', { auth }).hello)).not.toMatch(/auth|c2VjcmV0/);
});

describe('stamps of a wrong wall clock', () => {
  const todayMs = Date.UTC(2026, 10, 21);
  const dayMs = 86_400_000;
  const state = (id: string, lastSeenMs: number) => ({
    id: `group of ${id}`,
    name: '',
    streamId: '',
    isMuted: false,
    unknown: {},
    clients: [
      {
        id,
        hello: helloOf(id),
        address: '10.0.0.1',
        lastSeenMs,
        name: '',
        latencyMs: 0,
        volume: 50,
        isMuted: false,
        unknown: {},
      },
    ],
  });

  it('count as now when they lie in the future', () => {
    const rig = scene();
    rig.nowMs = todayMs;
    rig.registry.restore([state('future', todayMs + 3652 * dayMs), state('past', 1000)]);
    expect(rig.registry.clients.get('future')?.lastSeenMs).toBe(todayMs);
    expect(rig.registry.clients.get('past')?.lastSeenMs).toBe(1000);
  });

  it('go on behind the latest one while the machine believes that it is 1970', () => {
    const rig = scene({ maxClients: 3 });
    rig.registry.restore([state('old', todayMs - dayMs), state('older', todayMs - 2 * dayMs)]);
    const fresh = rig.join('fresh');
    rig.registry.leave(fresh);
    expect(fresh.lastSeenMs).toBeGreaterThan(todayMs - dayMs);
    // What was saved is all that the next start knows.
    const next = scene({ maxClients: 2 });
    next.registry.restore([
      state('fresh', fresh.lastSeenMs),
      state('old', todayMs - dayMs),
      state('older', todayMs - 2 * dayMs),
    ]);
    expect(ids(next.registry).sort()).toEqual(['fresh', 'old']);
    rig.nowMs = todayMs;
    rig.registry.seen(fresh);
    expect(fresh.lastSeenMs).toBe(todayMs);
  });

  it('do not change who is forgotten first while the server runs', () => {
    const rig = scene({ maxClients: 2 });
    rig.nowMs = todayMs;
    rig.registry.leave(rig.join('first'));
    rig.nowMs = todayMs - 3652 * dayMs;
    rig.registry.leave(rig.join('second'));
    rig.join('third');
    expect(ids(rig.registry)).toEqual(['second', 'third']);
  });
});
