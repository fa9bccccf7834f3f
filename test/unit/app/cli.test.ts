import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Command, parseCommandLine } from '../../../src/app/cli.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { compatibleVersion, packageVersion } from '../../../src/base/version.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { rows } from '../../../src/config/schema.ts';
import { usage, versionText } from '../../../src/config/usage.ts';

type Serve = Extract<Command, { kind: 'serve' }>;

function serve(...argv: string[]): Serve {
  const command = parseCommandLine(argv);
  if (command.kind !== 'serve') throw new Error(`it is a ${command.kind}`);
  return command;
}

function configOf(...argv: string[]) {
  return loadConfig({ searchPaths: [], overrides: serve(...argv).overrides });
}

describe('the command line', () => {
  it('serves by default', () => {
    expect(parseCommandLine([])).toEqual({ kind: 'serve', overrides: [], warnings: [] });
  });

  it.each([
    [['-h'], false],
    [['--help'], false],
    [['-hh'], true],
    [['-h', '-h'], true],
    [['--help', '-h'], true],
    [['--config', '-h'], false],
    [['-v', '-h', '--nonsense'], false],
  ])('shows help for %j', (argv, all) => {
    expect(parseCommandLine(argv)).toEqual({ kind: 'help', all });
  });

  it('shows the version', () => {
    expect(parseCommandLine(['-v'])).toEqual({ kind: 'version' });
    expect(parseCommandLine(['--stream.codec=flac', '--version'])).toEqual({ kind: 'version' });
  });

  it('asks a codec for its options', () => {
    const question = { kind: 'codec-help', codec: 'flac' };
    expect(parseCommandLine(['--stream.codec=flac:?'])).toEqual(question);
    expect(parseCommandLine(['--stream.codec', 'flac:?'])).toEqual(question);
  });

  it('hands over to the probe', () => {
    const args = ['host:1704', '--json', '-h'];
    expect(parseCommandLine(['probe', ...args])).toEqual({ kind: 'probe', args });
  });

  it('hashes a password, which is no argument', () => {
    expect(parseCommandLine(['hash-password'])).toEqual({ kind: 'hash-password' });
    expect(parseCommandLine(['hash-password', '-h'])).toEqual({ kind: 'help', all: false });
    const parse = () => parseCommandLine(['hash-password', 'hunter2']);
    expect(parse).toThrow(/takes no argument: it reads the password from the terminal/);
    expect(parse).not.toThrow(/hunter2/);
  });

  it.each(['token', 'hash-password', 'probe', 'clips'])(
    'wants %s in front of all options',
    (word) => {
      const argv = ['-c', 'a.conf', word, 'ann'];
      expect(() => parseCommandLine(argv)).toThrow(`"${word}" must come first: zerocast ${word}`);
    },
  );

  it('makes a token by the settings of file and options', () => {
    expect(parseCommandLine(['token', 'ann'])).toEqual({
      kind: 'token',
      user: 'ann',
      hours: 10,
      overrides: [],
    });
    const argv = ['token', 'ann', '--hours', '0.5', '-c', 'a.conf', '--ssl.certificate=c.pem'];
    expect(parseCommandLine(argv)).toEqual({
      kind: 'token',
      user: 'ann',
      hours: 0.5,
      configFile: 'a.conf',
      overrides: [
        { section: 'ssl', key: 'certificate', value: 'c.pem', origin: 'option --ssl.certificate' },
      ],
    });
    expect(parseCommandLine(['token', '--help'])).toEqual({ kind: 'help', all: false });
  });

  it.each([
    [[], /^token needs a user: token <user>/],
    [['--hours', '1'], /^token needs a user/],
    [['ann', 'bob'], /^argument "bob" is not understood: it belongs to no option\n/],
    [['ann', '--huors=1'], /^unknown option "--huors" is not understood; .* one is --hours\n/],
    [['ann', '-z'], /^unknown option "-z" is not understood/],
    [['ann', '--hours'], /^option "--hours" needs a number: --hours=\.\.\.\n/],
    [['ann', '--hours=0'], /^option --hours is "0"; allowed: a number above 0 and up to 87600\n/],
    [['ann', '--hours=-1'], /^option --hours is "-1"/],
    [['ann', '--hours=1e3'], /^option --hours is "1e3"/],
    [['ann', '--hours=87601'], /^option --hours is "87601"/],
  ])('makes no token for %j', (argv, message) => {
    const parse = () => parseCommandLine(['token', ...argv]);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(message);
  });

  it.each([
    [['list'], { action: 'list', json: false }],
    [['list', '--json'], { action: 'list', json: true }],
    [['add', 'a.wav', 'b.mp3'], { action: 'add', files: ['a.wav', 'b.mp3'], replace: false }],
    [
      ['add', '--replace', 'a.wav', '--name=b.wav'],
      { action: 'add', files: ['a.wav'], replace: true, name: 'b.wav' },
    ],
    [['remove', 'a.wav', 'b.wav'], { action: 'remove', names: ['a.wav', 'b.wav'] }],
  ])('works on clips for %j', (argv, request) => {
    const common = { kind: 'clips', request, overrides: [] };
    expect(parseCommandLine(['clips', ...argv])).toEqual({ ...common, isDaemon: false });
    const more = parseCommandLine(['clips', ...argv, '-d', '-c', 'a.conf']);
    expect(more).toEqual({ ...common, isDaemon: true, configFile: 'a.conf' });
  });

  it.each([
    [[], /^clips needs to know what to do: clips list, clips add FILE\.\.\., clips remove NAME/],
    [['show'], /^clips knows no "show": clips list/],
    [['add'], /^clips add needs at least one FILE\n/],
    [['remove', '--json'], /^--json belongs to clips list\nclips remove needs at least one NAME\n/],
    [['list', 'a.wav'], /^clips list shows all clips: it takes no name\n/],
    [['list', '--replace'], /^--replace and --name belong to clips add\n/],
    [['add', 'a', 'b', '--name', 'c'], /^--name is for one FILE alone\n/],
    [['add', 'a', '--replace=b'], /^option --replace takes no value\n/],
    [['add', 'a', '--repalce'], /^unknown option "--repalce" is not understood; .* is --replace\n/],
  ])('does not work on clips for %j', (argv, message) => {
    expect(() => parseCommandLine(['clips', ...argv])).toThrow(message);
  });

  it.each([[['-c', 'a.conf']], [['-ca.conf']], [['--config', 'a.conf']], [['--config=a.conf']]])(
    'takes the file from %j',
    (argv) => {
      expect(serve(...argv)).toMatchObject({ configFile: 'a.conf', overrides: [], warnings: [] });
    },
  );

  it.each([[['-z']], [['--zerocopy']], [['--stream.zerocopy', 'yes']]])(
    'switches zero-copy on for %j',
    (argv) => {
      expect(configOf(...argv).config.stream.zerocopy).toBe(true);
    },
  );

  it('overrides settings with and without an equals sign', () => {
    const { config, warnings } = configOf(
      '--stream.codec=flac:8',
      '--server.threads',
      '-1',
      '--stream.source',
      'pipe:///a?name=x=y',
      '--stream.source=tcp://[::1]:4953?name=A B',
      '--http.doc_root=',
    );
    expect(warnings).toEqual([]);
    expect(config.stream.codec).toBe('flac:8');
    expect(config.server.threads).toBe(-1);
    expect(config.stream.source).toEqual(['pipe:///a?name=x=y', 'tcp://[::1]:4953?name=A B']);
    expect(config.http.docRoot).toBe('');
  });

  it('starts as Music Assistant starts its server', () => {
    const file = fileURLToPath(new URL('../../support/conf/current.conf', import.meta.url));
    const argv = [
      `--config=${file}`,
      '--server.datadir=/data/snap',
      '--http.enabled=true',
      '--http.port=1780',
      '--http.doc_root=/usr/share/snapweb',
      '--tcp-control.enabled=true',
      '--tcp-control.port=1705',
      '--stream.sampleformat=48000:16:2',
      '--stream.buffer=1200',
      '--stream.chunk_ms=26',
      '--stream.codec=flac',
      '--stream.send_to_muted=false',
      '--streaming_client.initial_volume=25',
      '--stream.plugin_dir=/app/plugins',
    ];
    const { configFile, overrides, warnings } = serve(...argv);
    expect(warnings).toEqual([]);
    const loaded = loadConfig({ file: configFile, overrides });
    expect(loaded.warnings).toEqual([]);
    expect(loaded.config).toMatchObject({
      server: { datadir: '/data/snap' },
      http: { enabled: true, port: 1780, docRoot: '/usr/share/snapweb' },
      tcpControl: { enabled: true, port: 1705 },
      stream: { buffer: 1200, chunkMs: 26, codec: 'flac', pluginDir: '/app/plugins' },
      streamingClient: { initialVolume: 25 },
    });
    const older = argv.map((one) => one.replace('--tcp-control.', '--tcp.'));
    const loadedOlder = loadConfig({ file, overrides: serve(...older).overrides });
    expect(loadedOlder.config).toEqual(loaded.config);
    expect(loadedOlder.warnings).toHaveLength(2);
  });

  it('accepts the short options of old start scripts, with a warning', () => {
    const argv = ['-s', 'pipe:///tmp/x?name=V', '-b800', '-p', '1714', '-c', 'flac:2'];
    const { overrides, warnings, configFile } = serve(...argv);
    const { config } = loadConfig({ searchPaths: [], overrides });
    expect(configFile).toBeUndefined();
    expect(config.stream).toMatchObject({
      source: ['pipe:///tmp/x?name=V'],
      buffer: 800,
      codec: 'flac:2',
    });
    expect(config.tcpStreaming.port).toBe(1714);
    expect(warnings).toHaveLength(4);
    expect(warnings[0]).toBe('option -s is deprecated; write --stream.source=... instead');
  });

  it.each([
    ['--stream', 'pipe:///tmp/x?name=V', 'stream.source', ['pipe:///tmp/x?name=V']],
    ['--buffer', '800', 'stream.buffer', 800],
    ['--port', '1714', 'tcp-streaming.port', 1714],
    ['--controlPort', '1715', 'tcp-control.port', 1715],
    ['--codec', 'flac:2', 'stream.codec', 'flac:2'],
    ['--streamBuffer', '40', 'stream.chunk_ms', 40],
    ['--sampleformat', '44100:16:2', 'stream.sampleformat', SampleFormat.parse('44100:16:2')],
  ])('accepts the long option of old start scripts %s', (option, text, setting, value) => {
    const keyOf = (name: string) =>
      name.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
    const [section = '', key = ''] = setting.split('.').map(keyOf);
    for (const argv of [[`${option}=${text}`], [option, text]]) {
      const { overrides, warnings } = serve(...argv);
      const config: unknown = loadConfig({ searchPaths: [], overrides }).config;
      expect(config).toHaveProperty([section, key], value);
      expect(warnings).toEqual([`option ${option} is deprecated; write --${setting}=... instead`]);
    }
  });

  it('takes --sendToMuted for a flag, and leaves what follows alone', () => {
    const { overrides, configFile } = serve('--sendToMuted', '-c', '/etc/a.conf');
    expect(loadConfig({ searchPaths: [], overrides }).config.stream.sendToMuted).toBe(true);
    expect(configFile).toBe('/etc/a.conf');
  });

  it.each([
    ['-d', 0],
    ['--daemon', 0],
    ['-d-3', -3],
    ['-d5', 5],
    ['--daemon=-20', -20],
    ['--daemon=+19', 19],
  ])('goes into the background for %s', (text, priority) => {
    expect(serve(text)).toMatchObject({ daemon: { priority }, warnings: [] });
  });

  it.each([
    ['-d-21', -20],
    ['--daemon=200', 19],
  ])('takes the nearest nice value for %s', (text, priority) => {
    const { daemon, warnings } = serve(text);
    expect(daemon).toEqual({ priority });
    expect(warnings).toEqual([expect.stringMatching(/^option --?d\w* is -?\d+, -?\d+ is used/)]);
  });

  it.each(['-dfast', '--daemon=', '--daemon=1.5'])('refuses the nice value of %s', (text) => {
    expect(() => serve(text)).toThrow(/allowed: nothing, or a nice value from -20 to 19/);
  });

  it('stays in the foreground without that, and leaves other arguments alone', () => {
    expect(serve().daemon).toBeUndefined();
    const { daemon, warnings } = serve('-d', '5');
    expect(daemon).toEqual({ priority: 0 });
    expect(warnings).toEqual(['argument "5" is ignored: it belongs to no option']);
  });

  it('warns of what it does not know', () => {
    const { warnings, overrides } = serve(
      '--confg=x',
      '-q',
      '--datadir=/x',
      'pipe:///x',
      '--',
      '-',
    );
    expect(overrides).toEqual([]);
    expect(warnings).toEqual([
      'unknown option "--confg" is ignored; the nearest known one is --config',
      expect.stringMatching(/^unknown option "-q" is ignored; the nearest known one is -/),
      'unknown option "--datadir" is ignored; the nearest known one is --server.datadir',
      'argument "pipe:///x" is ignored: it belongs to no option',
      'argument "--" is ignored: it belongs to no option',
      'argument "-" is ignored: it belongs to no option',
    ]);
  });

  it('swallows the value of an unknown setting', () => {
    const { overrides, warnings } = serve('--streem.codec', 'opus');
    expect(warnings).toEqual([]);
    expect(loadConfig({ searchPaths: [], overrides }).warnings).toEqual([
      expect.stringMatching(/option --streem.codec: .* the nearest known one is \[stream\] codec/),
    ]);
  });

  it('tells all missing values together and points to the help', () => {
    const parse = () => parseCommandLine(['--stream.codec', '--http.port', '-z', '-c']);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(/"--stream.codec" needs a value: --stream.codec=\.\.\.\n/);
    expect(parse).toThrow(/"--http.port" needs a value/);
    expect(parse).toThrow(/"-c" needs a file name: -c \.\.\.\nzerocast --help lists the options$/);
  });
});

describe('the help', () => {
  it('lists every setting only when asked twice', () => {
    expect(usage(false)).toContain('--zerocopy');
    expect(usage(false)).not.toContain('--stream.buffer=');
    for (const { section, key } of rows) expect(usage(true)).toContain(`\n  --${section}.${key}=`);
    expect(usage(true)).toContain('--stream.buffer=VALUE (ms)\n');
  });

  it('fits a terminal', () => {
    for (const line of usage(true).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe('the version', () => {
  it('names ours, the compatible one, the licence and what encodes FLAC', () => {
    const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
    expect(manifest).toContain(`"version": "${packageVersion}"`);
    const [first, second, third, fourth] = versionText('libFLAC 1.4.2').split('\n');
    expect(first).toBe(`zerocast v${packageVersion}`);
    expect(second).toContain(`snapserver v${compatibleVersion}`);
    expect(third).toMatch(/MIT/);
    expect(fourth).toBe('FLAC encoder: libFLAC 1.4.2');
  });
});
