import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { DaemonStage, isRunning, statusOf } from '../support/daemon-process.ts';
import { NotifySocket } from '../support/notify-socket.ts';
import { isRoot } from '../support/scratch-folder.ts';
import { freePort, mainFile, ServerProcess } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';

const isTried = isRoot || process.env.CI === 'true';
const nobody = 65_534;
const tone = 'source = tone:///?name=Tone&codec=pcm';

let stage: DaemonStage;
beforeEach(async () => {
  stage = await DaemonStage.open();
});
afterEach(() => stage.close());

/** `-d`, with a tone, as the user `nobody`, unless other lines say so. */
async function start(
  { lines = ['[stream]', tone], options = ['-d'] } = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<number> {
  stage.configure(['[server]', 'user = nobody', ...lines]);
  const run = await stage.run(options, environment);
  expect(run).toEqual({ status: 0, output: '' });
  return stage.pid ?? 0;
}

async function stopped(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM');
  await until(() => !isRunning(pid));
}

describe.runIf(isTried)('a server in the background', () => {
  it('serves when the foreground comes back, and stops without a trace', async () => {
    const pid = await start();
    expect(await stage.isServing()).toBe(true);
    expect(readFileSync(stage.pidFile, 'latin1')).toBe(`${pid}\n`);
    expect(statSync(stage.pidFile).mode & 0o777).toBe(0o644);
    expect(stage.log).toMatch(/^\S+ \S+ \[Info\] \(Snapserver\) Version 0\./);
    await stopped(pid);
    expect(stage.log).toMatch(/\(Zerocast\) stopped\n$/);
    expect(existsSync(stage.pidFile)).toBe(false);
    expect(readdirSync(stage.dataFolder)).not.toContain('server.json.lock');
    expect(await stage.isServing()).toBe(false);
  });

  it('has left terminal, session and folder, and has its nice value', async () => {
    const pid = await start({ options: ['-d5'] });
    const [, session, terminal] =
      /\) \S \d+ \d+ (\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
    expect([Number(session), Number(terminal)]).toEqual([pid, 0]);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    for (const descriptor of [0, 1, 2]) {
      expect(readlinkSync(`/proc/${pid}/fd/${descriptor}`)).toBe('/dev/null');
    }
    const threads = readdirSync(`/proc/${pid}/task`).map(Number);
    expect(new Set(threads.map((thread) => getPriority(thread)))).toEqual(new Set([5]));
  });

  it('binds a privileged port as root and then is nobody, with all that it makes', async () => {
    stage.close();
    stage = await DaemonStage.open(777);
    const fifo = join(stage.folder, 'data', 'fifo');
    const note = join(stage.folder, 'data', 'note');
    const script = join(stage.folder, 'child.sh');
    writeFileSync(script, `env > ${note}.new; mv ${note}.new ${note}; exec sleep 1000\n`);
    const pid = await start({
      lines: [
        '[stream]',
        `source = pipe://${fifo}?name=Fifo`,
        `source = process:///bin/sh?name=Child&params=${script}`,
      ],
    });
    expect(await stage.isServing()).toBe(true);
    const threads = readdirSync(`/proc/${pid}/task`).map(Number);
    for (const thread of threads) {
      expect(statusOf(thread, 'Uid')).toEqual(Array(4).fill(String(nobody)));
      expect(statusOf(thread, 'Gid')).toEqual(Array(4).fill(String(nobody)));
    }
    expect(statusOf(pid, 'Groups').filter(Boolean)).toEqual([String(nobody)]);
    await until(() => existsSync(note) && existsSync(fifo));
    expect(readFileSync(note, 'utf8')).toMatch(/^HOME=\/nonexistent$/m);
    expect(readFileSync(note, 'utf8')).toMatch(/^USER=nobody$/m);
    expect(readFileSync(note, 'utf8')).toMatch(/^LOGNAME=nobody$/m);
    for (const made of [fifo, note, stage.dataFolder, stage.pidFile, stage.logFile]) {
      expect([made, statSync(made).uid]).toEqual([made, nobody]);
    }
    await stopped(pid);
    const state = readdirSync(stage.dataFolder);
    for (const name of state) expect(statSync(join(stage.dataFolder, name)).uid).toBe(nobody);
    expect(existsSync(stage.pidFile)).toBe(false);
  });

  it('keeps its log when a second one is started in the foreground, which says why it ends', async () => {
    const pid = await start();
    const before = stage.log;
    const second = await stage.run([]);
    expect(second.status).toBe(1);
    expect(second.output).toMatch(
      new RegExp(`^zerocast: the server cannot start: the data folder .* process ${pid} `),
    );
    expect(stage.log.startsWith(before)).toBe(true);
    expect(stage.log.slice(before.length)).toMatch(
      /\[Fatal\] \(Zerocast\) the server cannot start/,
    );
    await stopped(pid);
    // Now it is the log of the next one alone.
    const next = await start();
    expect(stage.log.match(/\(Snapserver\) Version/g)).toHaveLength(1);
    await stopped(next);
  });

  it('speaks TLS with a key that only root may read', async () => {
    makeCertificate({ folder: stage.folder, name: 'server' });
    const sslPort = await freePort();
    execFileSync('chmod', ['600', join(stage.folder, 'server.key')]);
    const pid = await start({
      lines: [
        '[http]',
        'ssl_enabled = true',
        'ssl_bind_to_address = 127.0.0.1',
        `ssl_port = ${sslPort}`,
        '[ssl]',
        // Relative to the folder of the start.
        'certificate = server.crt',
        'certificate_key = server.key',
        '[stream]',
        tone,
      ],
    });
    expect(statusOf(pid, 'Uid')[0]).toBe(String(nobody));
    expect(stage.log).toMatch(/listening for HTTPS and WebSocket/);
  });

  it('refuses a second one in the foreground and says who runs', async () => {
    const pid = await start();
    const second = await stage.run(['-d']);
    expect(second.status).toBe(1);
    expect(second.output).toMatch(
      new RegExp(`^zerocast: the server is already running: process ${pid} \\(zerocast\\)`),
    );
    expect(second.output).toContain(stage.pidFile);
    expect(stage.pid).toBe(pid);
    expect(await stage.isServing()).toBe(true);
    const elsewhere = `--server.pidfile=${join(stage.folder, 'other', 'pid')}`;
    const third = await stage.run([elsewhere, '-d', '--tcp-streaming.port=0']);
    expect(third.status).toBe(1);
    expect(third.output).toMatch(new RegExp(`the data folder .* is in use by process ${pid} `));
    expect(existsSync(join(stage.folder, 'other', 'pid'))).toBe(false);
  });

  it('is not kept from starting by what a killed one left, or by a recycled number', async () => {
    const killed = await start();
    process.kill(killed, 'SIGKILL');
    await until(() => !isRunning(killed));
    expect(stage.pid).toBe(killed);
    const next = await start();
    await stopped(next);
    mkdirSync(join(stage.folder, 'run'), { recursive: true });
    writeFileSync(stage.pidFile, `${process.pid}\n`);
    await stopped(await start());
  });

  it.each([
    ['the configuration', ['--stream.buffer=x'], /\[stream\] buffer is "x"/],
    ['an unknown user', ['--server.user=nosuchuser'], /there is no user "nosuchuser".*useradd/],
    ['an unknown group', ['--server.group=nosuch'], /there is no group "nosuch"/],
    ['the log', ['--logging.sink=file:/nowhere/log'], /the log file cannot be opened: ENOENT/],
    ['the pid file', ['--server.pidfile=/dev/null/no/pid'], /the pid file cannot be made: ENOTDIR/],
    ['a port', ['--tcp-streaming.bind_to_address=192.0.2.1'], /cannot start: .*EADDRNOTAVAIL/],
  ])('that fails for %s says so in the foreground and leaves nothing', async (_, options, text) => {
    stage.configure(['[server]', 'user = nobody', '[stream]', tone]);
    const { status, output } = await stage.run(['-d', ...options]);
    expect(status).toBe(1);
    expect(output).toMatch(text);
    expect(output).not.toMatch(/^ +at /m);
    expect(existsSync(stage.pidFile)).toBe(false);
  });

  it('goes on with another log file on SIGUSR1, also as nobody', async () => {
    execFileSync('chown', ['nobody', join(stage.folder, 'log')]);
    const pid = await start();
    for (const remove of [
      () => renameSync(stage.logFile, `${stage.logFile}.1`),
      () => unlinkSync(stage.logFile),
    ]) {
      remove();
      process.kill(pid, 'SIGUSR1');
      await until(() => stage.log.includes('(Log) log file opened anew'));
    }
    await stopped(pid);
    expect(stage.log).toMatch(/\(Zerocast\) stopped\n$/);
    expect(readFileSync(`${stage.logFile}.1`, 'utf8')).toMatch(/\(Snapserver\) Version/);
  });

  it('keeps the old log file, and says so there, when it may not make another', async () => {
    const pid = await start();
    const old = `${stage.logFile}.1`;
    renameSync(stage.logFile, old);
    process.kill(pid, 'SIGUSR1');
    await until(() => readFileSync(old, 'utf8').includes('cannot be opened anew'));
    expect(readFileSync(old, 'utf8')).toMatch(/\[Error\] \(Log\) .* reason="EACCES/);
    expect(isRunning(pid)).toBe(true);
  });

  it('tells systemd that it is ready, and keeps that from its children', async () => {
    const socket = await NotifySocket.open(stage.folder);
    const note = join(stage.folder, 'note');
    const script = join(stage.folder, 'child.sh');
    writeFileSync(note, '');
    execFileSync('chown', ['nobody', note]);
    writeFileSync(script, `env > ${note}; echo end >> ${note}; exec sleep 1000\n`);
    const pid = await start(
      { lines: ['[stream]', `source = process:///bin/sh?name=Child&params=${script}`] },
      { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '200000' },
    );
    await until(() => socket.messages.length >= 4 && readFileSync(note, 'utf8').endsWith('end\n'));
    await stopped(pid);
    socket.close();
    const first = socket.messages.map(([line]) => line);
    expect(first.slice(0, 3)).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1']);
    expect(first).toContain('STOPPING=1');
    expect(socket.messages[0]?.[1]).toBe('STATUS=1 streams, 0 players');
    expect(readFileSync(note, 'utf8')).not.toMatch(/NOTIFY_SOCKET|WATCHDOG|ZEROCAST_SERVICE/);
  });
});

describe.runIf(isTried)('a server in the background that nobody may change the user of', () => {
  it('goes on as who it is, with a warning', async () => {
    const { folder } = stage;
    execFileSync('chown', ['-R', 'nobody', folder]);
    stage.configure(['[server]', 'user = nosuchuser', '[stream]', tone]);
    const become = `exec setpriv --reuid=${nobody} --regid=${nobody} --clear-groups`;
    const command = `cd ${folder} && ${become} "$0" "$1" -c zerocast.conf -d`;
    execFileSync('sh', ['-c', command, process.execPath, mainFile]);
    const pid = stage.pid ?? 0;
    expect(statusOf(pid, 'Uid')[0]).toBe(String(nobody));
    expect(stage.log).toMatch(/\[Warn\] .*user is ignored: only root can become nosuchuser/);
    await stopped(pid);
    expect(existsSync(stage.pidFile)).toBe(false);
  });
});

describe('a server in the foreground', () => {
  it('opens no debugger on SIGUSR1', async () => {
    const server = await ServerProcess.start({ sources: ['tone:///?name=Tone&codec=pcm'] });
    server.signal('SIGUSR1');
    await server.log.waitFor(/\(Log\) the log is no file, nothing to open anew/);
    await server.stop();
    expect(server.log.text).not.toMatch(/Debugger listening/);
  });

  it('tells systemd when it is ready and when it stops', async () => {
    const socket = await NotifySocket.open(stage.folder);
    const server = await ServerProcess.start({
      sources: ['tone:///?name=Tone&codec=pcm'],
      environment: { NOTIFY_SOCKET: socket.path },
    });
    await until(() => socket.messages.length > 0);
    await server.stop();
    await until(() => socket.messages.length > 1);
    socket.close();
    expect(socket.messages.map(([line]) => line)).toEqual(['READY=1', 'STOPPING=1']);
  });
});
