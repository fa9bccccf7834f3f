import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../support/brief-run.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { assertBuilt, freePort, mainFile, ServerProcess } from '../support/server-process.ts';

const timeoutMs = 120_000;
let folder: string;

beforeAll(() => {
  assertBuilt();
  folder = makeScratchFolder();
});

afterAll(() => removeScratchFolder(folder));

/** A configuration in which there is nothing to find fault with. */
async function configFile(name: string, ...lines: string[]): Promise<string> {
  const path = join(folder, name);
  const ports = [await freePort(), await freePort(), await freePort()];
  const text = ['tcp-streaming', 'tcp-control', 'http'].flatMap((section, index) => [
    `[${section}]`,
    'bind_to_address = 127.0.0.1',
    `port = ${ports[index]}`,
  ]);
  const more = ['[server]', `datadir = ${folder}`, 'mdns_enabled = false', ...lines];
  writeFileSync(path, [...text, '[stream]', 'source = tone:///?name=Tone', ...more, ''].join('\n'));
  return path;
}

interface DoctorRun {
  readonly options: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Stands before the command line, whose words are "$@". */
  readonly shell?: string;
}

function diagnose({ options, environment = {}, shell = '' }: DoctorRun): Outcome {
  const doctor = [process.execPath, mainFile, 'doctor', ...options];
  const { status, stdout, stderr } = spawnSync(
    'sh',
    ['-c', `${shell} exec "$@"`, 'sh', ...doctor],
    {
      encoding: 'utf8',
      env: { ...process.env, ...environment },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    },
  );
  return { status, stdout, stderr };
}

describe('the doctor', () => {
  it('finds nothing where all is well, and changes nothing', async () => {
    const file = await configFile('well.conf');
    const before = readdirSync(folder);
    const { status, stdout, stderr } = diagnose({ options: ['-c', file] });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`the configuration file is ${file}`);
    expect(stdout).toContain('stream "Tone": tone:///, 48000:16:2, flac');
    expect(stdout).toMatch(/\n0 faults, \d+ warnings?\n$/);
    expect(stdout).not.toContain('\u001b');
    expect(readdirSync(folder)).toEqual(before);
  });

  it('ends with 1 when there is a fault, and says the same as JSON', async () => {
    const path = join(folder, 'no-fifo');
    writeFileSync(path, '');
    const file = await configFile('fifo.conf');
    const source = `--stream.source=pipe://${path}?name=Fifo`;
    const { status, stdout } = diagnose({ options: ['-c', file, '--json', source] });
    expect(status).toBe(1);
    const report = JSON.parse(stdout) as {
      faults: number;
      checks: { name: string; findings: object[] }[];
    };
    expect(report.faults).toBe(1);
    expect(report.checks.find(({ name }) => name === 'sources')?.findings).toContainEqual({
      level: 'fault',
      text: `stream "Fifo": ${path} is a regular file, not a fifo`,
      mend: expect.stringContaining(`rm ${path}`),
    });
  });

  it('tells all faults of a file, and still looks at the machine', async () => {
    const file = await configFile('bad.conf', '[stream]', 'buffer = soon');
    const { status, stdout } = diagnose({ options: ['-c', file] });
    expect(status).toBe(1);
    expect(stdout).toMatch(/bad.conf, line \d+: \[stream\] buffer is "soon"\n\s+allowed: a whole/);
    expect(stdout).toContain('was not checked');
    expect(stdout).toContain('a zero-copy send was completed with code');
  });

  it('shows no password', async () => {
    const secrets = ['hunter2hunter2', 'k3y'.repeat(12)];
    const lines = [
      '[authorization]',
      'enabled = true',
      'role = all:*',
      `user = ann:${secrets[0]}:x`,
    ];
    const file = await configFile('secret.conf', ...lines, `token_secret = ${secrets[1]}`);
    for (const options of [[], ['--json']]) {
      const { stdout, stderr } = diagnose({ options: ['-c', file, ...options] });
      for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
    }
  });

  it('sees low limits and a missing addon', async () => {
    const file = await configFile('limits.conf');
    const low = diagnose({ shell: 'ulimit -n 125;', options: ['-c', file] });
    expect(low.status).toBe(1);
    expect(low.stdout).toMatch(/125 open files .*room for 0 players only\n\s+raise it to \d+/);
    const environment = { ZEROCAST_NATIVE: 'off' };
    const off = diagnose({ options: ['-c', file], environment });
    expect(off.status).toBe(0);
    expect(off.stdout).toMatch(/switched off by ZEROCAST_NATIVE=off\n\s+unset ZEROCAST_NATIVE/);
  });

  it('looks at a server that runs, and leaves it as it was', async () => {
    const datadir = makeScratchFolder();
    const options = [`--server.datadir=${datadir}`];
    const server = await ServerProcess.start({ sources: ['tone:///?name=Tone'], options });
    try {
      const controlPort = await freePort();
      const file = await configFile('running.conf', '[tcp-control]', `port = ${controlPort}`);
      const port = `--tcp-streaming.port=${server.streamPort}`;
      const { status, stdout } = diagnose({
        options: ['-c', file, port, '--tcp-control.enabled=false', '--http.enabled=false'],
      });
      const who = `zerocast (process ${server.pid})`;
      expect(stdout).toContain(`port ${server.streamPort} is in use by the running server, ${who}`);
      expect(stdout).toMatch(/audio flows: flac 48000:16:2, \d+ chunks in 2 s/);
      expect(stdout).not.toContain('zerocast-doctor');
      expect(status).toBe(0);
      await server.stop();
      // Nobody could ask it to forget the player.
      const state = join(datadir, 'server.json');
      const saved = existsSync(state) ? readFileSync(state, 'utf8') : '';
      expect(saved).not.toContain('zerocast-doctor');
    } finally {
      await server.kill();
      removeScratchFolder(datadir);
    }
  });

  it('asks all ports of a server, and is forgotten by it', async () => {
    const file = await configFile('full.conf');
    const server = spawn(process.execPath, [mainFile, '-c', file], { stdio: 'pipe' });
    try {
      let log = '';
      const listening = new Promise<void>((resolve) => {
        server.stdout.on('data', (data: Buffer) => {
          log += data.toString();
          if (log.includes('stream started')) resolve();
        });
      });
      await listening;
      const { status, stdout } = diagnose({ options: ['-c', file] });
      expect(stdout).toContain('GET /healthz is answered by 200');
      expect(stdout).toContain('the control port speaks JSON-RPC version 2');
      expect(stdout).toContain('audio flows');
      expect(stdout).not.toContain('stays in the list');
      expect(status).toBe(0);
    } finally {
      server.kill('SIGTERM');
      await new Promise((resolve) => server.once('close', resolve));
    }
  });
});

describe.skipIf(!isRoot)('in a place of its own', () => {
  it('the doctor sees that the kernel has no room for zero-copy', async () => {
    const file = await configFile('room.conf', '[stream]', 'zerocopy = true');
    const network = "unshare -n sh -c 'ip link set lo up;";
    const optmem = ' echo 1 > /proc/sys/net/core/optmem_max; exec "$@"\' sh "$@"; exit;';
    const { stdout } = diagnose({ shell: network + optmem, options: ['-c', file] });
    expect(stdout).toMatch(/"send" with ENOBUFS: the kernel has no room.*\n\s+raise "sysctl/);
    expect(stdout).toContain('net.core.optmem_max is 1: few zero-copy sends');
  });

  it.each([
    ['8m', 'warning', 0],
    ['512k', 'fault', 1],
  ])('the doctor sees that a disk of %s is too small: a %s', async (size, level, status) => {
    const file = await configFile('disk.conf');
    const disk = join(folder, 'disk');
    mkdirSync(disk, { recursive: true });
    const mount = `mount -t tmpfs -o size=${size} none ${disk}`;
    const run = diagnose({
      shell: `unshare -m sh -c '${mount} && exec "$@"' sh "$@"; exit;`,
      options: ['-c', file, `--server.datadir=${disk}`, '--json'],
    });
    const report = JSON.parse(run.stdout) as { checks: { findings: { level: string }[] }[] };
    const findings = report.checks.flatMap((check) => check.findings);
    const full = {
      level,
      text: expect.stringMatching(/^the disk of .*\/disk has \d+ KiB left$/),
      mend: 'free some space, or set datadir in [server] to another folder',
    };
    expect(findings).toContainEqual(full);
    expect(findings.filter((finding) => finding.level === 'fault')).toEqual(status ? [full] : []);
    expect(run.status).toBe(status);
  });

  it('the doctor sees that there is no network to be announced on', async () => {
    const file = await configFile('alone.conf');
    const alone = 'unshare -n sh -c \'ip link set lo up; exec "$@"\' sh "$@"; exit;';
    const { status, stdout } = diagnose({
      shell: alone,
      options: ['-c', file, '--server.mdns_enabled=true'],
    });
    expect(stdout).toMatch(/there is no network to announce the server on\n/);
    expect(status).toBe(0);
  });

  it('the doctor sees as another user what is closed to it', async () => {
    chmodSync(folder, 0o755);
    const file = await configFile('user.conf', 'user = nobody');
    const { status, stdout } = diagnose({ options: ['-d', '-c', file] });
    expect(stdout).toContain('rights are those of nobody, the user of daemon mode');
    expect(stdout).toMatch(/nothing is saved in .* may not be written by nobody\n\s+install -d -o/);
    expect(status).toBe(1);
    const unknown = await configFile('unknown.conf', 'user = no-such-user');
    const outcome = diagnose({ options: ['-d', '-c', unknown] });
    expect(outcome.stdout).toMatch(/there is no user "no-such-user" to run as\n.*useradd/);
  });
});
