import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Outcome, runToEnd } from '../support/brief-run.ts';
import { OutputLog } from '../support/output-log.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { assertBuilt, freePort, mainFile, ServerProcess } from '../support/server-process.ts';

const mebibyte = 1024 * 1024;
const bell = wavFile(Buffer.alloc(4800 * 4));
const longMebibytes = 1024;

let folder: string;
beforeEach(() => {
  assertBuilt();
  folder = makeScratchFolder();
  writeFileSync(join(folder, 'bell.wav'), bell);
});
afterEach(() => removeScratchFolder(folder));

const program = `${process.execPath} ${mainFile}`;
const cannotMount = 77;

/** Runs commands of the shell for which file systems of their own are mounted. */
function inOwnMounts(...commands: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', commands.join('\n')],
    { encoding: 'utf8', env: { ...process.env, HOME: folder } },
  );
  return { status: status ?? cannotMount, stdout, stderr };
}

const clips = (...options: string[]) => runToEnd({ options: ['clips', ...options] });

describe('zerocast clips', () => {
  it('works on the library of a server that runs, and without it', async () => {
    const port = await freePort();
    const datadir = `--server.datadir=${folder}`;
    const options = [
      datadir,
      '--http.bind_to_address=127.0.0.1',
      `--http.port=${port}`,
      '--http.enabled=true',
    ];
    const server = await ServerProcess.start({ sources: ['tone:///?name=Tone'], options });
    const url = `http://127.0.0.1:${port}/clips`;
    const names = async () => {
      const { clips } = (await (await fetch(url)).json()) as { clips: { name: string }[] };
      return clips.map(({ name }) => name);
    };
    try {
      expect(await names()).toEqual([]);
      expect(clips('add', join(folder, 'bell.wav'), datadir)).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^bell\.wav: .* 0\.1 s/),
        stderr: '',
      });
      expect(await names()).toEqual(['bell.wav']);
      await fetch(`${url}/door.wav`, { method: 'PUT', body: bell });
      expect(clips('list', datadir).stdout).toMatch(/^bell\.wav .*\ndoor\.wav .*\n$/);
      expect(clips('remove', 'bell.wav', datadir)).toMatchObject({ status: 0, stderr: '' });
      expect(await names()).toEqual(['door.wav']);
      expect((await fetch(`${url}/bell.wav`)).status).toBe(404);
    } finally {
      await server.stop();
    }
    expect(clips('remove', 'door.wav', datadir)).toMatchObject({ status: 0 });
    expect(clips('list', datadir)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it.for([
    ['of a service, where the user has none', ['/var/lib/zerocast'], 'service'],
    ['of the user, where both have one', ['/var/lib/zerocast', '$HOME/.config/zerocast'], 'user'],
    [
      'of a service that runs, where both have one',
      ['/var/lib/zerocast/server.json.lock', '$HOME/.config/zerocast'],
      'service',
    ],
    ['that a server of the user would make', [], 'user'],
  ] as const)('takes the folder %s', ([_, made, owner], { skip }) => {
    const { status, stdout } = inOwnMounts(
      'mount -t tmpfs none /var/lib || exit 77',
      ...made.map((path) => `mkdir -p ${path}`),
      `${program} clips add ${join(folder, 'bell.wav')}`,
    );
    if (status === cannotMount) return skip('nothing can be mounted here');
    const place = { service: '/var/lib/zerocast', user: join(folder, '.config', 'zerocast') }[
      owner
    ];
    expect(stdout).toMatch(new RegExp(`, in ${place}/clips\n$`));
  });

  it('keeps what it cannot decode, and the doctor says why', ({ skip }) => {
    // A file that may be anything but PCM.
    writeFileSync(join(folder, 'gong.flac'), 'fLaC and no more');
    const { status, stdout } = inOwnMounts(
      'mount --bind /dev/null /usr/bin/ffmpeg || exit 77',
      'export PATH=/nonexistent',
      `${program} clips add ${join(folder, 'gong.flac')} --server.datadir=${folder}`,
      `${program} doctor --server.datadir=${folder}`,
    );
    if (status === cannotMount) return skip('nothing can be mounted here');
    expect(stdout).toMatch(/^gong\.flac: 0\.0 MiB, cannot be played: .*install ffmpeg/);
    expect(stdout).toContain('there is no ffmpeg: clips and announcements must be WAV or raw PCM');
  });

  it('says in a terminal how far it is, and leaves nothing after Ctrl-C', async () => {
    const long = join(folder, 'long.raw');
    writeFileSync(long, '');
    truncateSync(long, longMebibytes * mebibyte);
    const command = [
      // A shell that waited for it would end by the signal itself.
      ...['exec', process.execPath, mainFile, 'clips', 'add', long, `--server.datadir=${folder}`],
      ...['--clips.zero_copy=off', `--clips.max_clip_size=${longMebibytes}`],
      `--clips.max_size=${2 * longMebibytes}`,
    ];
    const terminal = spawn('script', ['-qec', command.join(' '), '/dev/null']);
    const output = new OutputLog('the terminal', terminal);
    const ended = once(terminal, 'close');
    await output.waitFor(/\[#*\.+\] \d+ % of long\.raw: \d+\.\d of 1024\.0 MiB/);
    terminal.stdin.write('\x03');
    expect(await ended).toEqual([1, null]);
    expect(output.text).toContain('long.raw: cancelled, nothing of it was kept');
    expect(readdirSync(join(folder, 'clips'))).toEqual([]);
  });
});
