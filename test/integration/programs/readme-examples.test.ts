import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { SourceHarness } from '../../support/source-harness.ts';
import { uniqueSignal } from '../../support/test-signal.ts';
import { until } from '../../support/waiting.ts';

// How programs are said to feed the pipe, typed as the documents have it.

const documents = ['README.md', 'docs/settings.md']
  .map((file) => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'))
  .join('\n');
const music = uniqueSignal({ format: SampleFormat.parse('48000:16:2'), seconds: 2 });
let folder: string;
let harness: SourceHarness;
const children: ChildProcess[] = [];
const sockets: Socket[] = [];

beforeEach(() => {
  folder = makeScratchFolder();
  mkdirSync(join(folder, 'music'));
  writeFileSync(join(folder, 'music', 'music.wav'), Buffer.concat([wavHeader(), music]));
  harness = new SourceHarness(`pipe://${folder}/fifo?name=default`).start();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const child of children.splice(0)) {
    const ended = once(child, 'exit');
    if (child.kill('SIGTERM')) await ended;
  }
  await harness.source.stop();
  removeScratchFolder(folder);
});

const isMissing = (program: string) =>
  !process.env.CI && spawnSync(program, ['--version']).error !== undefined;

/** The part of the documents, with the fifo and the music of the test. */
function example(pattern: RegExp): string {
  const [, text] = pattern.exec(documents) ?? [];
  if (text === undefined) throw new Error(`the documents have no ${pattern}`);
  expect(text).toContain('/tmp/snapfifo');
  return text
    .replaceAll('/tmp/snapfifo', join(folder, 'fifo'))
    .replace('music.mp3', join(folder, 'music', 'music.wav'));
}

function wavHeader(): Buffer {
  const header = Buffer.from(
    '524946460000000057415645666d7420100000000100020080bb000000ee020004001000' + '6461746100000000',
    'hex',
  );
  header.writeUInt32LE(36 + music.length, 4);
  header.writeUInt32LE(music.length, 40);
  return header;
}

/** The file of the socket is there a moment before MPD listens on it. */
async function connected(path: string): Promise<Socket> {
  let socket: Socket | undefined;
  const isOpen = () => {
    if (socket && !socket.destroyed) return !socket.connecting;
    socket = connect(path).on('error', () => undefined);
    return false;
  };
  await until(isOpen, 'MPD listens');
  return socket!;
}

describe('the example of the documents for', () => {
  it.skipIf(isMissing('ffmpeg'))('ffmpeg plays into the pipe', async () => {
    const line = example(/^(ffmpeg .*?)\s*(?:#.*)?$/m);
    children.push(spawn('sh', ['-c', `exec ${line}`], { stdio: 'ignore' }));
    expect((await harness.read(music.length)).equals(music)).toBe(true);
  });

  it.skipIf(isMissing('mpd'))('MPD plays into the pipe', async () => {
    const socketPath = join(folder, 'mpd.socket');
    const configFile = join(folder, 'mpd.conf');
    const own = { bind_to_address: socketPath, music_directory: join(folder, 'music') };
    const more = { db_file: join(folder, 'mpd.db'), zeroconf_enabled: 'no' };
    const settings = Object.entries({ ...own, ...more }).map(([key, value]) => `${key} "${value}"`);
    const output = example(/^(audio_output \{[^}]*fifo[^}]*\})$/m);
    writeFileSync(configFile, [...settings, output, ''].join('\n'));
    children.push(spawn('mpd', ['--no-daemon', configFile], { stdio: 'ignore' }));
    const socket = await connected(socketPath);
    sockets.push(socket);
    let answers = '';
    socket.on('data', (data) => (answers += data));
    const tracks = () => {
      socket.write('listall\n');
      return answers.includes('file: music.wav');
    };
    socket.write('update\n');
    await until(tracks, 'MPD knows the music');
    socket.write('add music.wav\nplay\n');
    // At the end of the music MPD empties the pipe itself, of what was not read by then.
    const heard = music.subarray(0, 0.9 * music.length);
    expect((await harness.read(heard.length)).equals(heard)).toBe(true);
    expect(answers).not.toContain('ACK');
  });
});
