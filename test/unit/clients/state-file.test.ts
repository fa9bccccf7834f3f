import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dataFolder, snapserverFolder, takeOverState } from '../../../src/app/data-folder.ts';
import { Registry } from '../../../src/clients/registry.ts';
import { SceneList } from '../../../src/clients/scene-list.ts';
import { StateFile, type StateFileOptions } from '../../../src/clients/state-file.ts';
import { FakeTime } from '../../support/fake-time.ts';
import { LogLines } from '../../support/log-lines.ts';
import {
  isRoot,
  makeScratchFolder,
  removeScratchFolder,
  withoutPrivileges,
} from '../../support/scratch-folder.ts';
import { helloOf } from '../../support/scripted-client.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../support/state/${name}.state`, import.meta.url), 'utf8');

let folder: string;
let path: string;
beforeEach(() => {
  folder = makeScratchFolder();
  path = join(folder, 'server.json');
});
afterEach(async () => {
  for (const state of opened.splice(0)) await state.close();
  removeScratchFolder(folder);
});

const opened: StateFile[] = [];

async function open(options: Partial<StateFileOptions> = {}) {
  const log = new LogLines();
  const nowMs = () => 1000;
  const registry = new Registry({
    bufferMs: 1000,
    settings: () => ({ initialVolume: 50, maxClients: 99 }),
    nowMs,
  });
  const scenes = new SceneList(() => undefined);
  const state = await StateFile.open({ folder, logger: log, registry, scenes, ...options });
  opened.push(state);
  const join = (id: string) => {
    registry.join(id, { hello: helloOf(id), address: '10.0.0.1' });
    state.schedule();
  };
  return { log, registry, state, join, ids: () => [...registry.clients.keys()] };
}

/** The ids of the clients that a new server finds. */
async function savedIds(): Promise<string[]> {
  const { log, ids } = await open();
  expect(log.lines).toEqual([]);
  return ids();
}

const names = () => readdirSync(folder).sort();

describe('a file', () => {
  it('is read behind the byte order mark of an editor', async () => {
    writeFileSync(path, `\uFEFF${fixture('snapserver-0.26')}`);
    expect(await savedIds()).toEqual(['probe2#2', 'probe1']);
    expect(names()).toEqual(['server.json']);
  });
});

describe('a folder', () => {
  it('is made with its parents, and nothing is in it before something has changed', async () => {
    const inside = join(folder, 'a', 'b');
    const { log, state, join: joined } = await open({ folder: inside });
    expect(statSync(inside).mode & 0o777).toBe(0o775 & ~process.umask());
    await state.close();
    expect(readdirSync(inside)).toEqual([]);
    expect(log.lines).toEqual([]);
    joined('too late');
    await state.close();
    expect(readdirSync(inside)).toEqual([]);
  });

  it('that cannot be made is told of once; the server goes on without saving', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { log, state, join: joined } = await open({ folder: join(folder, 'file', 'state') });
    joined('a');
    await state.close();
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({
      level: 'warn',
      phrase: 'folder cannot be written, nothing is saved',
      fields: { folder: join(folder, 'file', 'state'), reason: expect.stringMatching(/^ENOTDIR/) },
    });
    expect(log.with('datadir')).toHaveLength(1);
  });

  it('that cannot be written is told of once, and what it has is used', async () => {
    writeFileSync(path, fixture('snapserver-0.26'));
    chmodSync(folder, 0o555);
    await withoutPrivileges(async () => {
      const { log, ids, state, join: joined } = await open();
      expect(ids()).toEqual(['probe2#2', 'probe1']);
      joined('a');
      await state.close();
      expect(log.lines).toMatchObject([{ level: 'warn', fields: { folder } }]);
    });
    expect(readFileSync(path, 'utf8')).toBe(fixture('snapserver-0.26'));
  });

  it('is freed from what killed processes have left', async () => {
    for (const name of ['.server.json.1.tmp', '.streams.json.1.tmp', 'notes.txt']) {
      writeFileSync(join(folder, name), '{"ConfigVersion":');
    }
    await open();
    expect(names()).toEqual(['.streams.json.1.tmp', 'notes.txt']);
  });
});

describe('a file', () => {
  it.each(['', ' \n'])('without content is no reason to complain', async (text) => {
    writeFileSync(path, text);
    const { log, ids, state, join: joined } = await open();
    expect(log.lines).toEqual([]);
    expect(ids()).toEqual([]);
    joined('a');
    await state.close();
    expect(await savedIds()).toEqual(['a']);
  });

  it('is taken over, and keeps what this version does not know', async () => {
    writeFileSync(path, fixture('unknown-fields'), { mode: 0o600 });
    const { registry, state, log } = await open();
    const client = registry.clients.get('web#2');
    if (client) client.volume = 38;
    state.schedule();
    await state.close();
    const expected = fixture('unknown-fields').replace('"percent":37', '"percent":38');
    expect(readFileSync(path, 'utf8')).toBe(expected);
    expect(names()).toEqual(['server.json']);
    expect(log.lines).toEqual([]);
  });

  it('is left as it is while nothing changes', async () => {
    writeFileSync(path, fixture('missing-fields'));
    const { state } = await open();
    await state.close();
    expect(readFileSync(path, 'utf8')).toBe(fixture('missing-fields'));
  });

  it('with wrong values is told of in one line', async () => {
    const text = fixture('unknown-fields').replace('"latency":250', '"latency":[]');
    writeFileSync(path, text.replace('"name":"Down"', '"name":1'));
    const { log, registry } = await open();
    expect(registry.clients.size).toBe(3);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { file: path, count: 2 } }]);
    expect(log.with('Groups[0].clients[1].config.latency is not a number')).toHaveLength(1);
  });

  it('may be elsewhere, behind a link', async () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'state'), fixture('snapserver-0.26'));
    symlinkSync(join(other, 'state'), path);
    const { state, join: joined } = await open();
    joined('a');
    await state.close();
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(readdirSync(other)).toEqual(['state']);
    expect(await savedIds()).toEqual(['probe2#2', 'probe1', 'a']);
  });
});

describe('a damaged file', () => {
  it.each([
    ['is not JSON', 'server = 1', 'it is not JSON, or was cut short'],
    ['has NUL bytes only', '\0'.repeat(100), 'it is not JSON, or was cut short'],
    ['is a list', '[]', 'it is not a JSON object'],
    ['has no version', '{"Groups":[]}', 'it has no ConfigVersion'],
    ['has groups of another kind', '{"ConfigVersion":2,"Groups":5}', 'its Groups are not a list'],
    ['is too long', `{"ConfigVersion":2,"x":"${'x'.repeat(99)}"}`, 'it has more than 100 bytes'],
  ])('that %s is set aside, and the server begins anew', async (_, text, reason) => {
    writeFileSync(path, text);
    const { log, ids, state, join: joined } = await open({ maxStateBytes: 100 });
    expect(ids()).toEqual([]);
    const [keptAs = ''] = names();
    expect(keptAs).toMatch(/^server\.json\.damaged-\d{8}T\d{6}Z$/);
    expect(readFileSync(join(folder, keptAs), 'utf8')).toBe(text);
    expect(log.lines).toEqual([
      {
        level: 'error',
        tag: 'StateFile',
        phrase: 'file is damaged and was set aside',
        fields: { file: path, reason, keptAs: join(folder, keptAs) },
      },
    ]);
    joined('a');
    await state.close();
    expect(await savedIds()).toEqual(['a']);
    expect(names()).toEqual(['server.json', keptAs]);
  });

  it('may have been cut anywhere', async () => {
    const text = '{"ConfigVersion":2,"Groups":[{"clients":[{"id":"ü"}]}]}';
    for (let length = 1; length < Buffer.byteLength(text); length += 1) {
      writeFileSync(path, Buffer.from(text).subarray(0, length));
      const { log, ids } = await open();
      expect(log.with('was cut short')).toHaveLength(1);
      expect(ids()).toEqual([]);
    }
    writeFileSync(path, text);
    expect(await savedIds()).toEqual(['ü']);
  });

  it('never replaces one that was set aside before', async () => {
    for (let round = 0; round < 20; round += 1) {
      writeFileSync(path, `damaged ${round}`);
      await open();
    }
    const texts = names().map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(texts.sort()).toEqual(
      Array.from({ length: 20 }, (_, round) => `damaged ${round}`).sort(),
    );
  });

  it.runIf(isRoot)('that cannot be renamed is never overwritten', async () => {
    writeFileSync(path, 'damaged');
    // In a folder with the sticky bit nobody may rename the files of others.
    chmodSync(folder, 0o1777);
    await withoutPrivileges(async () => {
      const { log, state, join: joined } = await open();
      joined('a');
      await state.close();
      expect(log.lines).toHaveLength(1);
      expect(log.lines[0]).toMatchObject({
        level: 'error',
        phrase: 'file is damaged and cannot be set aside, nothing is saved',
        fields: {
          reason: 'it is not JSON, or was cut short',
          fault: expect.stringMatching(/^EPERM/),
          remedy: 'move the file away and restart the server',
        },
      });
    });
    expect(readFileSync(path, 'utf8')).toBe('damaged');
    expect(names()).toEqual(['server.json']);
  });
});

describe('a file that cannot be read', () => {
  async function expectNothingSaved(reason: RegExp): Promise<void> {
    const { log, ids, state, join: joined } = await open();
    expect(ids()).toEqual([]);
    joined('a');
    await state.close();
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({
      level: 'error',
      phrase: 'file cannot be read and is left as it is, nothing is saved',
      fields: { file: path, reason: expect.stringMatching(reason), remedy: expect.any(String) },
    });
    expect(names()).toEqual(['server.json']);
  }

  it('for lack of permission is never overwritten', async () => {
    writeFileSync(path, fixture('snapserver-0.26'), { mode: 0o000 });
    chmodSync(folder, 0o777);
    await withoutPrivileges(() => expectNothingSaved(/^EACCES/));
    chmodSync(path, 0o600);
    expect(readFileSync(path, 'utf8')).toBe(fixture('snapserver-0.26'));
  });

  it('because it is a folder stays one', async () => {
    mkdirSync(path);
    await expectNothingSaved(/not a regular file/);
    rmdirSync(path);
  });

  it('because it is a fifo is not waited for', async () => {
    execFileSync('mkfifo', [path]);
    await expectNothingSaved(/not a regular file/);
  });
});

describe('saving', () => {
  let time: FakeTime;
  beforeEach(() => {
    time = FakeTime.install();
  });
  afterEach(() => time.remove());

  const text = () => (names().includes('server.json') ? readFileSync(path, 'utf8') : '');
  const has = (id: string) => () => text().includes(`"id":"${id}"`);
  /** Takes the folder away, as a disk that is unmounted does. */
  const away = () => `${folder}-away`;
  const unmount = () => renameSync(folder, away());
  const mount = () => renameSync(away(), folder);

  /** Lets time pass until then; how much of it depends on the speed of the disk. */
  async function passUntil(condition: () => boolean): Promise<void> {
    for (let ms = 0; !condition() && ms < 100_000; ms += 10) await time.pass(10);
    expect(condition()).toBe(true);
  }

  it('happens two seconds after the last change', async () => {
    const { join: joined } = await open();
    joined('a');
    await time.pass(1999);
    joined('b');
    await time.pass(1999);
    expect(names()).toEqual([]);
    await time.pass(1);
    await time.until(has('b'), 'it is saved');
  });

  it('happens ten seconds after the first change, however busy it is', async () => {
    const { join: joined } = await open();
    for (let second = 0; second < 10; second += 1) {
      expect(names()).toEqual([]);
      joined(`client ${second}`);
      await time.pass(1000);
    }
    await time.until(has('client 9'), 'it is saved');
  });

  it('makes a file that everybody may read', async () => {
    const { state, join: joined } = await open();
    joined('a');
    await state.close();
    expect(statSync(path).mode & 0o777).toBe(0o644 & ~process.umask());
  });

  it('that fails is told of once, tried again, and told of when it works again', async () => {
    const { log, join: joined } = await open({ quietMs: 10, maxDelayMs: 50 });
    joined('a');
    await passUntil(has('a'));
    unmount();
    joined('b');
    await passUntil(() => log.lines.length === 1);
    await time.pass(300);
    const kept = readFileSync(join(away(), 'server.json'), 'utf8');
    expect([kept.includes('"id":"a"'), kept.includes('"id":"b"')]).toEqual([true, false]);
    expect(log.lines).toMatchObject([
      { level: 'error', phrase: 'file cannot be written, changes are kept in memory' },
    ]);
    expect(log.lines[0]?.fields).toMatchObject({
      file: path,
      reason: expect.stringMatching(/^ENOENT/),
    });
    mount();
    await passUntil(() => log.lines.length === 2);
    expect(has('b')()).toBe(true);
    expect(log.lines[1]).toMatchObject({ level: 'notice', phrase: 'file can be written again' });
    unmount();
    joined('c');
    await passUntil(() => log.lines.length === 3);
    mount();
  });

  it('at the end resolves also when it fails', async () => {
    const { log, state, join: joined } = await open();
    unmount();
    joined('a');
    await state.close();
    mount();
    expect(log.with('cannot be written')).toHaveLength(1);
    expect(time.timers).toBe(0);
  });

  it('goes on when somebody has removed the file', async () => {
    const { state, join: joined } = await open();
    joined('a');
    await time.pass(2000);
    await time.until(has('a'), 'it is saved');
    rmSync(path);
    joined('b');
    await state.close();
    expect(has('a')() && has('b')()).toBe(true);
  });
});

describe('the data folder', () => {
  const home = '/home/me';
  it.each([
    ['is the one that is set', { datadir: '/data', home, isDaemon: true }, '/data'],
    ['is that of the user', { datadir: '', home, isDaemon: false }, '/home/me/.config/zerocast'],
    [
      'is that of the system for a daemon',
      { datadir: '', home, isDaemon: true },
      '/var/lib/zerocast',
    ],
    [
      'is that of the system without a home',
      { datadir: '', home: undefined, isDaemon: false },
      '/var/lib/zerocast',
    ],
    [
      'is that of the system with an empty home',
      { datadir: '', home: '', isDaemon: false },
      '/var/lib/zerocast',
    ],
  ])('%s', (_, options, expected) => {
    expect(dataFolder(options)).toBe(expected);
  });

  it('inherits from that of snapserver, unless one is set', () => {
    const here = { datadir: '', home, isDaemon: false };
    expect(snapserverFolder(here)).toBe('/home/me/.config/snapserver');
    expect(snapserverFolder({ ...here, isDaemon: true })).toBe('/var/lib/snapserver');
    expect(snapserverFolder({ ...here, datadir: '/data' })).toBeUndefined();
  });
});

describe('the state of snapserver', () => {
  const text = fixture('snapserver-0.26');
  const inFolder = (name: string) => join(folder, name);

  beforeEach(() => {
    for (const name of ['old', 'new']) mkdirSync(inFolder(name));
  });

  const takeOver = () => takeOverState(inFolder('old'), inFolder('new'));

  it('is copied once, and stays as it is', async () => {
    writeFileSync(inFolder('old/server.json'), text);
    expect(await takeOver()).toBe(inFolder('old/server.json'));
    expect(readFileSync(inFolder('new/server.json'), 'utf8')).toBe(text);
    writeFileSync(inFolder('new/server.json'), '{}');
    expect(await takeOver()).toBeUndefined();
    expect(readFileSync(inFolder('new/server.json'), 'utf8')).toBe('{}');
    expect(readFileSync(inFolder('old/server.json'), 'utf8')).toBe(text);
  });

  it('need not be there', async () => {
    expect(await takeOver()).toBeUndefined();
    expect(await takeOverState(inFolder('absent'), inFolder('new'))).toBeUndefined();
    expect(readdirSync(inFolder('new'))).toEqual([]);
  });

  it('does not take the place of a link that leads nowhere at present', async () => {
    writeFileSync(inFolder('old/server.json'), text);
    symlinkSync(inFolder('unmounted/server.json'), inFolder('new/server.json'));
    expect(await takeOver()).toBeUndefined();
    expect(lstatSync(inFolder('new/server.json')).isSymbolicLink()).toBe(true);
  });

  it('is never read through a link, by a second name, or from something that is no file', async () => {
    const path = inFolder('old/server.json');
    writeFileSync(inFolder('secret'), text);
    symlinkSync(inFolder('secret'), path);
    await expect(takeOver()).rejects.toThrow(/is a link/);
    rmSync(path);
    linkSync(inFolder('secret'), path);
    await expect(takeOver()).rejects.toThrow(/second name/);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    await expect(takeOver()).rejects.toThrow(/no small file/);
    expect(readdirSync(inFolder('new'))).toEqual([]);
  });

  it('that cannot be reached is told of', async () => {
    writeFileSync(inFolder('old/file'), '');
    await expect(takeOverState(inFolder('old/file'), inFolder('new'))).rejects.toThrow(/ENOTDIR/);
  });
});
