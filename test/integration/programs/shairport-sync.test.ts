import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { namespacesAreOff } from '../../support/network-namespace.ts';
import { OutputLog } from '../../support/output-log.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { SourceHarness } from '../../support/source-harness.ts';
import { until } from '../../support/waiting.ts';

// The program that the airplay source runs, itself: nobody plays to it here.

let folder: string;
let house: ChildProcess | undefined;
const harnesses: SourceHarness[] = [];

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(async () => {
  await Promise.all(harnesses.splice(0).map(({ source }) => source.stop()));
  if (house) {
    house.kill('SIGKILL');
    await once(house, 'exit');
    house = undefined;
  }
  vi.unstubAllEnvs();
  removeScratchFolder(folder);
});

const isMissing = (...programs: string[]) =>
  !process.env.CI && programs.some((program) => spawnSync('which', [program]).status !== 0);

async function open(address: string): Promise<SourceHarness> {
  const harness = await SourceHarness.open(address);
  harnesses.push(harness);
  return harness.start();
}

describe.skipIf(isMissing('shairport-sync'))('shairport-sync', () => {
  it('takes its arguments, misses Avahi, and is started again later and later', async () => {
    vi.stubEnv('DBUS_SYSTEM_BUS_ADDRESS', `unix:path=${join(folder, 'no-bus')}`);
    const name = `Tom's "big" room`;
    const harness = await open(`airplay:///?name=A&devicename=${name}&port=5999&password=a b`);
    const ends = () => harness.logged('program ended').map(({ fields }) => fields);
    await until(() => ends().length >= 3, 'it has ended three times');
    expect(ends().map(({ restartMs }) => restartMs)).toEqual(
      [100, 200, 400].slice(0, ends().length),
    );
    expect(ends()[0]).toMatchObject({ code: 1, hint: expect.stringContaining('avahi-daemon') });
    const said = harness.logged('program says').map(({ fields }) => fields.line);
    expect(said.join('\n')).toMatch(/Could not establish mDNS advertisement/);
    expect(said.join('\n')).not.toMatch(/unknown option|usage/i);
  });

  it.skipIf(namespacesAreOff || isMissing('avahi-daemon', 'avahi-browse', 'dbus-daemon'))(
    'is announced where Avahi runs, on the next port where another one runs, and says goodbye',
    async () => {
      house = spawnHouse();
      await new OutputLog('the house with Avahi', house).waitFor(/^open$/m);
      const program = join(folder, 'shairport-sync');
      const enter = `nsenter -t ${house.pid} -m -n`;
      writeFileSync(program, `#!/bin/sh\nexec ${enter} shairport-sync "$@"\n`);
      chmodSync(program, 0o755);
      const first = await open(`airplay://${program}?name=First`);
      await untilAnnounced({ First: '5000' });
      const second = await open(`airplay://${program}?name=Second`);
      await untilAnnounced({ First: '5000', Second: '5001' });
      const [ended] = second.logged('program ended');
      expect(ended?.fields.lastLine).toContain('Is another instance of Shairport Sync running');
      expect(first.logged('program ended')).toEqual([]);
      await second.source.stop();
      await untilAnnounced({ First: '5000' });
    },
  );
});

/** A machine of its own with a system bus and an avahi-daemon. */
function spawnHouse(): ChildProcess {
  const script = `
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus
ip link set lo up
ip link add name zc0 type veth peer name zc1
ip addr add 10.9.9.1/24 dev zc0
ip link set zc0 up
ip link set zc1 up
dbus-daemon --system --nofork --nopidfile &
while [ ! -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
avahi-daemon --no-drop-root --no-chroot --no-rlimits &
while [ ! -S /run/avahi-daemon/socket ]; do sleep 0.05; done
echo open
wait
`;
  const unshare = ['-mn', '--propagation', 'private', '--pid', '--fork', '--kill-child'];
  return spawn('unshare', [...unshare, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Waits until these names, and no others, are announced on these ports. */
async function untilAnnounced(expected: Readonly<Record<string, string>>): Promise<void> {
  let found: Record<string, string> = {};
  for (let looks = 0; looks < 20; looks += 1) {
    found = announced();
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(found).toEqual(expected);
}

function announced(): Record<string, string> {
  const browse = ['avahi-browse', '--resolve', '--parsable', '--terminate', '_raop._tcp'];
  const { stdout } = spawnSync('nsenter', ['-t', `${house?.pid}`, '-m', '-n', ...browse], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  const rows = stdout.split('\n').filter((line) => line.startsWith('=;zc0;IPv4;'));
  const pairs = rows.map((line) => {
    const fields = line.split(';');
    const [, name = ''] = /(?:@|\\064)(.*)$/.exec(fields[3] ?? '') ?? [];
    return [name, fields[8] ?? ''] as const;
  });
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}
