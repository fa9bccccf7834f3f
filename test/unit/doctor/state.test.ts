import { chmodSync, existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Assignment } from '../../../src/config/ini-text.ts';
import { defaultSearchPaths } from '../../../src/config/load-config.ts';
import { accessCheck } from '../../../src/doctor/access-check.ts';
import { clipsCheck } from '../../../src/doctor/clips-check.ts';
import { checkConfiguration } from '../../../src/doctor/configuration-check.ts';
import { dataFolderCheck } from '../../../src/doctor/data-folder-check.ts';
import { serverUserOf } from '../../../src/doctor/server-user.ts';
import { doctorContext, type Settings, textsOf } from '../../support/doctor-rig.ts';
import { mountMemory, unmount } from '../../support/mounts.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(() => removeScratchFolder(folder));

describe('the configuration', () => {
  function check(text: string, environment: Record<string, string> = {}) {
    const configFile = join(folder, 'zerocast.conf');
    writeFileSync(configFile, text);
    const { loaded, findings } = checkConfiguration({ configFile, environment, overrides: [] });
    const lines = findings.map(
      ({ level, text: words, mend = '' }) => `${level}: ${words} -> ${mend}`,
    );
    return { isLoaded: loaded !== undefined, lines };
  }

  it('is told with all its faults, each with its line', () => {
    const { isLoaded, lines } = check('[stream]\nbuffer = soon\ncodec =\n');
    expect(isLoaded).toBe(false);
    expect(lines).toEqual([
      expect.stringMatching(/^fault: .*line 3: \[stream\] codec is "" -> allowed: a codec/),
      expect.stringMatching(/^fault: .*line 2: \[stream\] buffer is "soon" -> allowed: a whole/),
      expect.stringMatching(/^note: what depends on the configuration was not checked/),
    ]);
  });

  it('is told with warnings, and with what overrides it, but not by which value', () => {
    const environment = { ZEROCAST_AUTHORIZATION_TOKEN_SECRET: 'geheim'.repeat(8) };
    const { isLoaded, lines } = check('[stream]\nbufer = 1\n', environment);
    expect(isLoaded).toBe(true);
    expect(lines).toEqual([
      expect.stringMatching(/^ok: the configuration file is .*zerocast.conf/),
      expect.stringMatching(/^warning: .*line 2: "bufer" is ignored.* -> the nearest known one is/),
      expect.stringMatching(/^note: .* environment variable ZEROCAST_AUTHORIZATION_TOKEN_SECRET/),
    ]);
    expect(lines.join()).not.toContain('geheim');
  });

  it('is told with who else overrides it: each once, and only if somebody does', () => {
    const configFile = join(folder, 'zerocast.conf');
    writeFileSync(configFile, '');
    const origin = 'option --stream.source';
    const source = { section: 'stream', key: 'source', value: 'tone:///?name=A', origin };
    const notesFor = (overrides: readonly Assignment[]) =>
      checkConfiguration({
        configFile,
        environment: { ZEROCAST_STREAM_BUFFER: '700' },
        overrides,
      }).findings.filter(({ level }) => level === 'note');
    const overridden = 'settings of the file are overridden by';
    const variable = 'environment variable ZEROCAST_STREAM_BUFFER';
    expect(notesFor([])).toEqual([{ level: 'note', text: `${overridden} ${variable}` }]);
    const twice = [source, { ...source, value: 'tone:///?name=B' }];
    expect(notesFor(twice)).toEqual([
      { level: 'note', text: `${overridden} ${variable}, ${origin}` },
    ]);
  });

  it('is told with warnings that name no remedy, too', () => {
    const unknown = Array.from({ length: 53 }, (_, index) => `unknown${index} = 1`);
    const { lines } = check(['[stream]', ...unknown].join('\n'));
    expect(lines.at(-1)).toBe('warning: and 3 more warnings -> correct or remove this setting');
  });

  it.skipIf(defaultSearchPaths.some((path) => existsSync(path)))('may be missing', () => {
    const { loaded, findings } = checkConfiguration({ environment: {}, overrides: [] });
    expect(loaded?.config.tcpStreaming.port).toBe(1704);
    const paths = defaultSearchPaths.join(', ');
    const text = `there is no configuration file (${paths}): the built-in settings hold`;
    expect(findings).toEqual([{ level: 'note', text }]);
  });

  it('may not be missing where it was asked for', () => {
    const configFile = join(folder, 'none.conf');
    const { findings } = checkConfiguration({ configFile, environment: {}, overrides: [] });
    expect(findings[0]).toMatchObject({
      level: 'fault',
      text: expect.stringContaining(configFile),
    });
  });
});

describe('[authorization]', () => {
  const check = (...settings: [key: string, value: string][]) =>
    accessCheck(
      doctorContext(settings.map(([key, value]) => [`authorization.${key}`, value] as const)),
    );
  const on: [string, string][] = [
    ['enabled', 'true'],
    ['role', 'all:*'],
  ];

  it('that is off is a note where others can connect', async () => {
    expect(await textsOf(check(), 'note')).toEqual([
      expect.stringMatching(/logins are off: everybody on the network.* -> set enabled/),
    ]);
    const local: Settings = ['tcp-control', 'tcp-streaming', 'http'].map((section) => [
      `${section}.bind_to_address`,
      '127.0.0.1',
    ]);
    expect(await textsOf(accessCheck(doctorContext(local)), 'note')).toEqual([]);
  });

  it('is told with every faulty entry, and without passwords', async () => {
    const users: [string, string][] = [
      ['user', 'ann:hunter2hunter2:nobody'],
      ['user', 'bob'],
    ];
    const faults = await textsOf(check(...on, ...users), 'fault');
    expect(faults).toEqual([
      expect.stringMatching(/user "ann": what follows the last colon is no role/),
      expect.stringMatching(/user number 2 -> allowed: <name>/),
    ]);
    expect(faults.join()).not.toContain('hunter2');
  });

  it('wants a good secret', async () => {
    const user: [string, string] = ['user', 'ann:secret:all'];
    const short = check(...on, user, ['token_secret', 'short']);
    expect(await textsOf(short, 'fault')).toEqual([
      expect.stringMatching(/token_secret has 5 characters -> allowed: at least 32/),
    ]);
    const weak = check(...on, user, ['token_secret', 'abc'.repeat(20)]);
    expect(await textsOf(weak, 'warning')).toEqual([
      expect.stringMatching(/token_secret is easy to guess.* -> make one with "openssl rand/),
    ]);
    const good = check(...on, user, ['token_secret', '0123456789abcdef'.repeat(3)]);
    expect(await textsOf(good, 'warning')).toEqual([]);
    expect(await textsOf(good, 'note')).toEqual([
      expect.stringMatching(/in plain text in the configuration: ann -> write what "zerocast hash/),
    ]);
  });

  it('without users lets nobody in', async () => {
    expect(await textsOf(check(...on), 'warning')).toEqual([
      expect.stringMatching(/nobody can log in/),
    ]);
  });

  it('is no secret in a file that everybody may read', async () => {
    const configFile = join(folder, 'zerocast.conf');
    writeFileSync(configFile, '');
    const context = doctorContext([['authorization.user', 'ann:secret:']], { configFile });
    chmodSync(configFile, 0o644);
    expect(await textsOf(accessCheck(context), 'warning')).toEqual([
      expect.stringMatching(/can be read by every user.* -> chmod 640 /),
    ]);
    chmodSync(configFile, 0o640);
    expect(await textsOf(accessCheck(context), 'warning')).toEqual([]);
  });
});

describe('the data folder', () => {
  const check = (path = folder, settings: Settings = [], user?: string, isDaemon = false) =>
    dataFolderCheck(
      doctorContext(
        [['server.datadir', path], ...settings],
        user === undefined ? {} : { serverUser: serverUserOf(user, ''), isDaemon },
      ),
    );
  const whole = { ConfigVersion: 2, Groups: [] };

  it('is fine when it is there, and when it can be made', async () => {
    expect(await textsOf(check(), 'ok')).toEqual([expect.stringMatching(/can be written$/)]);
    const made = check(join(folder, 'a', 'b'));
    expect(await textsOf(made, 'ok')).toEqual([expect.stringMatching(/will be made/)]);
  });

  it('has a copy of what snapserver has saved after the first start', async () => {
    const noted = () =>
      textsOf(dataFolderCheck(doctorContext([], { environment: { HOME: folder } })), 'note');
    expect(await noted()).toEqual([]);
    const old = join(folder, '.config', 'snapserver');
    mkdirSync(old, { recursive: true });
    writeFileSync(join(old, 'server.json'), JSON.stringify(whole));
    expect(await noted()).toEqual([`the first start takes over a copy of ${old}/server.json`]);
    const own = join(folder, '.config', 'zerocast');
    mkdirSync(own);
    writeFileSync(join(own, 'server.json'), JSON.stringify(whole));
    expect(await noted()).toEqual([]);
  });

  it('has no copy of what snapserver has saved where that cannot be read', async () => {
    const check = dataFolderCheck(doctorContext([], { environment: { HOME: folder } }));
    const old = join(folder, '.config', 'snapserver');
    mkdirSync(join(old, 'server.json'), { recursive: true });
    const [finding] = (await check.run()).filter(({ level }) => level === 'warning');
    expect(finding?.text).toMatch(/cannot be taken over: .*server.json is no small file/);
    expect(finding?.mend).toBe(
      `copy server.json from ${old} to ${folder}/.config/zerocast by hand`,
    );
  });

  it('may not be a file', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    expect(await textsOf(check(path), 'fault')).toEqual([expect.stringMatching(/is no folder/)]);
  });

  it.skipIf(!isRoot)('is made for the user of a daemon, where that can get there', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o700);
    const made = (path: string) => check(path, [], 'nobody', true);
    expect(await textsOf(made(join(folder, 'a', 'b')), 'fault')).toEqual([]);
    expect(await textsOf(made(join(folder, 'a', 'b')), 'ok')).toEqual([
      expect.stringMatching(/will be made at the first start/),
    ]);
    expect(await textsOf(made(join(closed, 'a')), 'fault')).toHaveLength(1);
    // Without -d nobody makes it for that user.
    expect(await textsOf(check(join(folder, 'a'), [], 'nobody'), 'fault')).toHaveLength(1);
  });

  it.skipIf(!isRoot)('must be open to the user of the server', async () => {
    const path = join(folder, 'data');
    mkdirSync(path);
    chmodSync(path, 0o755);
    expect(await textsOf(check(path, [], 'nobody'), 'fault')).toEqual([
      expect.stringMatching(/nothing is saved in .*may not be written by nobody -> install -d -o/),
    ]);
    chmodSync(path, 0o777);
    expect(await textsOf(check(path, [], 'nobody'), 'fault')).toEqual([]);
    writeFileSync(join(path, 'server.json'), JSON.stringify(whole));
    chmodSync(join(path, 'server.json'), 0o600);
    expect(await textsOf(check(path, [], 'nobody'), 'fault')).toEqual([
      expect.stringMatching(/what was saved is not read: .*server.json may not be read by nobody/),
    ]);
  });

  it.each([
    ['{"ConfigVersion": 2, "Gro', /server.json is damaged: it is not JSON, or was cut short/],
    ['{}', /server.json is damaged: it has no ConfigVersion/],
    ['[]', /server.json is damaged: it is not a JSON object.* -> put back a copy/],
  ])('tells that server.json is damaged: %s', async (text, fault) => {
    writeFileSync(join(folder, 'server.json'), text);
    expect(await textsOf(check(), 'fault')).toEqual([expect.stringMatching(fault)]);
  });

  it('counts wrong values, and leaves everything as it is', async () => {
    const groups = [{ id: 'g', clients: [{ id: 'c', config: { latency: 'late' } }] }];
    const texts = ['', JSON.stringify({ ...whole, Groups: groups }), JSON.stringify(whole)];
    const warnings = [];
    for (const text of texts) {
      writeFileSync(join(folder, 'server.json'), text);
      warnings.push(await textsOf(check(), 'warning'));
    }
    expect(warnings).toEqual([[], [expect.stringMatching(/server.json has 1 wrong values/)], []]);
  });

  it('tells that server.json is no small file', async () => {
    const path = join(folder, 'server.json');
    const damaged = `${path} is damaged: it is no small file; the server would set it aside and start`;
    writeFileSync(path, '');
    expect(await textsOf(check(), 'note')).toEqual([`${path} is empty: the server starts anew`]);
    truncateSync(path, 64 * 1024 * 1024 + 1);
    expect(await textsOf(check(), 'fault')).toEqual([expect.stringContaining(damaged)]);
    rmSync(path);
    expect(await textsOf(check(), 'note')).toEqual([`there is no ${path} yet`]);
    mkdirSync(path);
    expect(await textsOf(check(), 'fault')).toEqual([expect.stringContaining(damaged)]);
  });

  it('tells that streams.json is damaged where it is used', async () => {
    writeFileSync(join(folder, 'streams.json'), '{"version": 7}');
    expect(await textsOf(check(), 'fault')).toEqual([]);
    const persisting = check(folder, [['stream.persist_added', 'true']]);
    expect(await textsOf(persisting, 'fault')).toEqual([
      expect.stringMatching(/streams.json is damaged: it is not a list of streams of version 1/),
    ]);
  });
});

describe('the clips', () => {
  const check = (...settings: Settings) =>
    clipsCheck(doctorContext([['server.datadir', folder], ...settings]));
  const clips = () => join(folder, 'clips');

  it('are none at first', async () => {
    expect(await textsOf(check(), 'ok')).toEqual([
      `there are no clips yet: ${clips()} will be made with the first one`,
      expect.stringMatching(/^clips that are neither WAV nor raw are decoded by \/.*ffmpeg$/),
    ]);
    expect(existsSync(clips())).toBe(false);
  });

  it('are counted, without what is hidden', async () => {
    mkdirSync(clips());
    writeFileSync(join(clips(), 'bell.wav'), Buffer.alloc(1024 * 1024));
    writeFileSync(join(clips(), '.bell.wav.clip'), '{}');
    expect(await textsOf(check(), 'ok')).toContain(
      `${clips()} can be written: 1 clips, 1.0 of 512 MiB`,
    );
  });

  it.runIf(isRoot)('cannot be added where the user of the server may not write', async () => {
    mkdirSync(clips());
    const serverUser = serverUserOf('nobody', '');
    const settings: Settings = [['clips.folder', clips()]];
    expect(await textsOf(clipsCheck(doctorContext(settings, { serverUser })), 'warning')).toEqual([
      expect.stringMatching(
        /^no clip can be added to .*clips may not be written by nobody -> install -d -o nobody /,
      ),
    ]);
  });

  it('need a folder that is one', async () => {
    writeFileSync(clips(), '');
    expect(await textsOf(check(), 'fault')).toEqual([
      `${clips()} is no folder, so that there are no clips -> remove it, or set folder in [clips] to another one`,
    ]);
  });

  it('need room on the disk', async ({ skip }) => {
    if (!mountMemory(clips(), 2 * 1024 * 1024)) return skip('nothing can be mounted here');
    try {
      expect(await textsOf(check(), 'warning')).toEqual([
        expect.stringMatching(/clips has 2 MiB left, and a clip may have 32 -> free some space, /),
      ]);
    } finally {
      unmount(clips());
    }
  });
});
