import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClientRecord, ClientState, GroupState } from '../../../src/clients/client-record.ts';
import { Registry } from '../../../src/clients/registry.ts';
import { savedClient, savedGroup } from '../../support/saved-groups.ts';
import { helloOf } from '../../support/scripted-client.ts';

function registryOf(...ids: string[]): Registry {
  const registry = newRegistry();
  for (const id of ids) join(registry, id);
  return registry;
}

function newRegistry(maxClients = 1000): Registry {
  return new Registry({
    bufferMs: 1000,
    settings: () => ({ initialVolume: 100, maxClients }),
    nowMs: () => 0,
  });
}

function join(registry: Registry, id: string): ClientRecord {
  return registry.join(id, { hello: helloOf(id), address: '10.0.0.1' }).client;
}

function client(registry: Registry, id: string): ClientRecord {
  const found = registry.clients.get(id);
  if (!found) throw new Error(`there is no client ${id}`);
  return found;
}

const group = (registry: Registry, id: string) => client(registry, id).group;

/** The members of each group, in the order of the groups. */
const members = (registry: Registry) =>
  [...registry.groups.values()].map(({ clients }) => clients.map(({ id }) => id));

describe('setting the members of a group', () => {
  it('appends those who join in the order of the list, and ends their old groups', () => {
    const registry = registryOf('a', 'b', 'c', 'd');
    registry.setClients(group(registry, 'a'), ['d', 'a', 'b']);
    expect(members(registry)).toEqual([['a', 'd', 'b'], ['c']]);
  });

  it('does not reorder those who stay', () => {
    const registry = registryOf('a', 'b', 'c', 'd');
    const target = group(registry, 'a');
    registry.setClients(target, ['a', 'b', 'c']);
    registry.setClients(target, ['d', 'c', 'a']);
    expect(target.clients.map(({ id }) => id)).toEqual(['a', 'c', 'd']);
    expect(members(registry)).toEqual([['a', 'c', 'd'], ['b']]);
  });

  it('gives who leaves a group of its own: nameless, not muted, with the same stream', () => {
    const registry = registryOf('a', 'b');
    const target = group(registry, 'a');
    Object.assign(target, { name: 'kitchen', isMuted: true, streamId: 'radio' });
    registry.setClients(target, ['a', 'b']);
    registry.setClients(target, ['b']);
    const own = group(registry, 'a');
    expect(own).toMatchObject({ name: '', isMuted: false, streamId: 'radio', unknown: {} });
    expect(own.id).not.toBe(target.id);
    expect(registry.groups.get(own.id)).toBe(own);
    expect(target).toMatchObject({ name: 'kitchen', isMuted: true, streamId: 'radio' });
  });

  it('lets who joins take over the stream and the mute of the group', () => {
    const registry = registryOf('a', 'b');
    Object.assign(group(registry, 'a'), { isMuted: true, streamId: 'radio' });
    registry.setClients(group(registry, 'a'), ['a', 'b']);
    expect(registry.settingsOf(client(registry, 'b')).muted).toBe(true);
    expect(group(registry, 'b').streamId).toBe('radio');
  });

  it('ends a group whose list is empty, and gives each member its own', () => {
    const registry = registryOf('a', 'b', 'c');
    const target = group(registry, 'a');
    registry.setClients(target, ['a', 'b']);
    registry.setClients(target, []);
    expect(registry.groups.has(target.id)).toBe(false);
    expect(members(registry)).toEqual([['c'], ['a'], ['b']]);
  });

  it('keeps a group all of whose members change', () => {
    const registry = registryOf('a', 'b');
    const target = group(registry, 'a');
    registry.setClients(target, ['b']);
    expect(registry.groups.get(target.id)?.clients).toEqual([client(registry, 'b')]);
    expect(members(registry)).toEqual([['b'], ['a']]);
  });

  it('ignores ids that nobody has, and those that are listed twice', () => {
    const registry = registryOf('a', 'b');
    registry.setClients(group(registry, 'a'), ['x', 'b', 'a', 'b', '', 'a', '__proto__']);
    expect(members(registry)).toEqual([['a', 'b']]);
  });

  it('ends a group when nobody in its list is known', () => {
    const registry = registryOf('a', 'b');
    const target = group(registry, 'a');
    registry.setClients(target, ['x']);
    expect(registry.groups.has(target.id)).toBe(false);
    expect(members(registry)).toEqual([['b'], ['a']]);
  });

  it('moves clients that are away, and they come back to where they were moved', () => {
    const registry = registryOf('a', 'b');
    registry.leave(client(registry, 'b'));
    registry.setClients(group(registry, 'a'), ['a', 'b']);
    expect(members(registry)).toEqual([['a', 'b']]);
    join(registry, 'b');
    expect(members(registry)).toEqual([['a', 'b']]);
  });

  it('tells who has changed its group, and where it was, and nobody else', () => {
    const registry = registryOf('a', 'b', 'c');
    const [first, third] = [group(registry, 'a'), group(registry, 'c')];
    registry.setClients(first, ['a', 'b']);
    const moves = registry.setClients(first, ['b', 'c']);
    expect(moves.map(({ client, from }) => [client.id, from])).toEqual([
      ['a', first],
      ['c', third],
    ]);
    expect(registry.setClients(first, ['c', 'b'])).toEqual([]);
  });
});

describe('removing a client', () => {
  it('ends its group when nobody else is in there', () => {
    const registry = registryOf('a', 'b');
    const [a, { id }] = [client(registry, 'a'), group(registry, 'a')];
    registry.remove(a);
    expect(registry.groups.has(id)).toBe(false);
    expect(members(registry)).toEqual([['b']]);
    expect(registry.clients.has('a')).toBe(false);
  });

  it('leaves the others where they are, in their order', () => {
    const registry = registryOf('a', 'b', 'c');
    registry.setClients(group(registry, 'a'), ['a', 'b', 'c']);
    registry.remove(client(registry, 'b'));
    expect(members(registry)).toEqual([['a', 'c']]);
  });

  it('makes it a new client when it comes back', () => {
    const registry = registryOf('a');
    const old = client(registry, 'a');
    Object.assign(old, { name: 'old', volume: 3 });
    registry.remove(old);
    expect(join(registry, 'a')).toMatchObject({ name: '', volume: 100 });
    expect(old.isConnected).toBe(false);
  });

  it('forgets that it was away, too', () => {
    const registry = newRegistry(2);
    for (const id of ['a', 'b']) registry.leave(join(registry, id));
    registry.remove(client(registry, 'a'));
    for (const id of ['c', 'd']) join(registry, id);
    expect(members(registry)).toEqual([['c'], ['d']]);
  });
});

/** Nothing in it is as it is in a new client. */
function saved(id: string, rest: Partial<ClientState> = {}): ClientState {
  const own = { address: '10.0.0.9', lastSeenMs: 5, latencyMs: 7, volume: 42, isMuted: true };
  return savedClient(id, { ...own, name: `name of ${id}`, unknown: { colour: 'red' }, ...rest });
}

function oddGroup(id: string, ...clients: ClientState[]): GroupState {
  return savedGroup(id, clients, { name: `name of ${id}`, isMuted: true, unknown: { x: 1 } });
}

describe('what was saved', () => {
  it('is all there again, and nobody is connected', () => {
    const registry = newRegistry();
    registry.restore([oddGroup('g', saved('a'), saved('b')), oddGroup('h', saved('c'))]);
    expect(members(registry)).toEqual([['a', 'b'], ['c']]);
    const { clients: _, ...state } = oddGroup('g');
    expect(registry.groups.get('g')).toMatchObject(state);
    expect(client(registry, 'b')).toEqual({
      ...saved('b'),
      isConnected: false,
      group: registry.groups.get('g'),
    });
  });

  it('holds for a client that comes back', () => {
    const registry = newRegistry();
    registry.restore([oddGroup('g', saved('a'))]);
    const { client: again, isNew } = registry.join('a', { hello: helloOf('a'), address: 'there' });
    expect(isNew).toBe(false);
    expect(again).toMatchObject({ volume: 42, name: 'name of a', address: 'there' });
    expect(again.group.streamId).toBe('s');
  });

  it('has no groups without clients', () => {
    const registry = newRegistry();
    registry.restore([oddGroup('g'), oddGroup('h', saved('a')), oddGroup('i', saved('a'))]);
    expect([...registry.groups.keys()]).toEqual(['h']);
  });

  it('has each client once, as it comes first, and each id of a group once', () => {
    const registry = newRegistry();
    registry.restore([
      oddGroup('g', saved('a', { volume: 1 }), saved('a', { volume: 2 })),
      oddGroup('g', saved('a', { volume: 3 }), saved('b')),
      oddGroup('', saved('c')),
    ]);
    expect(members(registry)).toEqual([['a'], ['b'], ['c']]);
    expect(client(registry, 'a').volume).toBe(1);
    expect(new Set(registry.groups.keys())).toHaveLength(3);
    expect(group(registry, 'a').id).toBe('g');
    expect(group(registry, 'b').name).toBe('name of g');
    expect(group(registry, 'c').id).not.toBe('');
  });

  it('is cut to the clients that may be known, those seen last', () => {
    const registry = newRegistry(2);
    const times = { a: 30, b: 10, c: 20 };
    const clients = Object.entries(times).map(([id, lastSeenMs]) => saved(id, { lastSeenMs }));
    registry.restore([oddGroup('g', ...clients)]);
    expect(members(registry)).toEqual([['a', 'c']]);
    join(registry, 'd');
    expect(members(registry)).toEqual([['a'], ['d']]);
  });
});

type Step =
  | { readonly does: 'join' | 'leave' | 'remove'; readonly id: string }
  | { readonly does: 'setClients'; readonly id: string; readonly ids: readonly string[] }
  | { readonly does: 'restore'; readonly groups: readonly (readonly string[])[] };

const someId = fc.constantFrom(...'abcdefgh');
const someIds = fc.array(someId, { maxLength: 10 });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ does: fc.constantFrom('join', 'leave', 'remove'), id: someId }),
    fc.record({ does: fc.constant('setClients'), id: someId, ids: someIds }),
    fc.record({ does: fc.constant('restore'), groups: fc.array(someIds, { maxLength: 4 }) }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 40 },
);

function perform(registry: Registry, step: Step): void {
  if (step.does === 'join') {
    join(registry, step.id);
  } else if (step.does === 'restore') {
    const groups = step.groups.map((ids, index) =>
      oddGroup(`g${index}`, ...ids.map((id) => saved(id))),
    );
    registry.restore(groups);
  } else {
    const known = registry.clients.get(step.id);
    if (!known) return;
    if (step.does === 'leave') registry.leave(known);
    if (step.does === 'remove') registry.remove(known);
    if (step.does === 'setClients') registry.setClients(known.group, step.ids);
  }
}

describe('after whatever was done', () => {
  it('every client is in exactly one group, no group is empty, and ids lead to their own', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const registry = newRegistry(5);
        for (const step of sequence) {
          perform(registry, step);
          check(registry);
        }
      }),
    );
  });

  function check(registry: Registry): void {
    const listed = [...registry.groups.values()].flatMap(({ clients }) => clients);
    expect(new Set(listed)).toEqual(new Set(registry.clients.values()));
    expect(listed).toHaveLength(registry.clients.size);
    for (const [id, found] of registry.groups) {
      expect(found.id).toBe(id);
      expect(found.clients).not.toHaveLength(0);
      for (const member of found.clients) expect(member.group).toBe(found);
    }
    for (const [id, found] of registry.clients) expect(found.id).toBe(id);
  }
});

describe('an arrangement of groups', () => {
  const arranged = (registry: Registry, wanted: Readonly<Record<string, readonly string[]>>) =>
    registry.arrange(
      Object.entries(wanted).map(([id, ids]) => ({
        id,
        name: `name of ${id}`,
        clients: ids.map((one) => client(registry, one)),
      })),
    );

  it('makes groups that are not there with their ids and names, and swaps the members of others', () => {
    const registry = registryOf('a', 'b', 'c');
    const [ofA, ofB] = [group(registry, 'a'), group(registry, 'b')];
    Object.assign(ofA, { name: 'kitchen', streamId: 'radio' });
    const { groups, moves } = arranged(registry, { [ofA.id]: ['b'], [ofB.id]: ['a'], new: ['c'] });
    expect(groups).toEqual([ofA, ofB, registry.groups.get('new')]);
    expect(members(registry)).toEqual([['b'], ['a'], ['c']]);
    expect(ofA.name).toBe('kitchen');
    expect(group(registry, 'c')).toMatchObject({ id: 'new', name: 'name of new' });
    expect(moves.map(({ client }) => client.id).sort()).toEqual(['a', 'b', 'c']);
  });

  it('leaves out visitors, and gives others that are not named what they play', () => {
    const registry = registryOf('a', 'b');
    const visitor = registry.join('v', {
      hello: { ...helloOf('v'), isVisitor: true },
      address: '10.0.0.1',
    }).client;
    const target = group(registry, 'a');
    target.streamId = 'radio';
    registry.setClients(target, ['a', 'b', 'v']);
    arranged(registry, { [target.id]: ['a'] });
    expect(target.clients.map(({ id }) => id)).toEqual(['a', 'v']);
    expect(visitor.group).toBe(target);
    expect(group(registry, 'b')).toMatchObject({ streamId: 'radio', name: '' });
  });

  it('is as it was asked for, with each client in one group, whatever was before', () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const places = fc.array(fc.nat({ max: 4 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(places, places, (before, after) => {
        const registry = registryOf(...ids);
        for (const plan of [before, after]) {
          const at = (place: number) => ids.filter((_, index) => plan[index] === place);
          // Those of place 0 are not named.
          const wanted = Object.fromEntries(
            [1, 2, 3, 4].flatMap((place) =>
              at(place).length > 0 ? [[`g${place}`, at(place)]] : [],
            ),
          );
          arranged(registry, wanted);
          for (const [id, named] of Object.entries(wanted)) {
            const { clients = [] } = registry.groups.get(id) ?? {};
            expect(clients.map((one) => one.id).sort()).toEqual(named);
          }
          expect(members(registry).flat().sort()).toEqual(ids);
          expect(members(registry).every(({ length }) => length > 0)).toBe(true);
          for (const one of registry.clients.values()) {
            expect(registry.groups.get(one.group.id)).toBe(one.group);
            expect(one.group.clients).toContain(one);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
