import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import { ownUser, type ServerUser, serverUserOf } from '../../../src/doctor/server-user.ts';
import { sourcesCheck } from '../../../src/doctor/source-check.ts';
import { SystemFiles } from '../../../src/doctor/system-files.ts';
import { AlsaDevices, alsaIsMissing, alsaWays } from '../../support/alsa-devices.ts';
import {
  doctorContext,
  findingsOf,
  type Settings,
  systemWith,
  textsOf,
} from '../../support/doctor-rig.ts';
import { feedUdp } from '../../support/feeder.ts';
import { makeFifoAt } from '../../support/fifo.ts';
import { numberedBytes, wavFile } from '../../support/pcm-fixtures.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { freePort } from '../../support/server-process.ts';
import { until } from '../../support/waiting.ts';

const nobody = 65_534;
let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(() => removeScratchFolder(folder));

function check(addresses: readonly string[], changes: Partial<DoctorContext> = {}) {
  return sourcesCheck(
    doctorContext(
      addresses.map((address) => ['stream.source', address] as const),
      changes,
    ),
  );
}

const problemsOf = async (address: string, changes: Partial<DoctorContext> = {}) => [
  ...(await textsOf(check([address], changes), 'fault')),
  ...(await textsOf(check([address], changes), 'warning')),
];

describe('a network source', () => {
  it('says whether packets come, and what groups need when none do', async () => {
    const port = await freePort();
    const silent = await freePort();
    const sending = check([
      `rtp://127.0.0.1:${port}?name=A`,
      `rtp://239.69.8.1:${silent}?name=B&iface=127.0.0.1`,
      `udp://127.0.0.1:${silent}?name=C`,
      'rtp:///?name=D&sap=listen&session=Main',
    ]);
    const fed = feedUdp(port, Buffer.alloc(192_000));
    const found = await findingsOf(sending);
    await fed;
    const texts = found.map(({ level, text, mend }) => `${level}: ${text} -> ${mend}`);
    const of = (name: string) => texts.filter((text) => text.includes(`"${name}"`)).join('\n');
    expect(of('A')).toContain('packets come from 127.0.0.1');
    expect(of('B')).toMatch(/warning: .*no packet has come .*within 5 s -> .*IGMP querier/);
    expect(of('C')).toMatch(/warning: .*no packet has come .*within 5 s -> .*firewall/);
    expect(of('D')).toMatch(/note: .*the session "Main" is waited for/);
  });

  it('leaves the port of a running server alone', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    const notes = await textsOf(check([`rtp://127.0.0.1:${port}?name=A`]), 'note');
    expect(notes.join()).toContain(`ss -lunp sport = :${port}`);
    socket.close();
  });
});

describe('an address', () => {
  it.each([
    ['nonsense', /it names no scheme/],
    ['pipe:///tmp/x', /lacks a name/],
    ['tone:///?name=A&sampleformat=48000:20:2', /48000:20:2.* 8, 16, 24 or 32 bits/],
    ['tone:///?name=A&sampleformat=768000:16:2&codec=flac', /"A": flac frames cannot spell/],
    ['tone:///?name=A&codec=mp3', /"mp3" is no codec -> use one of flac, opus/],
    ['tone:///?name=A&codec=ogg:0.9', /Invalid codec options: "0.9"/],
    ['process:///nonexistent/player?name=A', /nonexistent\/player does not exist.* -> /],
    ['tone:///?name=A&chunk_ms=20ms', /"A": chunk_ms=20ms is taken as 20/],
    ['radio:///?name=A', /needs the URL of its station/],
    [
      'radio:///?name=A&url=http://127.0.0.1:1/',
      /"A": its station is not heard: 127\.0\.0\.1:1 cannot be reached/,
    ],
    ['tone:///?name=A&freq=1kHz', /"A".*freq=1kHz is taken as 1/],
    ['tone:///?name=A&cdec=pcm', /"A": the parameter "cdec" has no effect: codec may be meant/],
    [
      'tone:///?name=A&chunk_ms=1000&codec=pcm',
      /"A": it takes 1000 ms .* nothing is played -> set \[stream\] buffer to at least 1051, or/,
    ],
    [
      'tone:///?name=A&chunk_ms=960&codec=pcm',
      /"A": it takes 960 ms .* late -> set .* at least 1011/,
    ],
    ['tone:///?name=A&sampleformat=3000:16:1&codec=flac:8', /1386 ms.*nothing.*or choose a codec/],
    [
      'meta:///B?name=A',
      /"A".* no stream "B" in the configuration, so it is waited for -> correct/,
    ],
    ['meta:///B?name=A&missing=fail', /"A".* no stream "B" in the configuration -> correct/],
    ['meta:///A?name=A', /"A": it would contain itself: A → A -> take one/],
    ['meta://B/C?name=A', /"B" stands where.* -> write meta:\/\/\/B\/C\?name=A$/],
    ['meta:///A?name=A&mode=any', /"A": mode=any cannot be used -> write priority or recent/],
    ['tone:///?name=A&controlscript=none.py', /"A": Control script .*none.py' does not exist/],
  ])('that cannot be used is a finding: %s', async (address, text) => {
    expect(await problemsOf(address)).toEqual([expect.stringMatching(text)]);
  });

  it('of a clip is looked up in the library, in which nothing is changed', async () => {
    const clips = join(folder, 'clips');
    mkdirSync(clips);
    writeFileSync(join(clips, 'bell.wav'), wavFile(Buffer.alloc(4800)));
    const settings: Settings = [
      ['stream.source', 'clip:///bell.wav?name=A'],
      ['stream.source', 'clip:///gong.wav?name=B'],
      ['server.datadir', folder],
    ];
    const sources = sourcesCheck(doctorContext(settings));
    expect(await textsOf(sources, 'ok')).toEqual([
      'stream "A": clip:///bell.wav, 48000:16:2, flac',
    ]);
    expect(await textsOf(sources, 'fault')).toEqual([
      `the clip "gong.wav" cannot be played: there is no ${clips}/gong.wav -> add it by zerocast clips add`,
    ]);
    expect(readdirSync(clips)).toEqual(['bell.wav']);
  });

  it('that can be used is told with its format and codec', async () => {
    const address = 'tone:///?name=A&sampleformat=44100:16:2&codec=opus';
    expect(await problemsOf(address)).toEqual([]);
    expect(await textsOf(check([address]), 'ok')).toEqual([
      'stream "A": tone:///, 44100:16:2, opus',
    ]);
    const conversion = /audio is converted from 44100:16:2 to 48000:16:2 for opus/;
    expect(await textsOf(check([address]), 'note')).toEqual([expect.stringMatching(conversion)]);
  });

  it('may not have the name of another', async () => {
    const twins = ['tone:///?name=A', 'tone:///?name=A&codec=pcm'];
    expect(await textsOf(check(twins), 'fault')).toEqual([
      expect.stringMatching(/two sources have the name "A".* -> give each source a name/),
    ]);
  });

  it.each([
    ['A', []],
    ['', []],
    ['B', [expect.stringMatching('names "B", which no client can play, as its codec is null')]],
    ['C', [expect.stringMatching('names "C", which is no source -> correct default_source')]],
  ])('is one that clients can play where default_source names it: %s', async (name, warnings) => {
    const context = doctorContext([
      ['stream.source', 'tone:///?name=A'],
      ['stream.source', 'tone:///?name=B&codec=null'],
      ['stream.default_source', name],
    ]);
    expect(await textsOf(sourcesCheck(context), 'warning')).toEqual(warnings);
  });

  it('may not read the fifo of another', async () => {
    const fifo = join(folder, 'fifo');
    makeFifoAt(fifo);
    symlinkSync(fifo, join(folder, 'link'));
    const twins = [`pipe://${fifo}?name=A`, `pipe://${folder}/link?name=B`];
    expect(await textsOf(check(twins), 'warning')).toEqual([
      expect.stringMatching(/"A" and "B" read one fifo, .* -> give each a fifo of its own/),
    ]);
  });

  it('of a file is compared with its WAV header', async () => {
    const file = join(folder, 'a.wav');
    const header = Buffer.from(
      '524946462408000057415645666d74201000000001000200' +
        '44ac000010b102000400100064617461ffffffff',
      'hex',
    );
    writeFileSync(file, Buffer.concat([header, Buffer.alloc(40_000)]));
    expect(await problemsOf(`file://${file}?name=A`)).toEqual([]);
    expect(await problemsOf(`file://${file}?name=A&sampleformat=48000:16:2`)).toEqual([
      expect.stringMatching(/header says 44100:16:2.* -> leave that parameter away/),
    ]);
  });

  it('of a producer that is unknown is a fault', async () => {
    expect(await problemsOf('tcp://no.such.host.invalid?name=A&mode=client')).toEqual([
      expect.stringMatching(/the host no.such.host.invalid is unknown/),
    ]);
  });

  it('of a control script wants it to be executable', async () => {
    const script = join(folder, 'control.sh');
    writeFileSync(script, '#!/bin/sh\n');
    const address = `tone:///?name=A&controlscript=${script}`;
    expect(await problemsOf(address)).toEqual([
      expect.stringMatching(/control script cannot be started.* -> chmod 755 /),
    ]);
    chmodSync(script, 0o755);
    expect(await problemsOf(address)).toEqual([]);
  });
});

describe('a pipe', () => {
  it('is fine where there is a fifo, or one can be made', async () => {
    const path = join(folder, 'fifo');
    const address = `pipe://${path}?name=A`;
    expect(await problemsOf(address)).toEqual([]);
    makeFifoAt(path);
    expect(await problemsOf(address)).toEqual([]);
  });

  it('that is something else is a fault', async () => {
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'sub'));
    expect(await problemsOf(`pipe://${join(folder, 'file')}?name=A`)).toEqual([
      expect.stringMatching(/file is a regular file, not a fifo -> remove it \(rm /),
    ]);
    expect(await problemsOf(`pipe://${join(folder, 'sub')}?name=A`)).toEqual([
      expect.stringMatching(/sub is a folder, not a fifo/),
    ]);
  });

  it('that is missing is a fault without its folder, and a warning where others make it', async () => {
    expect(await problemsOf(`pipe://${folder}/no/fifo?name=A`)).toEqual([
      expect.stringMatching(/the folder .*\/no of the pipe does not exist -> mkdir -p /),
    ]);
    expect(await problemsOf(`pipe://${folder}/fifo?name=A&mode=read`)).toEqual([
      expect.stringMatching(/does not exist, and mode=read waits.* -> mkfifo /),
    ]);
  });

  it('tells who else reads from it, and who writes', async () => {
    const path = join(folder, 'fifo');
    makeFifoAt(path);
    chmodSync(path, 0o666);
    const children: ChildProcess[] = [
      spawn('cat', [path], { stdio: 'ignore' }),
      spawn('sh', ['-c', `exec sleep 60 > ${path}`], { stdio: 'ignore' }),
    ];
    try {
      const { processes } = doctorContext();
      await until(() => processes.usersOfFifo(path).length === 2, 'both have opened the fifo');
      const address = `pipe://${path}?name=A`;
      expect(await problemsOf(address)).toEqual([
        expect.stringMatching(
          new RegExp(`cat \\(process ${children[0]?.pid}\\) reads from .* too, and each`),
        ),
      ]);
      expect(await textsOf(check([address]), 'note')).toEqual([
        expect.stringMatching(/sleep \(process \d+\) has .* open for writing/),
      ]);
    } finally {
      for (const child of children) {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }
    }
  });
});

describe('a fifo in a folder like /tmp', () => {
  const protectedFifos = '/proc/sys/fs/protected_fifos';
  const stranger: ServerUser = { ...ownUser(), uid: 4711, isOwn: false };

  it.each([
    ['1777', '1', 1],
    ['1777', '2', 1],
    ['1777', '0', 0],
    ['1775', '1', 0],
    ['1775', '2', 1],
    ['0777', '2', 0],
  ])(
    'of mode %s is refused to others when fs.protected_fifos is %s: %i',
    async (octal, level, count) => {
      const mode = Number.parseInt(octal, 8);
      const shared = join(folder, 'shared');
      mkdirSync(shared);
      chmodSync(shared, mode);
      const files = systemWith(join(folder, 'root'), { [protectedFifos]: level });
      // Whoever may not write there is another fault.
      const serverUser =
        mode % 8 === 7 ? stranger : { ...stranger, gids: [process.getegid?.() ?? -1] };
      const problems = await problemsOf(`pipe://${shared}/fifo?name=A`, { files, serverUser });
      const text = /even root, are refused.*fs.protected_fifos is \d.* -> use a folder of its own/;
      expect(problems).toEqual(Array(count).fill(expect.stringMatching(text)));
    },
  );

  it('is no problem for the owner of the folder', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    const files = systemWith(join(folder, 'root'), { [protectedFifos]: '2' });
    expect(await problemsOf(`pipe://${shared}/fifo?name=A`, { files })).toEqual([]);
  });

  it.skipIf(!isRoot)('is judged like the kernel of this machine does', async () => {
    const shared = join(folder, 'shared');
    const path = join(shared, 'fifo');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    makeFifoAt(path);
    chmodSync(path, 0o666);
    chownSync(path, nobody, nobody);
    const reader = spawn('cat', [path], { stdio: 'ignore' });
    const writer = spawn('sh', ['-c', `echo > ${path}`], { stdio: 'ignore' });
    const [status] = (await once(writer, 'exit')) as [number];
    reader.kill('SIGKILL');
    if (reader.signalCode === null && reader.exitCode === null) await once(reader, 'exit');
    const warnings = await textsOf(check([`pipe://${path}?name=A`]), 'warning');
    expect(warnings.some((text) => text.includes('protected_fifos'))).toBe(status !== 0);
  });
});

describe.skipIf(!isRoot)('another user', () => {
  const user = () => serverUserOf('nobody', '');

  it('may not read from a fifo that is closed to it', async () => {
    const path = join(folder, 'fifo');
    makeFifoAt(path);
    chmodSync(path, 0o600);
    const address = `pipe://${path}?name=A`;
    expect(await problemsOf(address)).toEqual([]);
    expect(await problemsOf(address, { serverUser: user() })).toEqual([
      expect.stringMatching(/fifo may not be read by nobody -> chmod 666 /),
    ]);
    chmodSync(path, 0o644);
    expect(await problemsOf(address, { serverUser: user() })).toEqual([]);
  });

  it('may not enter a folder that is closed to it', async () => {
    const path = join(folder, 'fifo');
    makeFifoAt(path);
    chmodSync(folder, 0o700);
    expect(await problemsOf(`pipe://${path}?name=A`, { serverUser: user() })).toEqual([
      expect.stringMatching(/nobody may not enter the folder .* -> /),
    ]);
  });

  it('may not make a fifo, read a file or start a program that is closed to it', async () => {
    chmodSync(folder, 0o755);
    const file = join(folder, 'file');
    writeFileSync(file, Buffer.alloc(40_000));
    chmodSync(file, 0o600);
    const program = join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o700);
    const serverUser = user();
    const texts = await Promise.all(
      [`pipe://${folder}/fifo`, `file://${file}`, `process://${program}`].map((address) =>
        problemsOf(`${address}?name=A`, { serverUser }),
      ),
    );
    expect(texts).toEqual([
      [expect.stringMatching(/cannot be made: .* may not be written by nobody/)],
      [expect.stringMatching(/file may not be read by nobody -> /)],
      [expect.stringMatching(/program may not be executed by nobody -> chmod 755/)],
    ]);
  });

  it('is unknown when this machine does not have it', () => {
    expect(() => serverUserOf('no-such-user', '')).toThrow(/there is no user/);
    expect(() => serverUserOf('nobody', 'no-such-group')).toThrow(/there is no group/);
    expect(user()).toMatchObject({ name: 'nobody', uid: nobody, isOwn: false });
  });
});

describe('a player', () => {
  let program: string;
  beforeEach(() => {
    program = join(folder, 'player');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
  });

  it('that is not there is a fault, with where it was looked for', async () => {
    expect(await problemsOf('spotify:///nowhere/spot?name=A')).toEqual([
      expect.stringMatching(
        /librespot not found at \/nowhere\/spot -> install it, or write its path/,
      ),
    ]);
  });

  it('by AirPlay is found where avahi-daemon runs', async () => {
    const address = `airplay://${program}?name=A`;
    const without = systemWith(folder, {});
    expect(await problemsOf(address, { files: without })).toEqual([
      expect.stringMatching(/"A": avahi-daemon does not run.* -> start it/),
    ]);
    const files = systemWith(folder, { '/run/avahi-daemon/socket': '' });
    expect(await problemsOf(address, { files })).toEqual([]);
    const notes = await textsOf(check([`${address}&password=geheim`], { files }), 'note');
    expect(notes).toEqual([expect.stringMatching(/its password is seen by all users/)]);
    expect(notes.join()).not.toContain('geheim');
  });

  it('that Spotify would refuse, or that has a limp, is told as its source tells it', async () => {
    const address = `librespot://${program}?name=A`;
    expect(await problemsOf(`${address}&username=me&password=geheim`)).toEqual([
      expect.stringMatching(/"A": Spotify takes no user name and password any more/),
    ]);
    expect(await problemsOf(`${address}&killall=true&cash=/x`)).toEqual([
      expect.stringMatching(/"cash" has no effect: cache may be meant/),
      expect.stringMatching(/killall=true has no effect/),
    ]);
  });

  it('that was found elsewhere is told', async () => {
    const notes = await textsOf(check([`librespot:///nowhere/sleep?name=A`]), 'note');
    expect(notes).toEqual([
      expect.stringMatching(/\/nowhere\/sleep does not exist, .*\/sleep is used/),
    ]);
  });

  it.skipIf(!isRoot)(
    'must be one that the server may start, with a cache that it may write',
    async () => {
      chmodSync(folder, 0o755);
      chmodSync(program, 0o700);
      const cache = join(folder, 'cache');
      mkdirSync(cache, { mode: 0o755 });
      const address = `librespot://${program}?name=A&cache=${cache}`;
      expect(await problemsOf(address, { serverUser: serverUserOf('nobody', '') })).toEqual([
        expect.stringMatching(/player may not be executed by nobody -> chmod 755/),
        expect.stringMatching(/cache: .*cache may not be written by nobody -> chown nobody/),
      ]);
    },
  );
});

describe('the files of the system', () => {
  it('are read below a root', () => {
    const files = systemWith(folder, { '/proc/sys/x': '12\n', '/proc/word': 'word' });
    symlinkSync('target', join(folder, 'link'));
    expect(files.number('/proc/sys/x')).toBe(12);
    expect(files.number('/proc/word')).toBeUndefined();
    expect(files.text('/nothing')).toBeUndefined();
    expect(files.linkTarget('/link')).toBe('target');
    expect(new SystemFiles().text('/proc/self/comm')).toBeTruthy();
  });
});

describe('PipeWire', () => {
  const address = () => `pipewire://?name=A&runtime_dir=${folder}`;

  it('is looked for where the address says', async () => {
    expect(await problemsOf(address())).toEqual([
      expect.stringMatching(
        new RegExp(`there is no PipeWire at ${folder}/pipewire-0: .* -> start it as `),
      ),
    ]);
    writeFileSync(join(folder, 'other'), '');
    expect(await problemsOf(`${address()}&remote=other`)).toEqual([]);
    expect(await problemsOf(`pipewire://?name=A&remote=${folder}/other`)).toEqual([]);
  });

  it('is looked for where the server will find it', async () => {
    const environment = { XDG_RUNTIME_DIR: folder };
    const [finding] = await problemsOf('pipewire://?name=A', { environment });
    expect(finding).toContain(`no PipeWire at ${folder}/pipewire-0`);
  });

  it.runIf(isRoot)('of another user is a fault, but for root', async () => {
    const socket = join(folder, 'pipewire-0');
    writeFileSync(socket, '');
    chmodSync(socket, 0o755);
    const serverUser: ServerUser = { name: 'anna', uid: 4711, gids: [4711], isOwn: false };
    expect(await problemsOf(address(), { serverUser })).toEqual([
      expect.stringMatching(/that of root: .*written by anna -> .* user = root in \[server\]/),
    ]);
    chownSync(socket, 4711, 4711);
    expect(await problemsOf(address(), { serverUser })).toEqual([]);
    expect(await problemsOf(address())).toEqual([]);
    expect(await textsOf(check([address()]), 'note')).toEqual([
      expect.stringMatching(/is that of user 4711/),
    ]);
  });
});

describe('JACK', () => {
  const address = 'jack:///?name=A&server_name=zerocast-test';
  const serverUser: ServerUser = { name: 'anna', uid: 4711, gids: [4711], isOwn: false };

  it('is looked for by the name of its server', async () => {
    const files = systemWith(folder, { '/dev/shm/jack_other_4711_0': '' });
    for (const user of [serverUser, ownUser()]) {
      expect(await problemsOf(address, { files, serverUser: user })).toEqual([
        expect.stringMatching(/there is no JACK server "zerocast-test": .* -> start it as /),
      ]);
    }
    const environment = { JACK_DEFAULT_SERVER: 'other' };
    expect(await problemsOf('jack:///?name=A', { files, serverUser, environment })).toEqual([]);
  });

  it('of another user is a fault', async () => {
    const files = systemWith(folder, { '/dev/shm/jack_zerocast-test_0_0': '' });
    expect(await problemsOf(address, { files, serverUser })).toEqual([
      expect.stringMatching(/"zerocast-test" is that of root.* -> .* user = root in \[server\]/),
    ]);
  });
});

describe.skipIf(alsaIsMissing)('ALSA', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it.each(alsaWays)('is heard for a moment, by %s', async (_, environment) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const devices = new AlsaDevices(folder);
    devices.hears('mic', numberedBytes(96_000));
    vi.stubEnv('ALSA_CONFIG_PATH', devices.configuration);
    const native = loadNativeAddon();
    expect(await problemsOf('alsa:///?name=A&device=mic', { native })).toEqual([]);
    expect(await problemsOf('alsa:///?name=A&device=absent', { native })).toEqual([
      expect.stringMatching(/"A": .*No such file or directory.* -> "arecord -L"/),
    ]);
  });
});
