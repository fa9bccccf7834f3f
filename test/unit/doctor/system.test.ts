import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import { addonCheck } from '../../../src/doctor/addon-check.ts';
import { clockCheck } from '../../../src/doctor/clock-check.ts';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import type { Check, Finding } from '../../../src/doctor/finding.ts';
import { flacCheck } from '../../../src/doctor/flac-check.ts';
import { limitsCheck } from '../../../src/doctor/limits-check.ts';
import { memoryCheck } from '../../../src/doctor/memory-check.ts';
import { ProcessTable } from '../../../src/doctor/process-table.ts';
import { ownUser } from '../../../src/doctor/server-user.ts';
import { systemCheck } from '../../../src/doctor/system-check.ts';
import { probed, zeroCopyCheck } from '../../../src/doctor/zero-copy-check.ts';
import {
  doctorContext,
  findingsOf,
  type Settings,
  systemWith,
  textsOf,
} from '../../support/doctor-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(() => removeScratchFolder(folder));

function contextOf(texts: Readonly<Record<string, string>>, settings: Settings = []) {
  const files = systemWith(folder, texts);
  return doctorContext(settings, { files });
}

const limitsText = (files: number | string, locked: number | string = 'unlimited') =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    `Max open files            ${files}                ${files}                files     `,
    `Max locked memory         ${locked}              ${locked}              bytes     `,
  ].join('\n');

describe('the native addon', () => {
  it('is there, or the reason why not', async () => {
    expect(await textsOf(addonCheck(doctorContext()), 'ok')).toEqual([
      'the native addon is loaded and sends the audio',
    ]);
    const environment = { ZEROCAST_NATIVE: 'off' };
    const off = doctorContext([], { environment, native: loadNativeAddon(environment) });
    expect(await textsOf(addonCheck(off), 'note')).toEqual([
      expect.stringMatching(/switched off by ZEROCAST_NATIVE=off -> unset ZEROCAST_NATIVE/),
    ]);
    const unbuilt = doctorContext([], { native: { reason: 'it is not built' } });
    expect(await textsOf(addonCheck(unbuilt), 'warning')).toEqual([
      expect.stringMatching(/JavaScript path is used.* -> install a C\+\+ compiler/),
    ]);
  });
});

describe('the library of FLAC', () => {
  it('is that of the system, or the reason why not with what to do', async () => {
    expect(await textsOf(flacCheck(doctorContext()), 'ok')).toEqual([
      expect.stringMatching(
        /^flac is encoded by libFLAC 1\.\S+ of the system \(libFLAC\.so\.\d+\)$/,
      ),
    ]);
    const bare = doctorContext([], { native: { reason: 'it is not built' } });
    expect(await textsOf(flacCheck(bare), 'note')).toEqual([
      expect.stringMatching(
        /in JavaScript, as .* the addon that loads it is missing -> see "native addon"/,
      ),
    ]);
    const { native } = doctorContext();
    if ('reason' in native) throw new Error(native.reason);
    const findLibflac = () => ({ reason: 'it is not installed' });
    const without = doctorContext([], { native: { addon: { ...native.addon, findLibflac } } });
    expect(await textsOf(flacCheck(without), 'note')).toEqual([
      expect.stringMatching(/it is not installed -> install libflac14, libflac12 or libflac8/),
    ]);
  });
});

describe('zero-copy', () => {
  it('is tried, and told with the code of the completion', async () => {
    const check = zeroCopyCheck(doctorContext(), true);
    expect(await textsOf(check, 'ok')).toEqual([
      expect.stringMatching(
        /completed with code SO_EE_CODE_ZEROCOPY_COPIED, as is right over loop/,
      ),
    ]);
    expect(await textsOf(zeroCopyCheck(doctorContext(), false), 'note')).toEqual([
      expect.stringMatching(/SO_EE_CODE_ZEROCOPY_COPIED.*\(zerocopy is off in \[stream\]\)$/),
    ]);
  });

  it.each([
    ['allow', 92, /"allow" with ENOPROTOOPT: the kernel is too old -> use Linux 4.14/],
    ['allow', 1, /"allow" with EPERM: a filter of system calls forbids it/],
    ['allow', 38, /"allow" with ENOSYS: a filter of system calls forbids it/],
    ['send', 1, /"send" with EPERM: a filter of system calls forbids it/],
    ['send', 38, /"send" with ENOSYS: a filter of system calls forbids it/],
    ['send', 12, /"send" with ENOMEM: there is no memory -> give the machine/],
    ['send', 105, /"send" with ENOBUFS: the kernel has no room.* -> raise "sysctl .*optmem_max/],
    ['complete', 110, /"complete" with ETIMEDOUT: its completion did not come/],
    ['connect', 24, /"connect" with EMFILE: the system refuses/],
  ] as const)('that fails at step %s with error %i is explained', (step, error, text) => {
    const { level, text: words, mend } = probed({ step, error, copied: false });
    expect([level, `${words} -> ${mend}`]).toEqual(['warning', expect.stringMatching(text)]);
  });

  it('needs the addon', async () => {
    const context = doctorContext([], { native: { reason: 'it is not built' } });
    expect(await textsOf(zeroCopyCheck(context, true), 'warning')).toEqual([
      expect.stringMatching(/no native addon -> see "native addon"/),
    ]);
  });
});

describe('the limits', () => {
  const levelsFor = async (check: Check) => ({
    fault: await textsOf(check, 'fault'),
    warning: await textsOf(check, 'warning'),
    note: await textsOf(check, 'note'),
  });
  const none = { fault: [], warning: [], note: [] };
  const own = '/proc/self/limits';

  it.each([
    ['unlimited', none],
    [20_000, none],
    [10_000, { ...none, note: [expect.stringMatching(/all players fit, but not with all contr/)] }],
    [
      1024,
      {
        ...none,
        warning: [
          expect.stringMatching(/room for 448 players, fewer than .*4096 -> raise it to 11320/),
        ],
      },
    ],
    [
      100,
      { ...none, fault: [expect.stringMatching(/room for 0 players only -> raise it to 11320/)] },
    ],
  ])('of %s open files are compared with max_players', async (files, expected) => {
    expect(await levelsFor(limitsCheck(contextOf({ [own]: limitsText(files) })))).toEqual(expected);
  });

  it('need half without the addon', async () => {
    const files = systemWith(folder, { [own]: limitsText(1024) });
    const context = doctorContext([], { files, native: { reason: 'it is not built' } });
    expect(await textsOf(limitsCheck(context), 'warning')).toEqual([
      expect.stringMatching(/room for 896 players/),
    ]);
  });

  it.each([
    ['1704', /^1024 open files \(of the running zerocast \(process 77\)\)/],
    ['1804', /^2048 open files \(of this shell/],
  ])('are those of the server that listens there, port %s', async (port, expected) => {
    const texts = {
      [own]: limitsText(2048),
      '/proc/77/cmdline': 'node\0--enable-source-maps\0/usr/bin/zerocast\0-c\0x.conf\0',
      '/proc/77/comm': 'node\n',
      '/proc/77/status': 'Uid:\t1000\t1000\t1000\t1000\n',
      '/proc/77/limits': limitsText(1024),
      '/proc/net/tcp': [
        '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode',
        '   0: 00000000:06A8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 4711 1',
        '',
      ].join('\n'),
    };
    const context = contextOf(texts, [['tcp-streaming.port', port]]);
    expect(await textsOf(limitsCheck(context), 'warning')).toEqual([
      expect.stringMatching(expected),
    ]);
  });

  it('of memory matter for zero-copy', async () => {
    const texts = {
      [own]: limitsText('unlimited', 65_536),
      '/proc/sys/net/core/optmem_max': '1000\n',
    };
    const files = systemWith(folder, texts);
    const serverUser = { ...ownUser(), uid: 4711 };
    const check = (zerocopy: string, changes: Partial<DoctorContext> = {}) =>
      limitsCheck(
        doctorContext([['stream.zerocopy', zerocopy]], { files, serverUser, ...changes }),
      );
    expect(await textsOf(check('false'), 'warning')).toEqual([]);
    expect(await textsOf(check('true'), 'warning')).toEqual([
      expect.stringMatching(/optmem_max is 1000: few .* -> sysctl net.core.optmem_max=131072/),
      expect.stringMatching(/65536 bytes of locked memory .* about 0 players -> ulimit -l/),
    ]);
    const asRoot = check('true', { serverUser: { ...serverUser, uid: 0 } });
    expect(await textsOf(asRoot, 'warning')).toHaveLength(1);
  });

  it('of the network are told when they are odd', async () => {
    const context = contextOf({
      [own]: limitsText('unlimited'),
      '/proc/sys/net/core/somaxconn': '16',
      '/proc/sys/net/ipv4/tcp_wmem': '4096\t8192\t16384',
    });
    expect(await textsOf(limitsCheck(context), 'warning')).toEqual([
      expect.stringMatching(/somaxconn is 16: .* -> sysctl net.core.somaxconn=1024/),
      expect.stringMatching(/tcp_wmem allows only 16384 bytes/),
    ]);
    expect(await textsOf(limitsCheck(contextOf({})), 'warning')).toHaveLength(2);
  });
});

describe('the memory', () => {
  const big: Settings = [
    ['stream.buffer', '60000'],
    ['stream.source', 'tone:///?name=A&sampleformat=192000:32:8'],
  ];

  it('is enough, or the limit is told', async () => {
    const meminfo = { '/proc/meminfo': 'MemAvailable:   4000000 kB' };
    expect(await textsOf(memoryCheck(contextOf(meminfo)), 'warning')).toEqual([]);
    const limited = { ...meminfo, '/sys/fs/cgroup/memory.max': String(64 * 1024 * 1024) };
    expect(await textsOf(memoryCheck(contextOf(limited)), 'warning')).toEqual([
      expect.stringMatching(/limit of this container or service is 64 MiB -> give it more/),
    ]);
    const small = {
      '/proc/meminfo': 'MemAvailable:   500000 kB',
      '/sys/fs/cgroup/memory.max': 'max',
    };
    expect(await textsOf(memoryCheck(contextOf(small, big)), 'warning')).toEqual([
      expect.stringMatching(/need about 799 MiB, and what the machine has left is 488 MiB/),
    ]);
  });
});

describe('the clock', () => {
  it('is judged by the date of the program, and by who keeps it', async () => {
    const findings = (place: string, texts: Readonly<Record<string, string>>, nowMs?: number) => {
      const files = systemWith(join(folder, place), texts);
      const now = nowMs === undefined ? [] : [() => nowMs];
      return findingsOf(clockCheck(doctorContext([], { files }), ...now));
    };
    const [stopped, kept, alsoKept, unkept] = await Promise.all([
      findings('stopped', {}, 0),
      findings('kept', { '/run/systemd/timesync/synchronized': '' }),
      findings('also kept', {
        '/proc/5/cmdline': '/usr/sbin/chronyd\0',
        '/proc/5/comm': 'chronyd\n',
      }),
      findings('unkept', {}, Date.UTC(2026, 0, 1)),
    ]);
    expect(stopped).toContainEqual({
      level: 'warning',
      text: expect.stringMatching(/thinks that it is 1970-01-01.*before this program was made/),
      mend: expect.stringContaining('systemd-timesyncd; certificates'),
    });
    const keptBy = (name: string) => ({
      level: 'ok',
      text: `the wall clock is kept right by ${name}`,
    });
    expect(kept).toContainEqual(keptBy('systemd-timesyncd'));
    expect(alsoKept).toContainEqual(keptBy('chronyd'));
    expect(unkept).toContainEqual({ level: 'ok', text: 'the monotonic clock is fine enough' });
    expect(unkept).toContainEqual({
      level: 'note',
      text: expect.stringContaining('nothing is seen to keep the wall clock right'),
      mend: expect.stringContaining('apt install systemd-timesyncd'),
    });
  });

  it('tells how late timers are', async () => {
    const context = contextOf({
      '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'powersave\n',
    });
    const lateness = (findings: readonly Finding[]) => {
      const level = findings.find(({ text }) => text.startsWith('timers came'))?.level;
      const texts = findings.map(({ text }) => text).join('\n');
      const [, lateMs] = /^timers came up to (\d+\.\d) ms late within a second$/m.exec(texts) ?? [];
      return { level, lateMs: Number(lateMs) };
    };
    const running = findingsOf(clockCheck(context));
    // The loop stands still when the first timer is due.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    const late = lateness(await running);
    expect(late.level).toBe('warning');
    expect(late.lateMs).toBeGreaterThan(100);
    const findings = await findingsOf(clockCheck(context));
    const usual = lateness(findings);
    // How late they are is up to this machine.
    expect(usual.level).toBe(usual.lateMs < 100 ? 'ok' : 'warning');
    expect(findings).toContainEqual({
      level: 'note',
      text: expect.stringMatching(/saves power \(governor "powersave"\)/),
      mend: 'choose schedutil or performance where that matters',
    });
  });

  it.each([
    [5, []],
    [6, ['other virtual machines took 6 % of the processor']],
  ])('tells of a processor of which others took %i %%', async (percent, texts) => {
    // User, nice, system, idle, iowait, irq, softirq, steal; guests are counted among the users.
    const context = contextOf({ '/proc/stat': 'cpu  100 0 100 800 0 0 0 50 7 7\ncpu0 1\n' });
    const running = findingsOf(clockCheck(context));
    const idle = 800 + 80 - percent;
    systemWith(folder, { '/proc/stat': `cpu  110 0 110 ${idle} 0 0 0 ${50 + percent} 99 99\n` });
    const stolen = (await running).filter(({ text }) => text.startsWith('other virtual'));
    expect(stolen.map(({ text }) => text)).toEqual(texts);
    for (const { level } of stolen) expect(level).toBe('warning');
  });
});

describe('the system', () => {
  it('needs a Node.js that is new enough', async () => {
    const check = (version: string) => systemCheck(contextOf({}), version);
    expect(await textsOf(check('18.20.1'), 'fault')).toEqual([
      'Node.js 18.20.1 is older than 20.19 -> install Node.js 20.19 or newer',
    ]);
    expect(await textsOf(check('20.18.9'), 'fault')).toHaveLength(1);
    expect(await textsOf(check('20.19.0'), 'fault')).toEqual([]);
    expect(await textsOf(check('22.0.0'), 'fault')).toEqual([]);
  });

  it.each([
    [{}, []],
    [{ '/.dockerenv': '' }, ['this runs in a container']],
    [{ '/proc/1/cgroup': '0::/kubepods/pod1' }, ['this runs in a container']],
  ])('may be a container: %j', async (texts, notes) => {
    expect(await textsOf(systemCheck(contextOf(texts)), 'note')).toEqual(notes);
  });
});

describe('a process', () => {
  it.each([
    ['/usr/bin/snapserver\0-d\0', 'snapserver', 'snapserver'],
    ['node\0/usr/bin/zerocast\0--authorization.user=a:b\0', 'zerocast', 'zerocast'],
    [
      '/usr/bin/node\0--max-old-space-size=64\0/opt/zerocast/dist/main.js\0',
      'zerocast',
      'zerocast',
    ],
    ['node\0/usr/bin/zerocast\0probe\0', 'zerocast', undefined],
    ['node\0/srv/other/dist/main.js\0--password\0x\0', 'node main.js', undefined],
    ['/usr/bin/mpd\0', 'mpd', undefined],
  ])('is known by its command %j', (cmdline, name, server) => {
    const files = systemWith(folder, { '/proc/5/cmdline': cmdline, '/proc/5/comm': 'x\n' });
    expect(new ProcessTable(files).all).toEqual([{ pid: 5, parentPid: 0, uid: -1, name, server }]);
  });
});
