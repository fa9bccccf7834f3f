import { describe, expect, it } from 'vitest';
import { maxStreamNameLength, parseStreamOptions } from '../../../src/audio/stream-options.ts';
import { SourceError } from '../../../src/base/errors.ts';
import { streamDefaults } from '../../support/reader-rig.ts';

const parse = (text: string) => parseStreamOptions(text, streamDefaults);

function faultOf(text: string): SourceError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof SourceError) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe('the options of a stream', () => {
  it('are the defaults unless the address says otherwise', () => {
    const { uri, format, ...rest } = parse('pipe:///tmp/fifo?name=Living room');
    expect(uri.path).toBe('/tmp/fifo');
    expect(String(format)).toBe('48000:16:2');
    expect(rest).toEqual({
      name: 'Living room',
      codec: 'pcm',
      chunkMs: 20,
      bufferMs: 1000,
      pastMs: 1000,
      resyncToleranceMs: 250,
      formatIsExplicit: false,
      idleThresholdMs: 100,
      silenceThresholdPercent: 0,
      sendSilence: true,
      packed24: false,
      isAnnouncer: false,
      warnings: [],
    });
  });

  it('are what the address says', () => {
    const address =
      'tcp://0.0.0.0:4953?name=x&codec=flac:5&sampleformat=96000:24:2&chunk_ms=10&' +
      'idle_threshold=5000&silence_threshold_percent=0.5&send_silence=false&packed_s24le=true';
    const { format, ...rest } = parse(address);
    expect(String(format)).toBe('96000:24:2');
    expect(rest).toMatchObject({
      codec: 'flac:5',
      chunkMs: 10,
      formatIsExplicit: true,
      idleThresholdMs: 5000,
      silenceThresholdPercent: 0.5,
      sendSilence: false,
      packed24: true,
    });
  });

  it('take a parameter without a value for one that is not there', () => {
    const empty = 'codec=&sampleformat=&chunk_ms=&idle_threshold=&send_silence=&packed_s24le=';
    const { uri: _, ...options } = parse(`tone:///?name=x&${empty}`);
    const { uri: __, ...defaults } = parse('tone:///?name=x');
    expect(options).toEqual(defaults);
  });

  it.each([
    ['true', true],
    ['1', true],
    ['YES', true],
    ['on', true],
    ['False', false],
    ['0', false],
    ['no', false],
    ['off', false],
  ])('read send_silence=%s as %s', (text, expected) => {
    expect(parse(`tone:///?name=x&send_silence=${text}`).sendSilence).toBe(expected);
  });

  it.each([
    ['chunk_ms=1', 'chunkMs', 1],
    ['chunk_ms=1000', 'chunkMs', 1000],
    ['idle_threshold=10', 'idleThresholdMs', 10],
    ['silence_threshold_percent=100', 'silenceThresholdPercent', 100],
  ] as const)('accept %s, the limit', (parameter, key, value) => {
    expect(parse(`tone:///?name=x&${parameter}`)[key]).toBe(value);
  });
});

describe('options that are not right', () => {
  it.each([
    ['idle_threshold=0', 'idleThresholdMs', 10],
    ['idle_threshold=100ms', 'idleThresholdMs', 100],
    ['idle_threshold=-100', 'idleThresholdMs', 10],
    ['idle_threshold=99999999999', 'idleThresholdMs', 86_400_000],
    ['chunk_ms=0', 'chunkMs', 20],
    ['chunk_ms=-1', 'chunkMs', 20],
    ['chunk_ms=20ms', 'chunkMs', 20],
    ['chunk_ms=40 ms', 'chunkMs', 40],
    ['chunk_ms=1001', 'chunkMs', 1000],
    ['chunk_ms=1e2', 'chunkMs', 1],
    ['chunk_ms=0x10', 'chunkMs', 20],
    ['silence_threshold_percent=0,5', 'silenceThresholdPercent', 0.5],
    ['silence_threshold_percent=.5%', 'silenceThresholdPercent', 0.5],
    ['silence_threshold_percent=101', 'silenceThresholdPercent', 100],
    ['silence_threshold_percent=-1', 'silenceThresholdPercent', 0],
    ['send_silence=maybe', 'sendSilence', false],
    ['packed_s24le=2', 'packed24', false],
  ] as const)('are fixed, and a warning names what is used: %s', (parameter, key, value) => {
    const options = parse(`tone:///?name=x&${parameter}`);
    expect(options[key]).toBe(value);
    expect(options.warnings).toEqual([
      expect.stringContaining(`${parameter} is taken as ${value}: write `),
    ]);
  });

  it.each([
    ['pipe:///x?name=x&chunkms=20', '"chunkms" has no effect: chunk_ms may be meant'],
    ['pipe:///x?name=x&Codec=pcm', '"Codec" has no effect: codec may be meant'],
    ['pipe:///x?name=x&sample_format=1:16:1', '"sample_format" has no effect: sampleformat may'],
    ['pipe:///x?name=x&moed=read', '"moed" has no effect: mode may be meant'],
    ['process:///x?name=x&wd_timout=3', '"wd_timout" has no effect: wd_timeout may be meant'],
    ['tcp://h?name=x&dryout_ms=2000', 'the parameter "dryout_ms" has no effect'],
    ['file:///x?name=x&mode=read', 'the parameter "mode" has no effect'],
  ])('have a name that nothing reads: %s', (address, sentence) => {
    expect(parse(address).warnings).toEqual([expect.stringContaining(sentence)]);
  });

  it('are told of in bounded number, without their values', () => {
    const many = Array.from({ length: 500 }, (_, index) => `s${index}=hidden`).join('&');
    const { warnings } = parse(`pipe:///x?name=x&${many}`);
    expect(warnings).toHaveLength(11);
    expect(warnings.at(-1)).toBe('490 more parameters have no effect');
    expect(warnings.join()).not.toContain('hidden');
  });

  it.each([
    'pipe:///x?name=x&mode=read&codec=flac&controlscript=a.py&controlscriptparams=-x',
    'process:///x?name=x&params=-c&wd_timeout=1&log_stderr=true&send_silence=true',
    'tcp://h?name=x&port=4953&mode=client&packed_s24le=false&idle_threshold=60000',
    'tone:///?name=x&freq=440&pattern=sine&level=-20&silence_threshold_percent=1',
    'librespot:///x?name=x&devicename=y&bitrate=320',
  ])('are none of those that a source has: %s', (address) => {
    expect(parse(address).warnings).toEqual([]);
  });
});

describe('a kind of source that has one format', () => {
  it.each(['airplay', 'librespot', 'spotify'])('%s has it whatever the address says', (scheme) => {
    expect(String(parse(`${scheme}:///?name=x`).format)).toBe('44100:16:2');
    const { format, warnings } = parse(`${scheme}:///?name=x&sampleformat=48000:24:2`);
    expect(String(format)).toBe('44100:16:2');
    expect(warnings).toEqual([
      `sampleformat=48000:24:2 has no effect: ${scheme} always plays 44100:16:2`,
    ]);
    expect(parse(`${scheme}:///?name=x&sampleformat=44100:16:2`).warnings).toEqual([]);
  });
});

describe('options that cannot be used', () => {
  it.each([
    ['chunk_ms=twenty', 'from 1 to 1000'],
    ['chunk_ms=NaN', 'from 1 to 1000'],
    ['sampleformat=48000:16', 'rate:bits:channels'],
    ['sampleformat=48000:20:2', '8, 16, 24 or 32 bits'],
  ])('name the stream, the parameter %s and what is allowed', (parameter, allowed) => {
    const fault = faultOf(`tone:///?name=Bad&${parameter}`);
    expect(fault.code).toBe('bad-parameter');
    expect(fault.message).toContain('stream "Bad"');
    expect(fault.message).toContain(`${parameter} cannot be used`);
    expect(fault.message).toContain(allowed);
  });

  it('are packed samples of a format that has none', () => {
    const fault = faultOf('tone:///?name=Bad&packed_s24le=true');
    expect(fault.message).toContain('needs a 24-bit sampleformat, not 48000:16:2');
  });

  it('are those of a name that is too long for every group to remember it', () => {
    expect(parse(`tone:///?name=${'x'.repeat(maxStreamNameLength)}`).name).toHaveLength(512);
    const fault = faultOf(`tone:///?name=${'x'.repeat(maxStreamNameLength + 1)}`);
    expect(fault.code).toBe('long-name');
    expect(fault.message).toMatch(/"x{32}…" is longer than 512 characters: shorten it/);
  });

  it.each(['tone:///', 'tone:///?name=', 'tone:///?name=  ', 'tone:///?codec=pcm'])(
    'are those of %s, which has no name',
    (address) => {
      const fault = faultOf(address);
      expect(fault.code).toBe('no-name');
      expect(fault.message).toContain('add ?name=');
    },
  );

  it('are those of an address that is none', () => {
    expect(faultOf('pipe:/tmp/fifo?name=x').code).toBe('bad-uri');
  });
});
