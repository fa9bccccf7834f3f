import { describe, expect, it } from 'vitest';
import { codecHelp, codecs, parseCodec } from '../../../../src/audio/encoders/codecs.ts';
import { parseOpusOptions } from '../../../../src/audio/encoders/opus-options.ts';
import { AssertionError, SourceError } from '../../../../src/base/errors.ts';
import { benchFor, feed, music, pcmOf } from '../../../support/encoding.ts';

function faultOf(action: () => unknown): SourceError {
  try {
    action();
  } catch (error) {
    if (error instanceof SourceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a codec spec', () => {
  it.each([
    ['flac', 'flac', ''],
    ['flac:5', 'flac', '5'],
    [' FLAC : 5 ', 'flac', '5'],
    ['opus:BITRATE:64000,COMPLEXITY:5', 'opus', 'BITRATE:64000,COMPLEXITY:5'],
    ['pcm:', 'pcm', ''],
  ])('"%s" names a codec and its options', (spec, name, options) => {
    const parsed = parseCodec(spec);
    expect(parsed.codec).toBe(codecs.get(name));
    expect(parsed.options).toBe(options);
  });

  it.each(['mp3', '', ':5', 'flac5'])('"%s" is refused with the known codecs named', (spec) => {
    const fault = faultOf(() => parseCodec(spec));
    expect(fault.code).toBe('unknown-codec');
    for (const name of codecs.keys()) expect(fault.message).toContain(name);
  });

  it('rejects, not throws, when an encoder is asked for', async () => {
    await expect(benchFor('mp3', '48000:16:2')).rejects.toThrow(SourceError);
  });
});

describe('the help of a codec', () => {
  it.each([...codecs.keys()])('%s starts with its name', (name) => {
    expect(codecHelp(name)).toMatch(new RegExp(`^${name}`));
  });

  it('names ranges and defaults', () => {
    expect(codecHelp('flac')).toMatch(/0.*8.*default 2/);
    expect(codecHelp('opus')).toContain('BITRATE:<6000..512000|MAX|AUTO>,COMPLEXITY:<1..10>');
    expect(codecHelp('opus')).toContain('BITRATE:192000,COMPLEXITY:10');
    expect(codecHelp('ogg')).toMatch(/VBR.*-0\.1.*1\.0.*default VBR:0\.9/);
  });

  it('is refused for an unknown codec', () => {
    expect(faultOf(() => codecHelp('mp3')).code).toBe('unknown-codec');
  });
});

describe('codec options', () => {
  it.each([
    ['pcm:16', /pcm takes no options/],
    ['null:1', /null takes no options/],
    ['flac:9', /0 to 8/],
    ['flac:-1', /0 to 8/],
    ['flac:5.5', /0 to 8/],
    ['flac:best', /"best".*0 to 8/],
    ['opus:BITRATE:5999', /6000\.\.512000/],
    ['opus:BITRATE:512001', /6000\.\.512000/],
    ['opus:BITRATE:', /6000\.\.512000/],
    ['opus:BITRATE:64000:1', /6000\.\.512000/],
    ['opus:COMPLEXITY:0', /1\.\.10/],
    ['opus:COMPLEXITY:11', /1\.\.10/],
    ['opus:Speed:1', /"Speed:1".*BITRATE/],
    ['opus:BITRATE:64000,', /BITRATE/],
    ['ogg:0.9', /^Invalid codec options: "0.9"/],
    ['ogg:VBR', /^Invalid codec options: "VBR"/],
    ['ogg:VBR:0.5:1', /^Invalid codec options: "VBR:0.5:1"/],
    ['ogg:CBR:128', /^Unsupported codec mode: "CBR". Available: "VBR"/],
    ['ogg:VBR:good', /^Invalid codec option: "good": write/],
    ['ogg:VBR:', /^Invalid codec option: ""/],
    ['ogg:VBR:1.1', /^Invalid codec option: "1.1": .* from -0.1 to 1.0/],
    ['ogg:VBR:-0.2', /^Invalid codec option: "-0.2": .* from -0.1 to 1.0/],
  ])('%s is refused with what is allowed', async (spec, message) => {
    const fault = await benchFor(spec, '48000:16:2').catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(SourceError);
    expect(fault).toMatchObject({ code: 'bad-codec-options' });
    expect((fault as SourceError).message).toMatch(message);
  });

  it.each([
    ['', { bitrate: 192_000, complexity: 10 }],
    ['BITRATE:6000', { bitrate: 6000, complexity: 10 }],
    ['bitrate:512000,Complexity:1', { bitrate: 512_000, complexity: 1 }],
    [' COMPLEXITY : 3 , BITRATE : max ', { bitrate: -1, complexity: 3 }],
    ['BITRATE:AUTO', { bitrate: -1000, complexity: 10 }],
  ])('of opus "%s" are read in any case and order', (text, options) => {
    expect(parseOpusOptions(text)).toEqual(options);
  });
});

describe('a sample format that a codec cannot carry', () => {
  it.each([
    ['flac', '65537:16:2', /65537 Hz/],
    ['flac', '768000:16:2', /768000 Hz/],
    ['opus', '48000:16:3', /one or two channels, not 3/],
    ['ogg', '768000:16:2', /failed to init encoder: ogg of 768000 Hz and 2 channels/],
    ['opus', '500:16:2', /1000 to 192000 Hz, not 500/],
    ['opus', '384000:16:2', /1000 to 192000 Hz, not 384000/],
  ])('%s of %s is refused with a way out', async (spec, format, message) => {
    const fault = await benchFor(spec, format).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'bad-codec-format' });
    expect(fault).toBeInstanceOf(SourceError);
    expect((fault as SourceError).message).toMatch(message);
  });
});

it('building an encoder takes the options from the spec', async () => {
  const small = await benchFor('flac:8', '48000:16:2');
  const short = await benchFor('flac:2', '48000:16:2');
  expect(Buffer.from(small.encoder.header).readUInt16BE(8)).toBe(4096);
  expect(Buffer.from(short.encoder.header).readUInt16BE(8)).toBe(1152);
  small.encoder.close();
  short.encoder.close();
});

it.each(['flac', 'opus', 'ogg'])(
  '%s used after it was closed is our bug, and leaks nothing',
  async (spec) => {
    const bench = await benchFor(spec, '44100:16:2');
    const pcm = pcmOf(bench.format, 100, music);
    await feed(bench, pcm, [100]);
    bench.encoder.close();
    await expect(feed(bench, pcm, [100])).rejects.toThrow(AssertionError);
    expect(() => bench.encoder.flush(bench.emit)).toThrow(AssertionError);
    expect(bench.pool.isFull).toBe(true);
  },
);
