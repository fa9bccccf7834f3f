import { describe, expect, it } from 'vitest';
import { takeEnvironment } from '../../../src/config/environment.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { loadText, option, withoutFile } from '../../support/config-text.ts';

describe('the environment', () => {
  it('loses the settings, also misspelt ones, so that children do not inherit them', () => {
    const settings = {
      ZEROCAST_AUTHORIZATION_TOKEN_SECRET: 'sesame',
      ZEROCAST_SSL_KEY_PASWORD: 'sesame',
      ZEROCAST_STREAM_BUFFER: '500',
    };
    const others = { PATH: '/bin', ZEROCAST_NATIVE: 'off', ZEROCAST_SERVICE_HOST: '192.0.2.1' };
    const environment: NodeJS.ProcessEnv = { ...settings, ...others };
    const taken = takeEnvironment(environment);
    expect(environment).toEqual(others);
    expect(taken).toEqual({ ...settings, ...others });
    expect(loadConfig({ ...withoutFile, environment: taken }).config.stream.buffer).toBe(500);
  });
});

describe('variables that other programs know too', () => {
  const clipsOf = (environment: Record<string, string>, text = '', ...options: string[]) =>
    loadText(text, {
      environment,
      overrides: options.map((value) => option('clips.zero_copy_min_size', value)),
    }).config.clips;

  it('set how clips are copied', () => {
    const environment = {
      ZERO_COPY_ENABLED: 'false',
      ZERO_COPY_MIN_SIZE_MB: '0',
      ZERO_COPY_VERIFY_COPY: 'True',
      ZERO_COPY_CHUNK_SIZE_MB: ' 8 ',
    };
    const usual = { zeroCopy: true, zeroCopyMinSize: 10, zeroCopyVerify: false };
    expect(clipsOf({})).toMatchObject({ ...usual, zeroCopyChunkSize: 64 });
    expect(clipsOf(environment)).toMatchObject({
      zeroCopy: false,
      zeroCopyMinSize: 0,
      zeroCopyVerify: true,
      zeroCopyChunkSize: 8,
    });
  });

  it('win over the file, and lose to names of our own and to the command line', () => {
    const alias = { ZERO_COPY_MIN_SIZE_MB: '1' };
    const both = { ZEROCAST_CLIPS_ZERO_COPY_MIN_SIZE: '2', ...alias };
    const text = '[clips]\nzero_copy_min_size = 3';
    expect(clipsOf(alias, text).zeroCopyMinSize).toBe(1);
    expect(clipsOf(both, text).zeroCopyMinSize).toBe(2);
    expect(clipsOf({ ...alias, ZEROCAST_CLIPS_ZERO_COPY_MIN_SIZE: '2' }).zeroCopyMinSize).toBe(2);
    expect(clipsOf(both, text, '4').zeroCopyMinSize).toBe(4);
  });

  it.each([
    [
      'ZERO_COPY_ENABLED',
      'maybe',
      /environment variable ZERO_COPY_ENABLED: \[clips\] zero_copy is "maybe"; allowed: /,
    ],
    [
      'ZERO_COPY_MIN_SIZE_MB',
      '-1',
      /ZERO_COPY_MIN_SIZE_MB: \[clips\] zero_copy_min_size is "-1"; .* 0 to 65536/,
    ],
    [
      'ZERO_COPY_VERIFY_COPY',
      '2',
      /ZERO_COPY_VERIFY_COPY: \[clips\] zero_copy_verify is "2"; allowed: /,
    ],
    [
      'ZERO_COPY_CHUNK_SIZE_MB',
      '0',
      /ZERO_COPY_CHUNK_SIZE_MB: \[clips\] zero_copy_chunk_size is "0"; .* 1 to 1024/,
    ],
  ])('are named when %s is %s', (variable, value, message) => {
    expect(() => clipsOf({ [variable]: value })).toThrow(message);
  });

  it('are not set when they are empty, and stay for the programs that know them', () => {
    expect(clipsOf({ ZERO_COPY_CHUNK_SIZE_MB: ' ' }).zeroCopyChunkSize).toBe(64);
    const environment: NodeJS.ProcessEnv = { ZERO_COPY_ENABLED: 'false' };
    takeEnvironment(environment);
    expect(environment).toEqual({ ZERO_COPY_ENABLED: 'false' });
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
    expect(loadConfig({ ...withoutFile, overrides }).config.stream.source).toEqual(['file:///e']);
  });

  it('know the old names too', () => {
    const environment = { ZEROCAST_STREAM_PORT: '1714' };
    const overrides = [option('tcp.port', '1715'), option('tcp.enabled', 'false')];
    const { config, warnings } = loadConfig({ ...withoutFile, environment, overrides });
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
    expect(loadConfig({ ...withoutFile, environment }).warnings).toEqual([]);
  });

  it('leave alone the variables that are no settings', () => {
    const environment = {
      ZEROCAST_NATIVE: 'off',
      ZEROCAST_PORT: 'tcp://10.0.0.1:1704',
      ZEROCAST_PORT_1704_TCP_ADDR: '10.0.0.1',
      ZEROCAST_SERVICE_HOST: '10.0.0.1',
    };
    expect(loadConfig({ ...withoutFile, environment }).warnings).toEqual([]);
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

  it('of the environment prefer the same key of another section', () => {
    const environment = { ZEROCAST_HTTP_DATADIR: '/x' };
    expect(loadText('', { environment }).warnings).toEqual([
      expect.stringContaining('the nearest known one is ZEROCAST_SERVER_DATADIR'),
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
