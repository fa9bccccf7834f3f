import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runToEnd } from '../support/brief-run.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ServerProcess } from '../support/server-process.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { until } from '../support/waiting.ts';

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
const mayBeMissing = !process.env.CI;

async function startServer(source: string): Promise<ServerProcess> {
  const server = await ServerProcess.start({ sources: [source] });
  onTestFinished(() => server.kill());
  return server;
}

describe('the server as a process', () => {
  it.skipIf(snapclientIsMissing).each(['SIGTERM', 'SIGINT'] as const)(
    'exits with 0 on %s while it streams',
    async (signal) => {
      const server = await startServer('tone:///?name=default&codec=flac');
      const client = await Snapclient.start({ port: server.streamPort, hostId: 'listener' });
      onTestFinished(() => client.kill());
      await client.heardSound();
      await server.stop(signal);
      expect(server.log.text).not.toMatch(/\[(Error|Fatal)\]/);
    },
  );

  it.skipIf(!canTrace && mayBeMissing)('opens few files until it listens', async () => {
    const folder = makeScratchFolder();
    onTestFinished(() => removeScratchFolder(folder));
    const trace = join(folder, 'trace');
    const server = await ServerProcess.start({
      sources: ['tone:///?name=default&codec=pcm'],
      node: ['strace', '-D', '-f', '-e', 'trace=open,openat', '-o', trace, process.execPath],
    });
    onTestFinished(() => server.kill());
    const opened = readFileSync(trace, 'utf8').match(/ = \d+$/gm) ?? [];
    // The modules of its source alone are 250.
    expect(opened.length).toBeGreaterThan(20);
    expect(opened.length).toBeLessThan(150);
  });

  it('takes the programs that it started with it', async () => {
    const program = stubbornProgram();
    const server = await startServer(program.source);
    const pid = await program.pid();
    expect(isRunning(pid)).toBe(true);
    await server.stop();
    expect(isRunning(pid)).toBe(false);
  });

  it('keeps its settings to itself, and knows them still when it reads its file again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-child-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const note = join(folder, 'note');
    const script = join(folder, 'child.sh');
    writeFileSync(script, `env > ${note}.new; mv ${note}.new ${note}; exec sleep 1000\n`);
    const server = await ServerProcess.start({
      sources: [`process:///bin/sh?name=Child&params=${script}`],
      environment: {
        ZEROCAST_AUTHORIZATION_TOKEN_SECRET: 'sesame'.repeat(8),
        ZEROCAST_STREAM_BUFFER: '700',
        ZEROCAST_TEST_OF_CHILDREN: 'sesame',
        OTHER_VARIABLE: 'stays',
      },
    });
    onTestFinished(() => server.kill());
    await until(() => existsSync(note), 'the child has told its environment');
    const environment = readFileSync(note, 'utf8');
    expect(environment).toContain('OTHER_VARIABLE=stays');
    expect(environment).not.toMatch(/sesame|ZEROCAST_STREAM_BUFFER/);
    server.signal('SIGHUP');
    await server.log.waitFor(/the configuration was reloaded .*settings=0/);
    await server.stop();
  });

  it('is forced by a second signal when the orderly end takes long', async () => {
    const program = stubbornProgram();
    const server = await startServer(program.source);
    await program.pid();
    server.signal('SIGTERM');
    await setTimeout(200);
    server.signal('SIGTERM');
    expect(await server.ended()).not.toEqual({ exitCode: 0, signal: null });
  });

  it('has closed its port when it is gone', async () => {
    const server = await startServer('tone:///?name=default');
    await server.stop();
    const again = await ServerProcess.start({
      sources: ['tone:///?name=default'],
      streamPort: server.streamPort,
    });
    onTestFinished(() => again.kill());
    await again.stop();
  });

  it('ends with 1 when it breaks while it still starts, also if that would take for ever', () => {
    const faults = [
      "import dns from 'node:dns/promises'; import { syncBuiltinESMExports } from 'node:module';",
      // It breaks when it waits for what never comes.
      "const fail = () => { throw new Error('broken while it starts'); };",
      'dns.lookup = () => { setTimeout(fail, 100); setInterval(() => {}, 1000); return new Promise(() => {}); };',
      'syncBuiltinESMExports();',
    ];
    const broken = runToEnd({
      options: ['-c', '/dev/null', '--stream.source=tcp://some.host?name=default'],
      environment: {
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(faults.join(''))}`,
      },
    });
    expect(broken.status).toBe(1);
    expect(broken.stdout).toContain('broken while it starts');
  });

  it('refuses a port that is taken, with a message and exit status 1', async () => {
    const server = await startServer('tone:///?name=default');
    const second = runToEnd({
      options: [
        '--tcp-streaming.bind_to_address=127.0.0.1',
        `--tcp-streaming.port=${server.streamPort}`,
        '--stream.source=tone:///?name=default',
      ],
    });
    expect(second.status).toBe(1);
    expect(second.stdout).toMatch(
      new RegExp(`\\[Fatal\\] \\(Zerocast\\) .*cannot listen on .* port ${server.streamPort} `),
    );
    await server.stop();
  });
});

/** A source program that ignores requests to end, so that the orderly end takes two seconds. */
function stubbornProgram(): { source: string; pid(): Promise<number> } {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-program-'));
  const script = join(folder, 'program.sh');
  const pidFile = join(folder, 'pid');
  writeFileSync(
    script,
    `trap '' TERM INT HUP\necho $$ > ${pidFile}.new\nmv ${pidFile}.new ${pidFile}\nexec sleep 60\n`,
  );
  onTestFinished(() => {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true });
  });
  return {
    source: `process:///bin/sh?name=default&params=${script}`,
    pid: async () => {
      while (!existsSync(pidFile)) await setTimeout(20);
      return Number(readFileSync(pidFile, 'utf8'));
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
