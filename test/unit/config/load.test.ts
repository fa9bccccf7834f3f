import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { environmentName } from '../../../src/config/environment.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { deprecatedNames, rows } from '../../../src/config/schema.ts';
import { parseLogFilter } from '../../../src/log/log-filter.ts';
import { faultsOf, loadText, option, withoutFile } from '../../support/config-text.ts';

function sample(name: string): string {
  return fileURLToPath(new URL(`../../support/conf/${name}`, import.meta.url));
}

describe('the defaults', () => {
  const { config, warnings, file } = loadConfig(withoutFile);

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
    expect(config.logging).toEqual({ sink: '', filter: ['*:info'], format: 'text' });
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
      'filter = Stream:',
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
    expect(message).toMatch(/line 11: \[logging\] filter is "Stream:"; allowed: .*<tag>:<level>/);
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

  it.each([
    ['debug', [['*', 'debug']]],
    [
      'Stream:trace,warning',
      [
        ['Stream', 'trace'],
        ['*', 'warn'],
      ],
    ],
    [
      '*:Warning, Stream : info',
      [
        ['*', 'warn'],
        ['Stream', 'info'],
      ],
    ],
    [':error', [['*', 'error']]],
  ])('reads the filter %s', (text, levels) => {
    expect(loadText(`[logging]\nfilter = ${text}`).warnings).toEqual([]);
    expect([...(parseLogFilter(text)?.levels ?? [])]).toEqual(levels);
  });

  it('never show a secret', () => {
    const message = faultsOf(() => loadText('[authorization]\nuser =\n[stream]\nbuffer = x'));
    expect(message).toMatch(/\[authorization\] user has a value that is not shown here; allowed/);
  });

  it('must fit together', () => {
    const text = '[stream]\nbuffer = 100\nchunk_ms = 100\nsend_interval = 100';
    const message = faultsOf(() => loadText(text));
    expect(message).toMatch(
      /line 3: \[stream\] chunk_ms is 100; allowed: less than buffer, .* 100/,
    );
    expect(message).toMatch(/line 4: \[stream\] send_interval is 100; allowed: less than buffer/);
  });
});
