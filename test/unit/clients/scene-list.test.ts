import { describe, expect, it } from 'vitest';
import {
  jsonOfScene,
  maxSceneCharacters,
  maxSceneClients,
  readArrangement,
  readScene,
  type Scene,
  sceneName,
} from '../../../src/clients/scene.ts';
import { SceneList } from '../../../src/clients/scene-list.ts';

const group = (id: string, clients: readonly string[], rest: object = {}) => ({
  id,
  name: '',
  clients: clients.map((id) => ({ id, volume: { muted: false, percent: 40 } })),
  stream_id: 'Radio',
  muted: false,
  ...rest,
});
const scene = (name: string, ...groups: readonly object[]): Scene =>
  readScene({ name, groups: groups.length > 0 ? groups : [group('g', ['a'])] });

function codeOf(action: () => unknown): string {
  try {
    action();
    return '';
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
}

describe('the name of a scene', () => {
  it.each([
    [' Evening ', 'Evening'],
    ['Abend\u0308', 'Abend\u0308'.normalize('NFC')],
    ['👨‍👩‍👧 family', '👨‍👩‍👧 family'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
    ['__proto__', '__proto__'],
  ])('%j is kept as %j', (text, name) => {
    expect(sceneName(text)).toBe(name);
  });

  it.each([
    ['', 'it is empty'],
    [' \t ', 'it is empty'],
    ['x'.repeat(101), 'it is longer than 100 characters'],
    ['two\nlines', 'it has characters that cannot be shown'],
    ['\u202eevil', 'it has characters that cannot be shown'],
    ['\ud800', 'it has characters that cannot be shown'],
  ])('%j is refused', (text, why) => {
    expect(codeOf(() => sceneName(text))).toBe(`bad-name: this is no name for a scene: ${why}`);
  });
});

describe('a scene', () => {
  it('is what it is written as', () => {
    const json = {
      name: 'Evening',
      groups: [group('g', ['a', 'b'], { name: 'Downstairs', muted: true }), group('h', ['c'])],
    };
    expect(jsonOfScene(readScene(json))).toEqual(json);
  });

  it('may leave open what is to stay as it is', () => {
    const json = { groups: [{ id: 'g', clients: [{ id: 'a' }, { id: 'b', volume: {} }] }] };
    expect(readArrangement(json)).toEqual({
      groups: [{ id: 'g', name: '', clients: [{ id: 'a' }, { id: 'b' }] }],
    });
  });

  it.each([
    [null, 'scene is not an object'],
    [[], 'scene is not an object'],
    [{}, 'groups is not a list'],
    [{ groups: [] }, 'groups is empty'],
    [{ groups: [7] }, 'groups[0] is not an object'],
    [{ groups: [group('', ['a'])] }, 'groups[0].id is empty'],
    [{ groups: [group('g', [])] }, 'groups[0].clients is empty'],
    [{ groups: [group('g', ['a', 'a'])] }, 'groups[0].clients[1] is named twice'],
    [{ groups: [group('g', ['a']), group('g', ['b'])] }, 'groups[1] is named twice'],
    [{ groups: [group('g', ['a']), group('h', ['a'])] }, 'groups[1].clients[0] is named twice'],
    [{ groups: [group('g', ['a'], { muted: 1 })] }, 'groups[0].muted is neither true nor false'],
    [{ groups: [group('g', ['a'], { stream_id: 7 })] }, 'groups[0].stream_id is not a string'],
    [
      { groups: [group('g', ['x'.repeat(513)])] },
      'groups[0].clients[0].id is longer than 512 characters',
    ],
    [
      { groups: [{ ...group('g', ['a']), clients: [{ id: 'a', volume: { percent: 101 } }] }] },
      'groups[0].clients[0].volume.percent is not a number from 0 to 100',
    ],
    [
      {
        groups: [
          group(
            'g',
            Array.from({ length: maxSceneClients + 1 }, (_, index) => `${index}`),
          ),
        ],
      },
      'groups[0].clients has more than 10000 clients',
    ],
  ])('that is none says where: %#', (json, why) => {
    expect(codeOf(() => readArrangement(json))).toBe(`bad-scene: ${why}`);
  });
});

/** Of few clients with long ids. */
const fat = (name: string) =>
  scene(
    name,
    ...Array.from({ length: maxSceneCharacters / 1000 }, (_, index) =>
      group(`${index}`.padEnd(500, 'g'), [`${index}`.padEnd(500, 'c')]),
    ),
  );

describe('the list of scenes', () => {
  it('keeps them in the order in which they were saved, also under another name', () => {
    let changes = 0;
    const list = new SceneList(() => (changes += 1));
    for (const name of ['Evening', 'Party', 'Night']) list.save(scene(name), { replace: false });
    expect(list.rename('Party', ' Dance ')).toBe('Dance');
    list.save(scene('Evening', group('g', ['z'])), { replace: true });
    expect(list.all.map(({ name }) => name)).toEqual(['Evening', 'Dance', 'Night']);
    expect(list.get('Evening').groups[0]?.clients[0]?.id).toBe('z');
    expect(list.remove('Evening').name).toBe('Evening');
    expect(list.all).toHaveLength(2);
    expect(changes).toBe(6);
  });

  it('refuses what is not there, and what is there already', () => {
    const list = new SceneList(() => undefined);
    list.save(scene('Evening'), { replace: false });
    list.save(scene('Party'), { replace: false });
    const exists = 'exists: there is a scene "Party" already';
    expect(codeOf(() => list.save(scene('Party'), { replace: false }))).toBe(exists);
    expect(codeOf(() => list.rename('Evening', 'Party'))).toBe(exists);
    expect(list.rename('Party', 'Party')).toBe('Party');
    for (const action of [() => list.get('x'), () => list.remove('x'), () => list.rename('x', 'y')])
      expect(codeOf(action)).toBe('unknown-scene: there is no scene "x"');
    expect(list.all.map(({ name }) => name)).toEqual(['Evening', 'Party']);
  });

  it('has limits of number and size, to which what was saved is cut', () => {
    const list = new SceneList(() => undefined);
    for (let index = 0; index < 64; index += 1)
      list.save(scene(`Scene ${index}`), { replace: false });
    expect(codeOf(() => list.save(scene('One more'), { replace: false }))).toMatch(/^too-many: /);
    list.save(scene('Scene 7'), { replace: true });
    const ids = Array.from({ length: maxSceneClients - 63 }, (_, index) => `${index}`);
    list.save(scene('Scene 7', group('g', ids)), { replace: true });
    const tooMany = scene('Scene 8', group('g', ['a', 'b']));
    expect(codeOf(() => list.save(tooMany, { replace: true }))).toMatch(/^too-many: .*10000/);
    const other = new SceneList(() => expect.unreachable());
    other.restore([...list.all, ...list.all, scene('One more')]);
    expect(other.all).toEqual(list.all);
  });

  it('has a limit of all their text, to which what was saved is cut', () => {
    const list = new SceneList(() => undefined);
    list.save(scene('Evening'), { replace: false });
    expect(codeOf(() => list.save(fat('Fat'), { replace: false }))).toMatch(/^too-many: .* in ids/);
    const other = new SceneList(() => expect.unreachable());
    other.restore([scene('Evening'), fat('Fat'), scene('Night')]);
    expect(other.all).toEqual(list.all);
  });
});
