import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutputLog } from '../support/output-log.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { assertBuilt, freePort } from '../support/server-process.ts';

const tree = fileURLToPath(new URL('../..', import.meta.url));
const wireChunk = 2;
const payloadOffset = 12;
/** No sample of the tone is as loud. */
const level = 12_345;
const run = promisify(execFile);

let home: string;
let fifo: string;
let server: ChildProcess;
let log: OutputLog;

/** A tree that is built already, whose fifo is one of its own. */
beforeEach(() => {
  assertBuilt();
  home = join(makeScratchFolder(), '100% "music"? #1');
  fifo = join(home, '..', 'fifo');
  mkdirSync(join(home, 'scripts'), { recursive: true });
  for (const name of ['dist', 'node_modules', 'package.json', 'build']) {
    symlinkSync(join(tree, name), join(home, name));
  }
  cpSync(join(tree, 'config'), join(home, 'config'), { recursive: true });
  cpSync(join(tree, 'scripts/trial-audio.mjs'), join(home, 'scripts/trial-audio.mjs'));
  writeFileSync(join(home, 'scripts/prepare'), '#!/bin/sh\n', { mode: 0o755 });
  const script = readFileSync(join(tree, 'scripts/start'), 'utf8');
  expect(script).toContain('/tmp/snapfifo');
  const own = script.replaceAll('params=/tmp/snapfifo', `params=${fifo}`);
  writeFileSync(join(home, 'scripts/start'), own, { mode: 0o755 });
});

afterEach(async () => {
  const ended = server.exitCode === null && server.signalCode === null && once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
  removeScratchFolder(join(home, '..'));
});

/** Runs `scripts/start`; returns the port for players. */
async function start(...options: readonly string[]): Promise<number> {
  const port = await freePort();
  const quiet = ['http', 'tcp-control'].map((section) => `--${section}.enabled=false`);
  const listen = ['--tcp-streaming.bind_to_address=127.0.0.1', `--tcp-streaming.port=${port}`];
  const all = [
    ...quiet,
    ...listen,
    '--server.mdns_enabled=false',
    '--stream.codec=pcm',
    ...options,
  ];
  server = spawn(join(home, 'scripts/start'), all, { env: { ...process.env, HOME: home } });
  log = new OutputLog('scripts/start', server);
  await log.waitFor(/listening for clients/);
  return port;
}

async function startedStreams(): Promise<readonly string[]> {
  await log.waitFor(/stream started/);
  return [...log.text.matchAll(/stream started stream=(\S+)/g)].map(([, name]) => name!);
}

describe('scripts/start', () => {
  it('plays a tone until somebody writes to the fifo, and again after that', async () => {
    const player = await ScriptedClient.greet(await start(), 'trial');
    const samples = () => {
      const chunks = player.of(wireChunk).map(({ body }) => body.subarray(payloadOffset));
      const pcm = Buffer.concat(chunks);
      return Array.from({ length: pcm.length / 2 }, (_, at) => pcm.readInt16LE(2 * at));
    };
    const isTone = (sample: number) => sample > 1000 && sample < level;
    const newest = () => samples().slice(-4800);
    await player.until(() => newest().some(isTone), 'the tone is heard');
    // An odd piece: what comes next begins with a whole frame all the same.
    const written = Buffer.alloc(192_001, Buffer.from(new Int16Array([level]).buffer));
    writeFileSync(join(home, 'written'), written);
    await run('sh', ['-c', 'exec cat "$0" > "$1"', join(home, 'written'), fifo]);
    await player.until(() => newest().includes(level), 'what was written is heard');
    const isToneAgain = () => !newest().includes(level) && newest().some(isTone);
    await player.until(isToneAgain, 'the tone is heard again');
    const heard = samples();
    const from = heard.indexOf(level);
    const to = heard.lastIndexOf(level);
    expect(heard.slice(0, from).some(isTone)).toBe(true);
    expect(heard.slice(from, to).filter((sample) => sample !== level)).toEqual([]);
    // A busy machine may leave out what it could not read in time.
    expect(to - from + 1).toBeGreaterThan(0.4 * written.length);
    player.close();
  });

  it('is not taken for a stranger at its fifo by the doctor', async () => {
    const player = await ScriptedClient.greet(await start(), 'trial');
    await player.until(() => player.of(wireChunk).length > 20, 'the tone is heard');
    const source = `--stream.source=pipe://${fifo}?name=default`;
    const doctor = ['dist/main.js', 'doctor', '-c', 'config/zerocast.conf', source, '--json'];
    const stranger = spawn('cat', [fifo], { stdio: 'ignore' });
    try {
      const { stdout } = await run(process.execPath, doctor, { cwd: home }).catch((error) => error);
      const { checks }: { checks: { findings: { level: string; text: string }[] }[] } =
        JSON.parse(stdout);
      const readers = checks
        .flatMap(({ findings }) => findings)
        .filter(({ text }) => text.includes(' reads from '))
        .map(({ level, text }) => `${level}: ${text}`);
      expect(readers.sort()).toEqual([
        expect.stringMatching(/^note: .*trial-audio.mjs .* for the running server$/),
        expect.stringMatching(/^warning: .*cat .* too, and each gets only a part$/),
      ]);
    } finally {
      stranger.kill('SIGKILL');
      player.close();
    }
  });

  it('plays the tone when the fifo cannot be used, and says why', async () => {
    writeFileSync(fifo, 'a file');
    const player = await ScriptedClient.greet(await start(), 'trial');
    await player.until(() => player.of(wireChunk).length > 20, 'the tone is heard');
    expect(log.text).toMatch(/only the test tone is played: .*fifo is no fifo: remove it/);
    expect(readFileSync(fifo, 'utf8')).toBe('a file');
    player.close();
  });

  it.each([
    ['the configuration', () => start()],
    ['the command line', () => start('--stream.source=tone:///?name=Mine')],
  ])('plays nothing of its own beside a source from %s', async (place, begin) => {
    if (place === 'the configuration') {
      appendFileSync(join(home, 'config/zerocast.conf'), '[stream]\nsource = tone:///?name=Mine\n');
    }
    await begin();
    expect(await startedStreams()).toEqual(['Mine']);
  });
});
