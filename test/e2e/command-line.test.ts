import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compatibleVersion, packageVersion } from '../../src/base/version.ts';
import { type BriefRun, runToEnd, serveBriefly } from '../support/brief-run.ts';

const tone = '--stream.source=tone:///?name=Tone';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-command-line-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A configuration file with a tone and these lines under `[stream]`. */
function configFile(...lines: string[]): string {
  const path = join(folder, 'zerocast.conf');
  writeFileSync(path, ['[stream]', 'source = tone:///?name=Tone', ...lines].join('\n'));
  return path;
}

/** The lines that a server prints from start to stop. */
async function linesOf(run: BriefRun): Promise<string[]> {
  const { status, stdout, stderr } = await serveBriefly(run);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trimEnd().split('\n');
}

describe('too few descriptors', () => {
  it.each([40, 64, 90, 110])('are told of before anything else, with the number: %d', (limit) => {
    for (const options of [[tone], ['-v'], ['doctor'], ['probe', '127.0.0.1:1']]) {
      const { status, stdout, stderr } = runToEnd({ descriptors: limit, options });
      expect(status).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(
        new RegExp(
          `^zerocast: this process may have ${limit} open files, and \\d+ are needed: raise "ulimit -n".*\n$`,
        ),
      );
    }
  });

  it('are none when there are as many as were said to be needed', async () => {
    const { stderr } = runToEnd({ descriptors: 40, options: [tone] });
    const needed = /(\d+) are needed/.exec(stderr)?.[1];
    const lines = await linesOf({ descriptors: Number(needed), options: [tone] });
    expect(lines.join('\n')).toContain('stream started');
  });
});

describe('a question', () => {
  it.each(['-v', '--version'])('about the version is answered for %s', (option) => {
    const { status, stdout } = runToEnd({ options: [option] });
    expect(status).toBe(0);
    expect(stdout).toContain(`zerocast v${packageVersion}`);
    expect(stdout).toContain(`v${compatibleVersion}`);
    expect(stdout).toContain('MIT');
    expect(stdout).toMatch(/^FLAC encoder: libFLAC 1\.\S+ of the system \(libFLAC\.so\.\d+\)$/m);
  });

  it.each(['-h', '--help'])('about the usage is answered for %s', (option) => {
    const { status, stdout } = runToEnd({ options: [option] });
    expect(status).toBe(0);
    expect(stdout).toContain('--config');
    expect(stdout).not.toContain('--stream.sampleformat');
  });

  it('about every setting is answered for -hh', () => {
    const { status, stdout } = runToEnd({ options: ['-hh'] });
    expect(status).toBe(0);
    expect(stdout).toContain('--stream.sampleformat');
  });

  it.each([
    ['flac', /level/i],
    ['opus', /BITRATE/],
    ['pcm', /./],
    ['null', /./],
  ])('about the codec %s is answered', (codec, answer) => {
    const { status, stdout } = runToEnd({ options: [`--stream.codec=${codec}:?`] });
    expect(status).toBe(0);
    expect(stdout).toMatch(answer);
  });

  it('about a codec that does not exist ends with 1 and the known ones', () => {
    const { status, stderr } = runToEnd({ options: ['--stream.codec=mp3:?'] });
    expect(status).toBe(1);
    expect(stderr).toMatch(/"mp3" is no codec: use one of flac, opus, pcm, ogg, null/);
  });
});

describe('settings', () => {
  it('come from the file, else the environment, else the command line', async () => {
    const file = configFile('codec = pcm', 'chunk_ms = 30');
    const environment = { ZEROCAST_STREAM_CODEC: 'opus', ZEROCAST_STREAM_CHUNK_MS: '5' };
    const fromEnvironment = await linesOf({ options: ['-c', file], environment });
    expect(fromEnvironment.join('\n')).toMatch(/stream started stream=Tone .*codec=opus$/m);
    expect(fromEnvironment.join('\n')).toMatch(/variable ZEROCAST_STREAM_CHUNK_MS: .* 10 is used/);
    const options = ['-c', file, '--stream.codec=flac:3'];
    const fromOption = await linesOf({ options, environment });
    expect(fromOption.join('\n')).toMatch(/stream started stream=Tone .*codec=flac:3$/m);
  });

  it('add sources of the command line to those of the file', async () => {
    const lines = await linesOf({
      options: ['-c', configFile(), '--stream.source=tone:///?name=More'],
    });
    const names = lines.flatMap((line) => /stream started stream=(\w+)/.exec(line)?.[1] ?? []);
    expect(names).toEqual(['Tone', 'More']);
  });

  it('are asked for by -z, against the file and the environment', async () => {
    const setting = /\[Info\] \(Zerocast\) ZeroCopy setting: (\w+)/;
    const settingOf = async (options: string[], environment?: Record<string, string>) => {
      const lines = await linesOf({ options: [...options, tone], environment: environment ?? {} });
      return setting.exec(lines.join('\n'))?.[1];
    };
    const file = configFile('zerocopy = false');
    expect(await settingOf([])).toBe('disabled');
    expect(await settingOf(['-z', '-c', file], { ZEROCAST_STREAM_ZEROCOPY: 'no' })).toBe('enabled');
    expect(await settingOf(['-c', configFile('zerocopy = true')])).toBe('enabled');
  });

  it('that nobody knows are named with the nearest known one, and the server runs', async () => {
    const file = configFile('sampelformat = 48000:16:2');
    const lines = await linesOf({
      options: ['-c', file, '--confg=x', '--stream.codek=pcm'],
      environment: { ZEROCAST_STREAM_BUFER: '1' },
    });
    const warnings = lines.filter((line) => line.includes('[Warn]')).join('\n');
    expect(warnings).toMatch(/"--confg" is ignored; the nearest known one is --config/);
    expect(warnings).toMatch(/"codek" is ignored.*nearest known one is \[stream\] codec/);
    expect(warnings).toMatch(/line 3: "sampelformat" is ignored.*\[stream\] sampleformat/);
    expect(warnings).toMatch(/ZEROCAST_STREAM_BUFER.*nearest known one is ZEROCAST_STREAM_BUFFER/);
  });

  it('that are wrong end it with 1, all of them told together', () => {
    const file = configFile('buffer = soon', 'codec =');
    const { status, stdout, stderr } = runToEnd({
      options: ['-c', file, '--tcp-streaming.port=70000'],
      environment: { ZEROCAST_STREAM_SEND_TO_MUTED: 'maybe' },
    });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('the configuration has 4 faults');
    expect(stderr).toContain(`${file}, line 3: [stream] buffer is "soon"; allowed: `);
    expect(stderr).toContain(`${file}, line 4: [stream] codec is ""; allowed: `);
    expect(stderr).toMatch(/variable ZEROCAST_STREAM_SEND_TO_MUTED: .*"maybe"; allowed: true or/);
    expect(stderr).toMatch(/option --tcp-streaming.port: .*"70000"; allowed: .* 65535/);
  });

  it('cannot be read from a file that is not there', () => {
    const { status, stderr } = runToEnd({ options: ['-c', '/nonexistent/zerocast.conf'] });
    expect(status).toBe(1);
    expect(stderr).toContain('/nonexistent/zerocast.conf');
  });
});

describe('the log', () => {
  const line = /^\d{4}-\d\d-\d\d \d\d-\d\d-\d\d\.\d{3} \[Info\] \((\w+)\) (.*)$/;

  it('begins with the line that programs wait for, then our own name and version', async () => {
    const [first = '', second = ''] = await linesOf({ options: [tone] });
    expect(line.exec(first)?.slice(1)).toEqual(['Snapserver', `Version ${compatibleVersion}`]);
    expect(line.exec(second)?.slice(1)).toEqual([
      'Zerocast',
      expect.stringMatching(new RegExp(`^zerocast ${packageVersion} node=v`)),
    ]);
  });

  it('is one JSON record per line when asked', async () => {
    const lines = await linesOf({ options: [tone, '--logging.format=json'] });
    const records = lines.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(records[0]).toMatchObject({
      level: 'info',
      tag: 'Snapserver',
      msg: `Version ${compatibleVersion}`,
    });
    expect(records).toContainEqual(
      expect.objectContaining({ tag: 'Stream', msg: 'stream started', stream: 'Tone' }),
    );
  });

  it('is filtered by tag', async () => {
    const lines = await linesOf({ options: [tone, '--logging.filter=*:fatal,Stream:info'] });
    expect(lines.length).toBeGreaterThan(0);
    for (const text of lines) expect(text).toContain('(Stream)');
  });

  it('goes to stderr', async () => {
    const { status, stdout, stderr } = await serveBriefly({
      options: [tone, '--logging.sink=stderr'],
    });
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr.split('\n')[0]).toMatch(line);
  });

  it('goes nowhere', async () => {
    const outcome = await serveBriefly({ options: [tone, '--logging.sink=null'] });
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('goes to a file, which is emptied first', async () => {
    const file = join(folder, 'server.log');
    writeFileSync(file, 'yesterday\n');
    const outcome = await serveBriefly({ options: [tone, `--logging.sink=file:${file}`] });
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toMatch(line);
    expect(lines.at(-1)).toMatch(/\(Zerocast\) stopped$/);
  });

  it('goes to the log of the system, without time and severity', async () => {
    const taken = join(folder, 'taken');
    const logger = join(folder, 'logger');
    writeFileSync(logger, `#!/bin/sh\nexec cat > ${taken}\n`);
    chmodSync(logger, 0o755);
    const outcome = await serveBriefly({
      options: [tone, '--logging.sink=system'],
      environment: { PATH: `${folder}:${process.env.PATH}` },
    });
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
    const lines = readFileSync(taken, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toBe(`<14>(Snapserver) Version ${compatibleVersion}`);
    expect(lines.at(-1)).toBe('<14>(Zerocast) stopped');
  });

  it.each(['null', 'file'])('that is %s does not hide why a server cannot start', (sink) => {
    const log = sink === 'file' ? `file:${join(folder, 'log')}` : sink;
    const options = [tone, `--logging.sink=${log}`, '--tcp-streaming.bind_to_address=192.0.2.1'];
    const { status, stderr } = runToEnd({ options });
    expect(stderr).toMatch(/^zerocast: the server cannot start: .*EADDRNOTAVAIL.*\n$/);
    expect(status).toBe(1);
  });
});

describe('a server that is only tried', () => {
  it('takes the state of snapserver over and leaves it as it is', async () => {
    const old = join(folder, '.config', 'snapserver');
    mkdirSync(old, { recursive: true });
    const saved = new URL('../support/state/snapserver-0.26.state', import.meta.url);
    cpSync(saved, join(old, 'server.json'));
    chmodSync(old, 0o555);
    const lines = await linesOf({ options: [tone], environment: { HOME: folder } });
    expect(lines.join('\n')).toMatch(/snapserver are copied from=\S+snapserver\/server.json/);
    expect(readdirSync(old)).toEqual(['server.json']);
    const text = readFileSync(saved, 'utf8');
    expect(readFileSync(join(old, 'server.json'), 'utf8')).toBe(text);
    const own = readFileSync(join(folder, '.config', 'zerocast', 'server.json'), 'utf8');
    expect(JSON.parse(own)).toMatchObject({ Groups: JSON.parse(text).Groups });
    const again = await linesOf({ options: [tone], environment: { HOME: folder } });
    expect(again.join('\n')).not.toMatch(/copied/);
  });

  it('takes it over as a whole or not at all, and then at the next start', async () => {
    const old = join(folder, '.config', 'snapserver');
    mkdirSync(old, { recursive: true });
    const Groups = Array.from({ length: 500 }, (_, at) => ({
      id: `group ${at}`,
      clients: [{ id: `client ${at}` }],
    }));
    writeFileSync(join(old, 'server.json'), JSON.stringify({ ConfigVersion: 2, Groups }));
    const environment = { HOME: folder };
    const full = (await linesOf({ options: [tone], environment, maxFileBytes: 4096 })).join('\n');
    expect(full).toMatch(/cannot be taken over .*reason="EFBIG.*remedy="stop, copy server.json/);
    expect(full).not.toMatch(/damaged/);
    expect(readdirSync(join(folder, '.config', 'zerocast'))).toEqual([]);
    const lines = (await linesOf({ options: [tone], environment })).join('\n');
    expect(lines).toMatch(/snapserver are copied/);
  });
});
