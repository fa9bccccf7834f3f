import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { canWrite, FifoWriter } from '../support/fifo.ts';
import { OutputLog } from '../support/output-log.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { mainFile, ServerProcess } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-shutdown-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const tone = 'tone:///?name=Tone&codec=pcm';

/** A stream whose program runs `body`, and a way to find it, or what it started and noted itself. */
function program(body: string): { readonly source: string; pid(): Promise<number> } {
  const script = join(folder, 'program.sh');
  const pidFile = join(folder, 'pid');
  const note = 'note() { echo $1 > PID.new; mv PID.new PID; }'.replaceAll('PID', pidFile);
  writeFileSync(script, `${note}\n${body.includes('note') ? '' : 'note $$'}\n${body}\n`);
  return {
    source: `process:///bin/sh?name=Program&codec=pcm&params=${script}`,
    pid: async () => {
      await until(() => existsSync(pidFile));
      const pid = Number(readFileSync(pidFile, 'utf8'));
      onTestFinished(() => {
        if (isRunning(pid)) process.kill(pid, 'SIGKILL');
      });
      return pid;
    },
  };
}

/** The dead that nobody has buried yet do not count. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function start(...sources: string[]): Promise<ServerProcess> {
  const server = await ServerProcess.start({ sources });
  onTestFinished(() => server.kill());
  return server;
}

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  it('ends a server with clients, a program and a fifo: with 0, and nothing is left', async () => {
    const flood = program('exec cat /dev/zero');
    const fifo = join(folder, 'fifo');
    const server = await start(tone, flood.source, `pipe://${fifo}?name=Fifo&codec=pcm`);
    const pid = await flood.pid();
    const clients = [];
    for (const name of ['a', 'b', 'c']) {
      clients.push(await ScriptedClient.greet(server.streamPort, name));
    }
    await until(() => canWrite(fifo));
    const writer = new FifoWriter(fifo);
    writer.write(Buffer.alloc(40_000));
    const silent = await ScriptedClient.connect(server.streamPort);
    for (const client of clients) await client.untilCount(messageType.wireChunk, 10);

    await server.stop(signal);
    for (const client of [...clients, silent]) await client.untilClosed();
    expect(isRunning(pid)).toBe(false);
    expect(server.log.text).toContain(`stopping signal=${signal}`);
    expect(server.log.text.match(/session closed.*the server stops/g)).toHaveLength(4);
    expect(server.log.text).not.toMatch(/\[(Warn|Error|Fatal)\]/);
    writer.close();
  });
});

describe('a stop', () => {
  it('does not wait for a client that reads nothing', async () => {
    const server = await start('tone:///?name=Big&codec=pcm&sampleformat=192000:32:8');
    const client = await ScriptedClient.greet(server.streamPort, 'stalled');
    await client.untilCount(messageType.wireChunk, 1);
    client.socket.pause();
    await delay(1500);
    await server.stop();
    client.close();
  });

  it('does not wait for connections that arrive all the time', async () => {
    const server = await start(tone);
    const storm = setInterval(() => {
      const socket = connect(server.streamPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
    }, 1);
    onTestFinished(() => clearInterval(storm));
    await delay(200);
    await server.stop();
  });

  it('is heard while the server still starts', async () => {
    const options = [
      `--server.datadir=${folder}`,
      '--tcp-streaming.bind_to_address=127.0.0.1',
      '--tcp-streaming.port=0',
      '--http.port=0',
      ...Array.from({ length: 20 }, (_, n) => `--stream.source=tone:///?name=Tone ${n}&codec=opus`),
    ];
    const child = spawn(process.execPath, [mainFile, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const log = new OutputLog('the server', child);
    await log.waitFor(/Version 0/);
    child.kill('SIGTERM');
    await log.waitFor(/stopped/);
    await until(() => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
  });

  it('is forced by the second signal, whichever that is', async () => {
    const stubborn = program("trap '' TERM INT HUP\nexec sleep 60");
    const server = await start(tone, stubborn.source);
    const pid = await stubborn.pid();
    server.signal('SIGTERM');
    await server.log.waitFor(/stopping signal=SIGTERM/);
    server.signal('SIGINT');
    const ending = await server.ended();
    expect(ending).toEqual({ exitCode: null, signal: 'SIGKILL' });
    expect(server.log.text).not.toMatch(/stopped\s*$/);
    await until(() => !isRunning(pid));
    expect(isRunning(pid)).toBe(false);
  });

  it('that is forced ends what a program left behind, too', async () => {
    const daemon = program("trap '' TERM INT HUP\nsleep 60 &\nnote $!");
    const server = await start(tone, daemon.source);
    const pid = await daemon.pid();
    // Both at once, before the orderly way is through.
    server.signal('SIGTERM');
    server.signal('SIGINT');
    expect([
      { exitCode: 0, signal: null },
      { exitCode: null, signal: 'SIGKILL' },
    ]).toContainEqual(await server.ended());
    await until(() => !isRunning(pid));
    expect(isRunning(pid)).toBe(false);
  });

  it('is not held up by a file system that does not answer, and says what is left', async () => {
    const fifo = join(folder, 'nobody-reads');
    execFileSync('mkfifo', [fifo]);
    const preload = join(folder, 'preload.mjs');
    // As many threads as there are wait in `open` for somebody who reads.
    writeFileSync(
      preload,
      `import { open } from 'node:fs';
      const waits = () => open(${JSON.stringify(fifo)}, 'w', () => undefined);
      process.on('SIGUSR2', () => { for (let thread = 0; thread < 4; thread += 1) waits(); });`,
    );
    const server = await ServerProcess.start({
      sources: [tone],
      environment: { NODE_OPTIONS: `--import ${preload}` },
    });
    onTestFinished(() => server.kill());
    const client = await ScriptedClient.greet(server.streamPort, 'to be saved');
    await client.untilCount(messageType.wireChunk, 1);
    server.signal('SIGUSR2');
    await delay(100);
    server.signal('SIGTERM');
    expect(await server.ended()).toEqual({ exitCode: null, signal: 'SIGKILL' });
    expect(server.log.text).toMatch(/does not close in time and is left part="?state file/);
    expect(server.log.text).toContain('stopped');
  });

  it('kills a program that ignores the request to end', async () => {
    const stubborn = program("trap '' TERM INT HUP\nexec sleep 60");
    const server = await start(tone, stubborn.source);
    const pid = await stubborn.pid();
    await server.stop();
    expect(isRunning(pid)).toBe(false);
  });
});

describe('an end inside the process', () => {
  it('brings home what is under way to clients that read nothing', async () => {
    const server = await TestServer.start(
      'stream.source=tone:///?name=Big&codec=pcm&sampleformat=192000:32:8',
      'stream.send_interval=0',
    );
    const clients = [];
    for (let index = 0; index < 20; index += 1) {
      const client = await ScriptedClient.greet(server.port, `client ${index}`);
      await client.untilCount(messageType.wireChunk, 1);
      client.socket.pause();
      clients.push(client);
    }
    await delay(1500);
    // Fails unless the pool is full.
    await server.stop();
    expect(server.log.with('the server stops')).toHaveLength(20);
    for (const client of clients) client.close();
  });

  it('frees the port at once', async () => {
    const first = await TestServer.start(`stream.source=${tone}`);
    const { port } = first;
    const client = await ScriptedClient.greet(port, 'a');
    await client.untilCount(messageType.wireChunk, 5);
    await first.stop();
    const second = await TestServer.start(`stream.source=${tone}`, `tcp-streaming.port=${port}`);
    const again = await ScriptedClient.greet(port, 'a');
    await again.untilCount(messageType.wireChunk, 5);
    for (const one of [client, again]) one.close();
    await second.stop();
  });

  it('leaves nothing open when the port is taken', async () => {
    const first = await TestServer.start(`stream.source=${tone}`);
    const flood = program('exec cat /dev/zero');
    await expect(
      TestServer.start(`stream.source=${flood.source}`, `tcp-streaming.port=${first.port}`),
    ).rejects.toThrow(`127.0.0.1 port ${first.port} (EADDRINUSE)`);
    const running = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(running).not.toContain(folder);
    await first.stop();
  });
});
