import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DamagedFileError } from '../../../src/base/files/json-file.ts';
import type { ClientState, GroupState } from '../../../src/clients/client-record.ts';
import { Registry } from '../../../src/clients/registry.ts';
import { parseSavedState } from '../../../src/clients/saved-state.ts';
import { savedStateText } from '../../../src/clients/saved-state-text.ts';
import { readScene } from '../../../src/clients/scene.ts';
import { clientIdOf } from '../../../src/protocol/messages.ts';
import { helloOf } from '../../support/scripted-client.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../support/state/${name}.state`, import.meta.url), 'utf8');
const parse = (text: string) => parseSavedState(JSON.parse(text));
const textOf = (groups: Iterable<GroupState>, unknown = {}) =>
  [...savedStateText(groups, unknown)].join('');
const rewritten = (text: string) => {
  const { groups, unknown } = parse(text);
  return textOf(groups, unknown);
};

/** A file with one client, of which `change` has made something else. */
function parseChanged(change: (json: Changeable) => void) {
  const json: Changeable = JSON.parse(fixture('snapserver-0.26'));
  change(json);
  return parseSavedState(json);
}
type Changeable = Record<string, unknown> & {
  Groups: Array<
    Record<string, unknown> & { clients: Array<Record<string, Record<string, unknown>>> }
  >;
};

const client = (id: string, rest: Partial<ClientState> = {}): ClientState => ({
  id,
  hello: helloOf(id),
  address: '10.0.0.1',
  lastSeenMs: 1000,
  name: '',
  latencyMs: 0,
  volume: 100,
  isMuted: false,
  unknown: {},
  ...rest,
});
const group = (id: string, clients: readonly ClientState[], rest: Partial<GroupState> = {}) => ({
  id,
  name: '',
  streamId: 's',
  isMuted: false,
  unknown: {},
  ...rest,
  clients,
});

describe('a file of snapserver 0.26', () => {
  it('is taken over', () => {
    const { groups, unknown, faults } = parse(fixture('snapserver-0.26'));
    expect(faults.listed).toEqual([]);
    expect(unknown).toEqual({});
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({
      id: '0983a0dc-13b0-eeba-73ce-6faff22e2100',
      name: 'Unten',
      streamId: 'F',
      isMuted: false,
    });
    const [first, second] = groups[0]?.clients ?? [];
    expect(first).toEqual({
      id: 'probe2#2',
      hello: {
        mac: '02:fc:00:00:00:01',
        hostName: 'vm',
        version: '0.26.0',
        clientName: 'Snapclient',
        os: 'Debian GNU/Linux 12 (bookworm)',
        arch: 'x86_64',
        instance: 2,
        id: 'probe2',
        protocolVersion: 2,
      },
      address: '127.0.0.1',
      lastSeenMs: 1795260201482.179,
      name: 'Küche é\u007f\u2028 "q"\\',
      latencyMs: 0,
      volume: 33,
      isMuted: true,
      unknown: {},
    });
    expect(second).toMatchObject({ id: 'probe1', latencyMs: -20, volume: 40, isMuted: false });
  });

  it('is written back byte by byte', () => {
    expect(rewritten(fixture('snapserver-0.26'))).toBe(fixture('snapserver-0.26'));
  });

  it('says who was connected, which counts for nothing afterwards', () => {
    const registry = new Registry({
      bufferMs: 1000,
      settings: () => ({ initialVolume: 50, maxClients: 9 }),
      nowMs: () => 5,
    });
    registry.join('a', { hello: helloOf('a'), address: '10.0.0.1' });
    const text = textOf(registry.groups.values());
    expect(text).toContain('"connected":true');
    expect(rewritten(text)).toBe(text.replace('"connected":true', '"connected":false'));
  });
});

describe('what this version does not know', () => {
  it('is written back as it was, at every level', () => {
    expect(rewritten(fixture('unknown-fields'))).toBe(fixture('unknown-fields'));
  });

  it('is kept in the shape of the file', () => {
    const { groups, unknown } = parse(fixture('unknown-fields'));
    expect(unknown).toEqual({ Streams: [{ uri: 'x' }], 'made by': 'another version' });
    expect(groups[0]?.unknown).toEqual({ _colour: [], volume: 12 });
    expect(groups[0]?.clients[0]?.unknown).toEqual({
      agent: 'x"y',
      config: {
        eq: null,
        volume: { curve: 'exp' },
        zone: { colour: 'red', row: [1, 2.5, null] },
      },
      host: { serial: 77 },
      lastSeen: { nsec: 5 },
      snapclient: { build: { commit: 'abc' } },
      zz: true,
    });
    expect(groups[0]?.clients[1]?.unknown).toEqual({});
  });

  it('goes through the registry', () => {
    const registry = new Registry({
      bufferMs: 1000,
      settings: () => ({ initialVolume: 50, maxClients: 9 }),
      nowMs: () => 5,
    });
    const { groups, unknown } = parse(fixture('unknown-fields'));
    registry.restore(groups);
    expect(textOf(registry.groups.values(), unknown)).toBe(fixture('unknown-fields'));
  });

  it('never replaces what is known', () => {
    const odd = client('a', { volume: 5, unknown: { id: 'b', config: { name: 'x', volume: 7 } } });
    const again = parse(textOf([group('g', [odd], { unknown: { clients: [], name: 'y' } })]));
    expect(again.groups).toEqual([group('g', [{ ...odd, unknown: {} }])]);
  });

  it('is left out when it is nested so deeply that it could not be written', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    const { groups, faults } = parseChanged(({ Groups: [first] }) => {
      if (first) first.deep = deep;
    });
    expect(groups[0]?.unknown).toEqual({});
    expect(faults.listed).toEqual(['Groups[0].deep is nested too deeply and is left out']);
  });

  it('is no way to the prototype of anything', () => {
    const poison =
      '{"__proto__":{"isMuted":true,"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    const text = fixture('missing-fields')
      .replace('{"id":"b"', `{"id":"b","__proto__":{"polluted":1},"odd":${poison}`)
      .replace('"config":{}', `"config":${poison}`);
    const { groups } = parse(text);
    const odd = groups[0]?.clients[1];
    expect(odd).toMatchObject({ id: 'b', isMuted: false });
    expect(Object.keys(odd?.unknown ?? {}).sort()).toEqual(['config', 'odd']);
    expect(odd?.unknown).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
    expect(Object.getPrototypeOf(odd?.unknown)).toBe(Object.prototype);
    expect(() => rewritten(text)).not.toThrow();
  });

  it('may make a client or a group of an odd name', () => {
    const odd = [group('__proto__', [client('__proto__'), client('constructor')])];
    expect(parse(textOf(odd)).groups).toEqual(odd);
  });
});

describe('what is missing', () => {
  const { groups, faults } = parse(fixture('missing-fields'));

  it('gets its default', () => {
    const nobody = { hostName: '', version: '', clientName: '', os: '', arch: '', instance: 1 };
    expect(groups[0]).toMatchObject({ name: '', streamId: '', isMuted: false, unknown: {} });
    expect(groups[0]?.clients[0]).toEqual({
      ...client('00:00:00:00:00:01', { address: '', lastSeenMs: 0 }),
      hello: { ...nobody, mac: '00:00:00:00:00:01', id: '00:00:00:00:00:01', protocolVersion: 1 },
    });
    expect(groups[1]?.clients[0]).toMatchObject({ id: 'c', lastSeenMs: 9000, volume: 100 });
  });

  it('is an id of its own for a group', () => {
    expect(groups[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is a reason to leave somebody out only if nobody knows who it is', () => {
    expect(groups.map(({ clients }) => clients.map(({ id }) => id))).toEqual([
      ['00:00:00:00:00:01', 'b'],
      ['c'],
    ]);
    expect(faults.listed).toEqual(['Groups[0].clients[2] has no id and is left out']);
  });

  it('may be all groups', () => {
    expect(parse('{"ConfigVersion":2}').groups).toEqual([]);
    expect(parse('{"ConfigVersion":"","Groups":null}').groups).toEqual([]);
    expect(rewritten('{"ConfigVersion":2,"Groups":[]}')).toBe('{"ConfigVersion":2,"Groups":[]}');
  });
});

describe('what is wrong', () => {
  it.each([
    ['a number', '5'],
    ['null', 'null'],
    ['a list', '[{"ConfigVersion":2}]'],
    ['an object of another kind', '{"Groups":[]}'],
    ['an object with other groups', '{"ConfigVersion":2,"Groups":{}}'],
  ])('is %s instead of a state', (_, text) => {
    expect(() => parse(text)).toThrow(DamagedFileError);
  });

  it.each([
    ['id', 7, { id: '02:fc:00:00:00:01' }, 'id is not a string'],
    ['connected', 'yes', {}, 'connected is neither true nor false'],
    ['config', [], { name: '', latencyMs: 0, volume: 100 }, 'config is not an object'],
    ['config.name', 5, { name: '' }, 'config.name is not a string'],
    ['config.latency', '5', { latencyMs: 0 }, 'config.latency is not a number'],
    ['config.volume', 50, { volume: 100, isMuted: false }, 'config.volume is not an object'],
    ['config.volume.percent', true, { volume: 100 }, 'config.volume.percent is not a number'],
    ['config.volume.muted', 1, { isMuted: false }, 'config.volume.muted is neither true nor false'],
    ['host', 'vm', { address: '', volume: 33 }, 'host is not an object'],
    ['host.ip', {}, { address: '' }, 'host.ip is not a string'],
    ['lastSeen', 12, { lastSeenMs: 0 }, 'lastSeen is not an object'],
    ['lastSeen.sec', '12', { lastSeenMs: 482.179 }, 'lastSeen.sec is not a number'],
    ['snapclient.version', 0.26, {}, 'snapclient.version is not a string'],
  ])('in %s gets the default and is told of', (path, value, expected, fault) => {
    const { groups, faults } = parseChanged(({ Groups }) => {
      let place = Groups[0]?.clients[0] as Record<string, unknown>;
      const keys = path.split('.');
      for (const key of keys.slice(0, -1)) place = place[key] as Record<string, unknown>;
      place[keys.at(-1) ?? ''] = value;
    });
    expect(groups[0]?.clients[0]).toMatchObject(expected);
    expect(groups[0]?.clients).toHaveLength(2);
    expect(faults.listed).toEqual([`Groups[0].clients[0].${fault}`]);
  });

  it('is counted, but listed only at the beginning', () => {
    const Groups = Array.from({ length: 1000 }, () => 5);
    const { faults } = parseSavedState({ ConfigVersion: 2, Groups });
    expect(faults.count).toBe(1000);
    expect(faults.listed).toHaveLength(5);
    expect(faults.listed[4]).toBe('Groups[4] is not an object');
  });

  it('is put right where the meaning is clear', () => {
    const volumeOf = (percent: number) =>
      parseChanged(({ Groups }) => {
        const config = Groups[0]?.clients[0]?.config;
        if (config) config.volume = { percent };
      }).groups[0]?.clients[0]?.volume;
    expect([-5, 33.7, 250, 65531].map(volumeOf)).toEqual([0, 34, 100, 100]);
  });

  it('is a client that is listed twice: the first is kept', () => {
    const { groups, faults } = parse(
      textOf([
        group('g', [client('a', { volume: 1 }), client('a', { volume: 2 })]),
        group('h', [client('a', { volume: 3 })]),
        group('i', [client('b')]),
      ]),
    );
    expect(groups).toEqual([group('g', [client('a', { volume: 1 })]), group('i', [client('b')])]);
    expect(faults.listed).toEqual([
      'Groups[0].clients[1] is listed already and is left out',
      'Groups[1].clients[0] is listed already and is left out',
    ]);
  });

  it('is an id that two groups have: the second gets another one', () => {
    const twice = [group('g', [client('a')]), group('g', [client('b')], { name: 'second' })];
    const { groups, faults } = parse(textOf(twice));
    expect(groups[0]).toEqual(twice[0]);
    expect(groups[1]).toMatchObject({ name: 'second', id: expect.not.stringMatching(/^g$/) });
    expect(faults.listed).toEqual(['Groups[1] has the id of another group and gets a new one']);
  });

  it('never matters to the rest, whatever stands where', () => {
    const healthy = JSON.parse(fixture('unknown-fields')) as object;
    const places = placesIn(healthy).filter(({ length }) => length > 1);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 3 }), (place, value) => {
        const text = rewritten(JSON.stringify(replaced(healthy, place, value)));
        const { groups, faults } = parse(text);
        expect(faults.count).toBe(0);
        expect(groups.flatMap(({ clients }) => clients).length).toBeGreaterThan(0);
        expect(rewritten(text)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the hello of a client that was away since the start', () => {
  it.each([
    ['a', 1, 'a'],
    ['a#2', 2, 'a'],
    ['a#0', 0, 'a'],
    ['a#2', 1, 'a#2'],
  ])('gives the id %s of instance %i', (id, instance, helloId) => {
    const saved = client(id, { hello: helloOf(helloId, { instance }) });
    const [restored] = parse(textOf([group('g', [saved])])).groups[0]?.clients ?? [];
    expect(restored?.hello.id).toBe(helloId);
    expect(restored && clientIdOf(restored.hello)).toBe(id);
  });

  it('has the id of the client also when that says nothing of the instance', () => {
    const [restored] =
      parse(textOf([group('g', [client('a', { hello: helloOf('a', { instance: 3 }) })])])).groups[0]
        ?.clients ?? [];
    expect(restored?.hello).toMatchObject({ id: 'a', instance: 3 });
  });
});

describe('the text', () => {
  it('is trimmed like that of existing servers, but for the ids', () => {
    const hello = helloOf(' a ', { hostName: '\thost ', os: ' os\n' });
    const text = textOf([
      group(' g ', [client(' a ', { name: ' n\u00a0 ', hello })], { name: ' x', streamId: 's ' }),
    ]);
    expect(parse(text).groups).toMatchObject([
      {
        id: ' g ',
        name: 'x',
        streamId: 's',
        clients: [{ id: ' a ', name: 'n', hello: { id: ' a ', hostName: 'host', os: 'os' } }],
      },
    ]);
  });

  it('is one line, whatever the names are', () => {
    const text = textOf([
      group('g', [client('a', { name: 'a\nb\u0000\ud800c' })], { name: 'x\r\ny' }),
    ]);
    expect(text.split(/[\r\n]/)).toHaveLength(1);
    expect(parse(Buffer.from(text).toString()).groups[0]).toMatchObject({
      name: 'x\r\ny',
      clients: [{ name: 'a\nb\u0000\ud800c' }],
    });
  });

  it('comes in pieces, also when all clients are in one group', () => {
    const clients = Array.from({ length: 3000 }, (_, index) => client(`client ${index}`));
    const pieces = [...savedStateText([group('g', clients)], {})];
    expect(pieces.length).toBeGreaterThan(20);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(40_000);
    expect(parse(pieces.join('')).groups[0]?.clients).toHaveLength(3000);
  });

  it('comes in pieces, also when there is one large scene', () => {
    const clients = Array.from({ length: 3000 }, (_, index) => ({
      id: `client ${index}`.repeat(9),
    }));
    const groups = [
      ...clients.map((client) => ({ id: client.id, clients: [client] })),
      { id: 'all', clients: clients.map(({ id }) => ({ id: `${id}!` })) },
    ];
    const scene = readScene({ name: 'Evening', groups });
    const pieces = [...savedStateText([], {}, [scene])];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(40_000);
    expect(parse(pieces.join('')).scenes).toEqual([scene]);
  });

  it('has everybody exactly once, even if they move while it is made', () => {
    const clients = Array.from({ length: 1000 }, (_, index) => client(`client ${index}`));
    const first = group('first', [...clients]);
    const second = group('second', [client('other')] as ClientState[]);
    const groups = [first, second];
    let text = '';
    for (const piece of savedStateText(groups, {})) {
      text += piece;
      const moved = (first.clients as ClientState[]).splice(0, 50);
      (second.clients as ClientState[]).push(...moved);
      groups.length = 1;
    }
    const read = parse(text);
    expect(read.faults.count).toBe(0);
    expect(read.groups.map(({ clients }) => clients.length)).toEqual([1000, 1]);
  });

  it('says what it was made of', () => {
    fc.assert(
      fc.property(anyGroups, anyUnknown, (groups, unknown) => {
        const text = textOf(groups, unknown);
        const read = parse(text);
        expect(read.groups).toEqual(groups);
        expect(read.unknown).toEqual(unknown);
        expect(read.faults.count).toBe(0);
        expect(textOf(read.groups, read.unknown)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });
});

const anyText = fc.string({ unit: 'grapheme' }).map((text) => text.trim());
const anyUnknown = fc.dictionary(
  fc.string().map((key) => `x${key}`),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  { maxKeys: 3, noNullPrototype: true },
);
const anyClient = (id: string) =>
  fc
    .record({
      instance: fc.nat(9),
      texts: fc.array(anyText, { minLength: 8, maxLength: 8 }),
      lastSeenUs: fc.nat({ max: 4_000_000_000_000_000 }),
      latencyMs: fc.integer({ min: -10_000, max: 10_000 }),
      volume: fc.nat(100),
      isMuted: fc.boolean(),
      unknown: anyUnknown,
    })
    .map(({ instance, texts, lastSeenUs, ...rest }): ClientState => {
      const [mac = '', hostName = '', version = '', clientName = '', os = '', arch = ''] = texts;
      const hello = helloOf(id, { mac, hostName, version, clientName, os, arch, instance });
      const [, , , , , , address = '', name = ''] = texts;
      return {
        ...rest,
        id: clientIdOf(hello),
        hello,
        address,
        name,
        lastSeenMs: lastSeenUs / 1000,
      };
    });
const anyGroups = fc
  .uniqueArray(fc.array(fc.nat(99), { minLength: 1, maxLength: 3 }), { maxLength: 4 })
  .chain((numbers) =>
    fc.tuple(
      ...numbers.map((members, place) =>
        fc.record({
          id: fc.constant(`group ${place}`),
          name: anyText,
          streamId: anyText,
          isMuted: fc.boolean(),
          unknown: anyUnknown,
          clients: fc.tuple(...members.map((_, seat) => anyClient(`client ${place}/${seat}`))),
        }),
      ),
    ),
  );

type Place = ReadonlyArray<string | number>;

/** The way to every value in a JSON tree. */
function placesIn(json: unknown, at: Place = []): Place[] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) => {
    const place = [...at, key];
    return [place, ...placesIn(value, place)];
  });
}

function replaced(json: unknown, [key, ...rest]: Place, value: unknown): unknown {
  if (key === undefined) return value;
  const copy = structuredClone(json) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, value);
  return copy;
}
