import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxConfigBytes } from '../../src/config/config-file.ts';
import { environmentName } from '../../src/config/environment.ts';
import { type ConfigInputs, loadConfig, type Override } from '../../src/config/load-config.ts';
import { deprecatedNames, rows } from '../../src/config/schema.ts';
import { ConfigError } from '../../src/errors.ts';

const nothing: ConfigInputs = { searchPaths: [] };

function loadText(text: string | Uint8Array, more: ConfigInputs = {}) {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return loadConfig({ file: 'my.conf', readFile: () => bytes, ...more });
}

function faultsOf(load: () => unknown): string {
  try {
    load();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ConfigError);
    return (thrown as ConfigError).message;
  }
  throw new Error('nothing was thrown');
}

function option(name: string, value: string): Override {
  const [section = '', key = ''] = name.split('.');
  return { section, key, value, option: `--${name}` };
}

function sample(name: string): string {
  return fileURLToPath(new URL(`../support/conf/${name}`, import.meta.url));
}

describe('the defaults', () => {
  const { config, warnings, file } = loadConfig(nothing);

  it('are those of upstream and our own', () => {
    expect(file).toBeUndefined();
    expect(warnings).toEqual([]);
    expect(config.stream).toMatchObject({
      source: ['pipe:///tmp/snapfifo?name=default'],
      codec: 'flac',
      chunkMs: 20,
      buffer: 1000,
      sendToMuted: false,
      zerocopy: false,
      sendInterval: 'auto',
      instantStart: true,
      instantStartBurst: 4096,
      resyncTolerance: 'auto',
    });
    expect(config.stream.sampleformat.toString()).toBe('48000:16:2');
    expect(config.tcpStreaming).toEqual({
      enabled: true,
      bindToAddress: ['::'],
      port: 1704,
      publish: true,
      helloTimeout: 5000,
      stallTimeout: 10_000,
    });
    expect(config.tcpControl.port).toBe(1705);
    expect(config.http).toMatchObject({ port: 1780, sslPort: 1788, host: hostname() });
    expect(config.streamingClient.initialVolume).toBe(100);
    expect(config.logging).toEqual({ sink: 'stdout', filter: ['*:info'], format: 'text' });
    expect(config.server.threads).toBe(-1);
    expect(config.ssl.clientCert).toEqual([]);
    expect(config.authorization.user).toEqual([]);
  });

  it('are frozen to the last list', () => {
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.stream)).toBe(true);
    expect(Object.isFrozen(config.stream.source)).toBe(true);
  });

  it('have one environment variable each', () => {
    const names = [...rows.map((row) => `${row.section}.${row.key}`), ...deprecatedNames.keys()];
    const variables = names.map((name) =>
      environmentName(...(name.split('.') as [string, string])),
    );
    expect(new Set(variables).size).toBe(names.length);
  });
});

describe('files written for snapserver', () => {
  it('load without a word when they are current', () => {
    const { config, warnings, file } = loadConfig({ file: sample('current.conf') });
    expect(warnings).toEqual([]);
    expect(file).toBe(sample('current.conf'));
    expect(config.http.docRoot).toBe('/usr/share/snapserver/snapweb');
    expect(config.stream.source).toEqual(['pipe:///tmp/snapfifo?name=default']);
  });

  it('load as they are when old, with warnings that name the new keys', () => {
    const { config, warnings } = loadConfig({ file: sample('old.conf') });
    expect(config.tcpControl).toMatchObject({ port: 1805, bindToAddress: ['0.0.0.0'] });
    expect(config.tcpStreaming).toMatchObject({ port: 1804, bindToAddress: ['0.0.0.0', '::'] });
    expect(config.stream.chunkMs).toBe(26);
    expect(config.stream.source).toEqual([
      'pipe:///tmp/snapfifo?name=Radio&mode=read',
      'spotify:///librespot?name=Spotify&username=me&password=a#b;c=d&bitrate=320',
      'process:///bin/sh?name=Echo&params=-c%20"echo;x"',
    ]);
    expect(config.logging.filter).toEqual(['*:info,Stream:debug']);
    expect(warnings).toHaveLength(8);
    expect(warnings).toContain(
      `${sample('old.conf')}, line 15: [tcp] port is deprecated; write [tcp-control] port instead`,
    );
  });

  it('load as NixOS writes them', () => {
    const { config, warnings } = loadConfig({ file: sample('nixos.conf') });
    expect(warnings).toEqual([]);
    expect(config.stream.source).toHaveLength(3);
    expect(config.stream.buffer).toBe(742);
    expect(config.tcpStreaming.port).toBe(10_004);
  });
});

describe('values', () => {
  it.each([
    ['true', true],
    ['TRUE', true],
    ['Yes', true],
    ['on', true],
    ['1', true],
    ['false', false],
    ['No', false],
    ['OFF', false],
    ['0', false],
  ])('take %s for a truth value', (text, value) => {
    expect(loadText(`[stream]\nsend_to_muted = ${text}`).config.stream.sendToMuted).toBe(value);
  });

  it('are told one by one, with place, what was found and what is allowed', () => {
    const text = [
      '[stream]',
      'buffer = soon',
      'sampleformat = 48000/16/2',
      'send_to_muted = maybe',
      'codec =',
      '[http]',
      'port = 70000',
      'bind_to_address = 999.1.1.1',
      '[logging]',
      'sink = printer',
      'filter = debug',
      'format = xml',
    ].join('\n');
    const overrides = [option('stream.send_interval', 'never')];
    const environment = { ZEROCAST_TCP_CONTROL_PORT: '-5' };
    const message = faultsOf(() => loadText(text, { overrides, environment }));
    expect(message.split('\n')).toHaveLength(12);
    expect(message).toContain('the configuration has 11 faults');
    expect(message).toContain(
      'my.conf, line 2: [stream] buffer is "soon"; allowed: a whole number from 20 to 60000 (ms)',
    );
    expect(message).toMatch(/line 3: \[stream\] sampleformat is "48000\/16\/2"; .*48000:16:2/);
    expect(message).toMatch(/line 4: \[stream\] send_to_muted is "maybe"; allowed: true or false/);
    expect(message).toMatch(/line 5: \[stream\] codec is ""; allowed: a codec/);
    expect(message).toMatch(/line 7: \[http\] port is "70000"; allowed: .* from 0 to 65535/);
    expect(message).toMatch(/line 8: \[http\] bind_to_address is "999.1.1.1"; allowed: an IP/);
    expect(message).toMatch(/line 10: \[logging\] sink is "printer"; allowed: stdout, /);
    expect(message).toMatch(/line 11: \[logging\] filter is "debug"; allowed: .*<tag>:<level>/);
    expect(message).toMatch(/line 12: \[logging\] format is "xml"; allowed: text or json/);
    expect(message).toMatch(/option --stream.send_interval: .* is "never"; allowed: auto or /);
    expect(message).toMatch(/variable ZEROCAST_TCP_CONTROL_PORT: \[tcp-control\] port is "-5"/);
  });

  it('are refused in the file even when an option overrides them', () => {
    const overrides = [option('stream.buffer', '500')];
    expect(faultsOf(() => loadText('[stream]\nbuffer = x', { overrides }))).toMatch(/line 2/);
  });

  it('are raised to what upstream raises them to, with a warning', () => {
    const { config, warnings } = loadText('[stream]\nchunk_ms = 5\nbuffer = 19');
    expect(config.stream).toMatchObject({ chunkMs: 10, buffer: 20 });
    expect(warnings).toEqual([
      'my.conf, line 2: [stream] chunk_ms: 5 is too small: 10 is used',
      'my.conf, line 3: [stream] buffer: 19 is too small: 20 is used',
    ]);
  });

  it.each(['1e3', '0x10', '1000 ms', '12.5', '', '9'.repeat(400)])(
    'refuse %j as a number',
    (text) => {
      expect(faultsOf(() => loadText(`[stream]\nbuffer = ${text}`))).toMatch(/whole number/);
    },
  );

  it('are auto or a number where the server can choose', () => {
    const { stream } = loadText('[stream]\nsend_interval = AUTO\nresync_tolerance = 100').config;
    expect(stream).toMatchObject({ sendInterval: 'auto', resyncTolerance: 100 });
    expect(loadText('[stream]\nsend_interval = 0').config.stream.sendInterval).toBe(0);
  });

  it.each(['::1', '[::1]', 'fe80::1%eth0', '0.0.0.0', 'localhost', 'box.local'])(
    'take %s for an address',
    (text) => {
      const { config } = loadText(`[tcp-streaming]\nbind_to_address = ${text}`);
      expect(config.tcpStreaming.bindToAddress).toEqual([text.replace(/[[\]]/g, '')]);
    },
  );

  it('fill in the name of the machine', () => {
    const { config } = loadText('[http]\nhost = <hostname>.lan');
    expect(config.http.host).toBe(`${hostname()}.lan`);
  });

  it('warn about a level that does not exist', () => {
    const { config, warnings } = loadText('[logging]\nfilter = *:info,Stream:loud');
    expect(config.logging.filter).toEqual(['*:info,Stream:loud']);
    expect(warnings[0]).toMatch(/line 2: \[logging\] filter: "loud" is no level, info is used/);
  });

  it('never show a secret', () => {
    const message = faultsOf(() => loadText('[authorization]\nuser =\n[stream]\nbuffer = x'));
    expect(message).toMatch(/\[authorization\] user has a value that is not shown here; allowed/);
  });

  it('must fit together', () => {
    const text = '[stream]\nbuffer = 100\nchunk_ms = 200\nsend_interval = 100';
    const message = faultsOf(() => loadText(text));
    expect(message).toMatch(/line 3: \[stream\] chunk_ms is 200; allowed: at most buffer, .* 100/);
    expect(message).toMatch(/line 4: \[stream\] send_interval is 100; allowed: less than buffer/);
  });
});

describe('layers', () => {
  it('win in the order file, environment, command line', () => {
    const environment = { ZEROCAST_STREAM_BUFFER: '500', ZEROCAST_STREAM_CODEC: 'opus' };
    const overrides = [option('stream.codec', 'null'), option('stream.codec', 'pcm')];
    const text = '[stream]\nbuffer = 400\ncodec = flac\nchunk_ms = 40';
    const { stream } = loadText(text, { environment, overrides }).config;
    expect(stream).toMatchObject({ buffer: 500, codec: 'pcm', chunkMs: 40 });
  });

  it('replace lists by the environment and add to them by the command line', () => {
    const text =
      '[stream]\nsource = file:///a\nsource[] = file:///b\n[http]\nbind_to_address = ::1';
    const environment = { ZEROCAST_STREAM_SOURCE: ' file:///c \n\n file:///d?x=1\r\n' };
    const overrides = [
      option('stream.source', 'file:///e'),
      option('stream.source', 'file:///f'),
      option('http.bind_to_address', '127.0.0.1'),
    ];
    expect(loadText(text).config.stream.source).toEqual(['file:///a', 'file:///b']);
    const { config } = loadText(text, { environment, overrides });
    expect(config.stream.source).toEqual(['file:///c', 'file:///d?x=1', 'file:///e', 'file:///f']);
    expect(config.http.bindToAddress).toEqual(['::1', '127.0.0.1']);
  });

  it('leave out the default of a list as soon as anything is given', () => {
    const overrides = [option('stream.source', 'file:///e')];
    expect(loadConfig({ ...nothing, overrides }).config.stream.source).toEqual(['file:///e']);
  });

  it('know the old names too', () => {
    const environment = { ZEROCAST_STREAM_PORT: '1714' };
    const overrides = [option('tcp.port', '1715'), option('tcp.enabled', 'false')];
    const { config, warnings } = loadConfig({ ...nothing, environment, overrides });
    expect(config.tcpStreaming.port).toBe(1714);
    expect(config.tcpControl).toMatchObject({ port: 1715, enabled: false });
    expect(warnings).toContain(
      'option --tcp.port: [tcp] port is deprecated; write [tcp-control] port instead',
    );
    expect(warnings).toHaveLength(3);
  });

  it('prefer the new name of a key wherever it stands', () => {
    const { config } = loadText('[tcp-control]\nport = 1\n[tcp]\nport = 2');
    expect(config.tcpControl.port).toBe(1);
  });

  it('take the last of a key that stands twice, and say so', () => {
    const { config, warnings } = loadText('[stream]\nbuffer = 100\n[http]\n[stream]\nbuffer = 200');
    expect(config.stream.buffer).toBe(200);
    expect(warnings).toEqual([
      'my.conf, line 2: [stream] buffer is ignored: it is set again at my.conf, line 5',
    ]);
  });

  it('take an empty environment variable for one that is not set', () => {
    const environment = { ZEROCAST_STREAM_CODEC: '', ZEROCAST_STREAM_SOURCE: ' ', PATH: '/bin' };
    expect(loadConfig({ ...nothing, environment }).warnings).toEqual([]);
  });

  it('leave alone the variables that are no settings', () => {
    const environment = {
      ZEROCAST_NATIVE: 'off',
      ZEROCAST_PORT: 'tcp://10.0.0.1:1704',
      ZEROCAST_PORT_1704_TCP_ADDR: '10.0.0.1',
      ZEROCAST_SERVICE_HOST: '10.0.0.1',
    };
    expect(loadConfig({ ...nothing, environment }).warnings).toEqual([]);
  });
});

describe('unknown names', () => {
  it('are ignored with the nearest known one', () => {
    const text =
      '[stream]\nsample_format = x\n[streem]\ncodec = opus\nbufer = 1\n[http]\nbuffer = 1';
    const environment = { ZEROCAST_STREAM_BUFER: '1' };
    const overrides = [option('stream.bufer', '1')];
    const { config, warnings } = loadText(text, { environment, overrides });
    expect(config.stream.codec).toBe('flac');
    expect(warnings).toEqual([
      'my.conf, line 2: "sample_format" is ignored: no such key in [stream]; ' +
        'the nearest known one is [stream] sampleformat',
      'my.conf, line 4: all keys of "streem" are ignored: no such section; ' +
        'for "codec" the nearest known one is [stream] codec',
      'my.conf, line 7: "buffer" is ignored: no such key in [http]; ' +
        'the nearest known one is [stream] buffer',
      'environment variable ZEROCAST_STREAM_BUFER: ignored: it sets nothing; ' +
        'the nearest known one is ZEROCAST_STREAM_BUFFER',
      'option --stream.bufer: "bufer" is ignored: no such key in [stream]; ' +
        'the nearest known one is [stream] buffer',
    ]);
  });

  it('include keys before any section', () => {
    const { warnings } = loadText('buffer = 1\ncodec = x');
    expect(warnings).toEqual([
      'my.conf, line 1: keys before the first [section] are ignored, as is "buffer"; ' +
        'the nearest known one is [stream] buffer',
    ]);
  });

  it('cannot flood the log', () => {
    const { warnings } = loadText(`[stream]\n${'x = 1\n'.repeat(100_000)}`);
    expect(warnings).toHaveLength(51);
    expect(warnings.at(-1)).toBe('and 99950 more warnings');
  });
});

describe('the file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'zerocast-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is the first of the search paths that is there', () => {
    const path = join(folder, 'second.conf');
    writeFileSync(path, '[stream]\nbuffer = 321\n');
    const searchPaths = [join(folder, 'no.conf'), join(path, 'no.conf'), path, '/dev/zero'];
    const { config, file } = loadConfig({ searchPaths });
    expect(file).toBe(path);
    expect(config.stream.buffer).toBe(321);
  });

  it('must be there when it was asked for', () => {
    const file = join(folder, 'no.conf');
    expect(faultsOf(() => loadConfig({ file }))).toMatch(/no.conf: .* cannot be read: ENOENT/);
  });

  it('must be readable when it is there', () => {
    const path = join(folder, 'folder.conf');
    mkdirSync(path);
    expect(faultsOf(() => loadConfig({ searchPaths: [path] }))).toMatch(/cannot be read: EISDIR/);
  });

  it('must not be longer than the limit, without being read to the end', () => {
    const message = faultsOf(() => loadConfig({ file: '/dev/zero' }));
    expect(message).toContain(`the file is too long; allowed: ${maxConfigBytes} bytes`);
    const longest = `#${'x'.repeat(maxConfigBytes - 1)}`;
    expect(loadText(longest).warnings).toEqual([]);
  });

  it('must be text', () => {
    expect(faultsOf(() => loadText('[stream]\n\0'))).toMatch(/the file is binary: it has NUL/);
    const garbage = Uint8Array.from({ length: 5000 }, (_, index) => ((index * 7919) % 255) + 1);
    expect(faultsOf(() => loadText(garbage))).toMatch(/line \d+: ".*" is no text/);
    const latin1 = Buffer.from('# K\xfcche\n[stream]\nsource = pipe:///x?name=K\xfcche', 'latin1');
    expect(faultsOf(() => loadText(latin1))).toMatch(/a fault:\n.*line 3: .* is no text.*UTF-8/);
  });

  it('does not make a message without end', () => {
    const message = faultsOf(() =>
      loadText(`[stream]\n${`buffer = ${'x'.repeat(900)}\n`.repeat(999)}`),
    );
    expect(message).toContain('and 949 more faults');
    expect(message.length).toBeLessThan(20_000);
  });
});
