import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning } from '../support/daemon-process.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { accepts, assertBuilt, freePort } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';

const tree = fileURLToPath(new URL('../..', import.meta.url));
const isTried = isRoot || process.env.CI === 'true';
const nobody = 65_534;
const run = promisify(execFile);

let root: string;
const at = (path: string) => join(root, path);
const script = (name: string, ...options: readonly string[]) =>
  run(join(tree, 'scripts', name), ['--root', root, ...options]);
const filesBelow = (path: string) =>
  existsSync(at(path)) ? readdirSync(at(path), { recursive: true }) : [];

describe.runIf(isTried)('the service', () => {
  beforeAll(async () => {
    assertBuilt();
    root = makeScratchFolder();
    await script('install-service');
  });
  afterAll(() => removeScratchFolder(root));

  it('has a user, a configuration that only it may read, a place for its state', () => {
    const passwd = readFileSync(at('etc/passwd'), 'utf8');
    const [, uid, gid] =
      /^zerocast:!:(\d+):(\d+):[^:]*:\/var\/lib\/zerocast:\/usr\/sbin\/nologin$/m.exec(passwd) ??
      [];
    expect(Number(uid)).toBeGreaterThan(0);
    expect(readFileSync(at('etc/group'), 'utf8')).toContain(`zerocast:!:${gid}:`);
    const config = statSync(at('etc/zerocast.conf'));
    expect([config.uid, config.gid, config.mode & 0o777]).toEqual([0, Number(gid), 0o640]);
    expect(readFileSync(at('etc/zerocast.conf'), 'utf8')).toMatch(/^user = zerocast$/m);
    expect(readFileSync(at('etc/zerocast.conf'), 'utf8')).toMatch(/^pidfile = \/run\/zerocast/m);
    // Nobody wants to hear a test tone from a service.
    expect(readFileSync(at('etc/zerocast.conf'), 'utf8')).not.toMatch(/^source/m);
    const state = statSync(at('var/lib/zerocast'));
    expect([state.uid, state.gid]).toEqual([Number(uid), Number(gid)]);
  });

  it('has what runs and nothing else', () => {
    const names = readdirSync(at('usr/lib/zerocast'));
    expect(names.filter((name) => name !== 'build').sort()).toEqual([
      'config',
      'dist',
      'node_modules',
      'package.json',
    ]);
    const packages = readdirSync(at('usr/lib/zerocast/node_modules'));
    for (const needed of ['@evan', 'libflacjs']) expect(packages).toContain(needed);
    for (const other of ['ws', 'vitest', 'typescript', 'node-gyp', '.bin']) {
      expect(packages).not.toContain(other);
    }
  });

  it('has a unit that systemd understands', () => {
    const text = readFileSync(at('etc/systemd/system/zerocast.service'), 'utf8');
    const unit = at('zerocast.service');
    writeFileSync(unit, text.replaceAll('/usr/bin/zerocast', at('usr/bin/zerocast')));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(text).toMatch(/^PrivateTmp=no$/m);
  });

  it('runs out of there, also as a user to whom permissions matter', async () => {
    const port = await freePort();
    const home = at('home');
    mkdirSync(home);
    execFileSync('chown', ['nobody', home]);
    const config = join(home, 'zerocast.conf');
    cpSync(at('etc/zerocast.conf'), config);
    appendFileSync(
      config,
      [
        '[server]',
        'mdns_enabled = false',
        `datadir = ${join(home, 'state')}`,
        `pidfile = ${join(home, 'pid')}`,
        '[logging]',
        `sink = file:${join(home, 'log')}`,
        '[http]',
        'enabled = false',
        '[tcp-control]',
        'enabled = false',
        '[tcp-streaming]',
        'bind_to_address = 127.0.0.1',
        `port = ${port}`,
        '',
      ].join('\n'),
    );
    execFileSync('chown', ['nobody', config]);
    const become = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
    const program = [at('usr/bin/zerocast'), '-c', config, '-d'];
    const source = `--stream.source=pipe://${join(home, 'fifo')}?name=Fifo`;
    await run('setpriv', [...become, ...program, source]);
    const pid = Number(readFileSync(join(home, 'pid'), 'latin1'));
    try {
      expect(await accepts(port)).toBe(true);
      const log = readFileSync(join(home, 'log'), 'utf8');
      expect(log).toMatch(/\(Snapserver\) Version 0\./);
      expect(log).not.toMatch(/addon/);
      expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toContain(at('usr'));
    } finally {
      process.kill(pid, 'SIGTERM');
    }
    await until(() => !isRunning(pid));
  });

  it('can be installed again, which keeps configuration, state and user', async () => {
    writeFileSync(at('etc/zerocast.conf'), '# mine\n');
    writeFileSync(at('var/lib/zerocast/server.json'), '{}');
    writeFileSync(at('usr/lib/zerocast/dist/left-over.js'), '');
    const passwd = readFileSync(at('etc/passwd'), 'utf8');
    await script('install-service');
    expect(readFileSync(at('etc/zerocast.conf'), 'utf8')).toBe('# mine\n');
    expect(readFileSync(at('var/lib/zerocast/server.json'), 'utf8')).toBe('{}');
    expect(readFileSync(at('etc/passwd'), 'utf8')).toBe(passwd);
    expect(existsSync(at('usr/lib/zerocast/dist/left-over.js'))).toBe(false);
    expect(readdirSync(at('usr/lib'))).toEqual(['zerocast']);
  });

  it('may lie elsewhere, where its unit finds it', async () => {
    await script('install-service', '--prefix', '/opt/music');
    const { stdout } = await run(at('opt/music/bin/zerocast'), ['--version']);
    expect(stdout).toMatch(/^zerocast v/);
    const unit = readFileSync(at('etc/systemd/system/zerocast.service'), 'utf8');
    expect(unit).toMatch(/^ExecStart=\/opt\/music\/bin\/zerocast /m);
    await script('remove-service', '--prefix', '/opt/music');
    expect(filesBelow('opt/music/lib')).toEqual([]);
  });

  it('overwrites nothing that a link of its name leads to', async () => {
    const unit = 'etc/systemd/system/zerocast.service';
    for (const name of ['usr/bin/zerocast', unit]) {
      writeFileSync(at('theirs'), 'theirs');
      rmSync(at(name));
      symlinkSync(at('theirs'), at(name));
      await script('install-service');
      expect(readFileSync(at('theirs'), 'utf8')).toBe('theirs');
      expect(readFileSync(at(name), 'utf8')).toContain('/bin/');
    }
    rmSync(at(unit));
    symlinkSync('/dev/null', at(unit));
    await expect(script('install-service')).rejects.toThrow('systemctl unmask zerocast');
    expect(statSync('/dev/null').mode & 0o777).toBe(0o666);
    rmSync(at(unit));
    await script('install-service');
  });

  it('is removed, first without and then with what belongs to the user', async () => {
    writeFileSync(at('usr/bin/other'), '');
    for (let time = 0; time < 2; time += 1) {
      await script('remove-service');
      expect(filesBelow('usr/lib')).toEqual([]);
      expect(filesBelow('usr/bin')).toEqual(['other']);
      expect(filesBelow('etc/systemd/system')).toEqual([]);
      expect(existsSync(at('etc/zerocast.conf'))).toBe(true);
      expect(existsSync(at('var/lib/zerocast/server.json'))).toBe(true);
    }
    for (let time = 0; time < 2; time += 1) {
      await script('remove-service', '--purge');
      expect(existsSync(at('etc/zerocast.conf'))).toBe(false);
      expect(filesBelow('var/lib')).toEqual([]);
      expect(readFileSync(at('etc/passwd'), 'utf8')).toBe('');
    }
  });

  it.each(['install-service', 'remove-service'])('%s explains itself', async (name) => {
    const { stdout } = await run(join(tree, 'scripts', name), ['--help']);
    expect(stdout).toMatch(/--root DIR/);
    await expect(run(join(tree, 'scripts', name), ['--rot'])).rejects.toThrow(
      /unknown option --rot/,
    );
  });
});
