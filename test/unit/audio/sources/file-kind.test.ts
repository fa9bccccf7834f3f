import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { fileKindOf, kindHeadBytes } from '../../../../src/audio/sources/file-kind.ts';
import { parseStreamOptions } from '../../../../src/audio/stream-options.ts';
import { SourceError } from '../../../../src/base/errors.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { wavFile } from '../../../support/pcm-fixtures.ts';
import { SourceHarness } from '../../../support/source-harness.ts';

const folder = scratchFolder();
afterAll(() => folder.remove());

/** Bytes that look like noise, the same ones at each run. */
function noise(bytes: number, seed: string): Buffer {
  const blocks: Buffer[] = [];
  for (let block = 0; 32 * block < bytes; block += 1) {
    blocks.push(createHash('sha256').update(`${seed}/${block}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, bytes);
}

function fileWith(name: string, content: Uint8Array): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

/** Frames of `frameBytes` that begin with `header`, with noise in between. */
function frames(header: readonly number[], frameBytes: number): Buffer {
  const content = noise(frameBytes * 20, 'frames');
  for (let at = 0; at < content.length; at += frameBytes) content.set(header, at);
  return content;
}

/** `latin1` in front of noise. */
function marked(latin1: string): Buffer {
  return Buffer.concat([Buffer.from(latin1, 'latin1'), noise(10_000, 'marked')]);
}

const guid = '\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0';
const others: readonly (readonly [name: string, content: Buffer])[] = [
  ['a FLAC file', marked('fLaC\0\0\0\x22')],
  ['an MP3 file', marked('ID3\x03\0\0\0\0\x0a\x43')],
  ['an MP3 or AAC file', frames([0xff, 0xfb, 0x90, 0x64], 417)],
  ['an MP3 or AAC file', frames([0xff, 0xf3, 0x84, 0xc4], 192)],
  ['an MP3 or AAC file', frames([0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc], 371)],
  ['an AC-3 file', frames([0x0b, 0x77, 0xab, 0xcd, 0x1e, 0x40], 1792)],
  ['an AC-3 file', frames([0x0b, 0x77, 0xab, 0xcd, 0x55, 0x40], 836)],
  ['an AC-3 file', frames([0x0b, 0x77, 0x01, 0x7f, 0x3f, 0x87], 768)],
  ['a TrueHD file', marked('\xc0\x14\0\0\xf8\x72\x6f\xba')],
  ['a SoX file', marked('.SoX\x1c\0\0\0')],
  ['an Ogg file', marked('OggS\0\x02')],
  ['an AIFF file', marked('FORM\0\x01\0\0AIFF')],
  ['an AIFF-C file', marked('FORM\0\x01\0\0AIFC')],
  ['a Wave64 file', marked(`riff\x2e${guid}`)],
  ['a CAF file', marked('caff\0\x01\0\0')],
  ['an AU file', marked('.snd\0\0\0\x18')],
  ['an MP4 file', marked('\0\0\0\x20ftypM4A ')],
  ['an ASF file', marked('\x30\x26\xb2\x75\x8e\x66\xcf\x11')],
  ['a Matroska or WebM file', marked('\x1a\x45\xdf\xa3')],
  ['an AVI file', marked('RIFF\0\0\0\x01AVI ')],
  ['a WavPack file', marked('wvpk\0\0')],
  ['a gzip file', gzipSync(noise(10_000, 'gzip'))],
  ['a zip archive', marked('PK\x03\x04')],
  [
    'a web page',
    Buffer.from(`<!DOCTYPE html>\n<title>M\xfcsik</title>${'x'.repeat(5000)}`, 'latin1'),
  ],
  ['a playlist (M3U)', Buffer.from(`#EXTM3U\n#EXTINF:1,x\nsong.mp3\n${'#\n'.repeat(2000)}`)],
  ['a playlist (PLS)', Buffer.from(`[playlist]\nFile1=http://radio/a\n${'#\n'.repeat(2000)}`)],
  ['a text', Buffer.from('[server]\ndatadir = /var/lib/zerocast # Müsik 🎵\n'.repeat(200))],
];

describe('a file of another kind', () => {
  it.each(others)('is refused as %s', (name, content) => {
    const path = fileWith('other', content);
    const refused = () => new SourceHarness(`file://${path}?name=x`);
    expect(refused).toThrow(SourceError);
    expect(refused).toThrow(`the file ${path} cannot be played: it is ${name}`);
  });

  it('is known however much of it there is, or is refused as too short', () => {
    for (const [name, content] of others.filter(([, content]) => !isTextual(content))) {
      for (const bytes of [1, 3, 4, 7, 8, 11, 12, 40, 100, 900, 2000, content.length]) {
        const kind = fileKindOf(content.subarray(0, Math.min(bytes, kindHeadBytes)));
        if (kind) expect(kind.name).toMatch(name.startsWith('an AVI') ? /RIFF|AVI/ : startOf(name));
        else expect(bytes).toBeLessThan(1920);
      }
    }
  });

  it('that is a playlist is refused with the address of its first entry', () => {
    const path = fileWith(
      'list.m3u',
      Buffer.from(`#EXTM3U\r\nmusic/a b.mp3\r\n${'#\n'.repeat(2000)}`),
    );
    const entry = join(folder.path, 'music/a b.mp3');
    expect(() => new SourceHarness(`file://${path}?name=x`)).toThrow(`-i %22${entry}%22 -f s16le`);
  });
});

function isTextual(content: Buffer): boolean {
  return !content.subarray(0, 200).some((byte) => byte < 9);
}

function startOf(name: string): RegExp {
  // What an IFF file is stands behind its mark.
  return name.startsWith('an AIFF') ? /IFF/ : new RegExp(`^${name.replace(/[()]/g, '.')}`);
}

describe('raw PCM', () => {
  it.each([
    ['the sync word of MP3', Buffer.from([0xff, 0xfb, 0x90, 0x64])],
    ['the sync word of AAC', Buffer.from([0xff, 0xf1, 0x50, 0x80])],
    ['the letters ID3 and no tag', Buffer.from('ID3\xff\xff\xff\xff\xff', 'latin1')],
    ['the mark of gzip and no header', Buffer.from([0x1f, 0x8b, 0x08, 0xf3, 1, 2, 3, 4, 0x55])],
    ['the byte of a transport stream', Buffer.from([0x47, 0x40, 0x11, 0x10])],
    ['the mark of DSF alone', Buffer.from('DSD ')],
    ['the mark of DSDIFF alone', Buffer.from('FRM8')],
    ['the mark of bzip2 alone', Buffer.from('BZh9')],
    ['the mark of JPEG alone', Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
    ['a blank line', Buffer.from('\n\n  hello')],
  ])('plays that happens to begin with %s', async (_, mark) => {
    const audio = Buffer.concat([mark, noise(20_000 - mark.length, mark.toString('hex'))]);
    const harness = new SourceHarness(`file://${fileWith('raw', audio)}?name=x`).start();
    expect((await harness.read(20_000)).equals(audio)).toBe(true);
    await harness.source.stop();
  });

  it('plays whose samples are one constant level that looks like a frame of MP3', () => {
    const level = Buffer.alloc(20_000, Buffer.from([0xff, 0xfb, 0x94, 0x64]));
    expect(() => new SourceHarness(`file://${fileWith('level', level)}`)).not.toThrow();
  });

  it('is taken for no AAC because it has marks of AAC of another layer', () => {
    // Layer, two bits, is 0 in ADTS; its rate is the last one, 64 bytes are a frame.
    const rowOf = (layer: number) => {
      const samples = noise(2048, 'row');
      for (let at = 0; at + 8 <= samples.length; at += 64) {
        samples.writeUInt32BE((0xfff9_f000 | (layer << 17)) >>> 0, at);
        samples.writeUInt16BE(64 << 5, at + 4);
      }
      return fileKindOf(samples)?.name;
    };
    expect([0, 1, 2, 3].map(rowOf)).toEqual([
      'an MP3 or AAC file',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is taken for nothing else, whatever its samples are', () => {
    const taken = Array.from({ length: 2000 }, (_, seed) => {
      const samples = noise(2048, `pcm/${seed}`);
      // The short marks come often enough to count.
      samples.set(
        [[0xff, 0xfb], [0xff, 0xf1], [0x1f, 0x8b, 8], [0x47], [0x0b, 0x77]][seed % 5]!,
        0,
      );
      return fileKindOf(samples);
    }).filter((kind) => kind !== undefined);
    expect(taken).toEqual([]);
  });
});

describe.runIf(existsSync('/usr/bin/ffmpeg') || process.env.CI)('the advised program', () => {
  const source = join(folder.path, 'tone "50% & more;" #1.wav');
  const samples = Buffer.alloc(48_000 * 4);
  for (let at = 0; at < samples.length; at += 2) {
    samples.writeInt16LE(Math.round(9000 * Math.sin(at / 40)), at);
  }
  writeFileSync(source, wavFile(samples));

  it.each([
    ['flac', ['-c:a', 'flac'], 'a FLAC file'],
    ['mp3', ['-c:a', 'libmp3lame'], 'an MP3 file'],
    [
      'mp3',
      ['-c:a', 'libmp3lame', '-id3v2_version', '0', '-write_xing', '0'],
      'an MP3 or AAC file',
    ],
    ['mp2', ['-c:a', 'mp2'], 'an MP3 or AAC file'],
    ['aac', ['-c:a', 'aac'], 'an MP3 or AAC file'],
    ['ac3', ['-ar', '44100', '-c:a', 'ac3'], 'an AC-3 file'],
    ['eac3', ['-c:a', 'eac3'], 'an AC-3 file'],
    ['ogg', ['-c:a', 'libvorbis'], 'an Ogg file'],
    ['opus', ['-c:a', 'libopus'], 'an Ogg file'],
    ['aiff', [], 'an AIFF file'],
    ['w64', [], 'a Wave64 file'],
    ['caf', [], 'a CAF file'],
    ['au', [], 'an AU file'],
    ['m4a', [], 'an MP4 file'],
    ['wma', [], 'an ASF file'],
    ['mka', [], 'a Matroska or WebM file'],
    ['avi', ['-c:a', 'pcm_s16le'], 'an AVI file'],
    ['wv', ['-c:a', 'wavpack'], 'a WavPack file'],
    ['ts', ['-c:a', 'mp2'], 'an MPEG transport stream'],
    ['f.wav', ['-c:a', 'pcm_f32le'], 'its audio is floating point'],
    ['a.wav', ['-c:a', 'pcm_alaw'], 'its audio is A-law'],
    ['ima.wav', ['-c:a', 'adpcm_ima_wav'], 'its audio is IMA ADPCM'],
  ])('plays the %s file (%j) that was refused', async (ending, options, name) => {
    const path = `${source}.${ending}`;
    execFileSync('ffmpeg', ['-y', '-v', 'error', '-i', source, ...options, path]);
    const written = path.replace(/[%#]/g, encodeURIComponent);
    let fault = '';
    try {
      new SourceHarness(`file://${written}?name=My file&codec=pcm&password=secret`, '44100:16:1');
    } catch (error) {
      fault = String(error);
    }
    expect(fault).toContain(name);
    expect(fault).not.toContain('secret');
    const advised = /process:.*$/.exec(fault)?.[0] ?? '';
    const settings = {
      codec: 'flac',
      chunkMs: 20,
      bufferMs: 1000,
      pastMs: 0,
      resyncToleranceMs: 0,
    };
    const format = SampleFormat.parse('48000:16:2');
    const { name: streamName, codec } = parseStreamOptions(advised, { ...settings, format });
    expect([streamName, codec]).toEqual(['My file', 'pcm']);
    const harness = new SourceHarness(advised).start();
    try {
      expect(String(harness.source.format)).toBe('44100:16:1');
      // More than the file has: the program goes on from its beginning.
      const heard = await harness.read(44_100 * 2 * 2);
      const loudest = Math.max(...new Int16Array(heard.buffer, heard.byteOffset, 44_100));
      expect(loudest).toBeGreaterThan(5000);
      expect(loudest).toBeLessThan(13_000);
      expect(harness.interruptions).toEqual([]);
    } finally {
      await harness.source.stop();
    }
  });
});
