import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import { parseCodec } from '../../../../src/audio/encoders/codecs.ts';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { type MetadataItem, MetadataItems } from '../../../../src/audio/sources/metadata-items.ts';
import { readWavHeader } from '../../../../src/audio/sources/wav-header.ts';
import { formatStreamUri, parseStreamUri } from '../../../../src/audio/stream-uri.ts';
import { splitCommandLine } from '../../../../src/base/children/command-line.ts';
import { LineSplitter, maxLineLength } from '../../../../src/base/children/line-splitter.ts';
import { ProtocolError, SourceError, ZerocastError } from '../../../../src/base/errors.ts';
import { benchFor } from '../../../support/encoding.ts';
import { cuts, hostileText, inPieces, mutationsOf } from '../../../support/hostile-values.ts';
import { coverItems, metadataItem, songItems } from '../../../support/metadata-items.ts';
import { asRifx, longWavFile, riffChunk, wavFile } from '../../../support/pcm-fixtures.ts';

const realAddresses = [
  'pipe:///tmp/snapfifo?name=default&mode=read&sampleformat=48000:16:2&codec=flac:2',
  'tcp://0.0.0.0:4953?name=Music%20Assistant%20%28x%29&mode=server&controlscript=meta.py',
  'process:///usr/bin/ffmpeg?name=Radio&params=-i http://host/a -f s16le -&chunk_ms=20',
  'file:///home/user/Musik/caf%C3%A9.wav?name=Caf%C3%A9#fragment',
  'tcp://user:pw@[fe80::1]:4953/path?name=six',
].map((text) => Buffer.from(text));

describe('the address of a stream', () => {
  it('of real life with any damage is read or refused, and what is read stays the same', () => {
    fc.assert(
      fc.property(mutationsOf(realAddresses), (bytes) => {
        let uri: ReturnType<typeof parseStreamUri>;
        try {
          uri = parseStreamUri(bytes.toString());
        } catch (error) {
          expect(error).toBeInstanceOf(SourceError);
          return;
        }
        const written = formatStreamUri(uri);
        expect(formatStreamUri(parseStreamUri(written))).toBe(written);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['sample format', (text: string) => String(SampleFormat.parse(text))],
    ['codec', (text: string) => parseCodec(text).codec.name],
  ])('has a %s that is known or refused with a reason', (_, parse) => {
    const text = fc.oneof(
      hostileText,
      mutationsOf([Buffer.from('48000:16:2'), Buffer.from('flac:2')]).map((bytes) => `${bytes}`),
    );
    fc.assert(
      fc.property(text, (some) => {
        try {
          expect(typeof parse(some)).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(ZerocastError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('has parameters for a program that are split, or refused for an open quote', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(hostileText, fc.constantFrom('"', "'", '\\', ' '))),
        (parts) => {
          try {
            for (const word of splitCommandLine(parts.join(''))) expect(typeof word).toBe('string');
          } catch (error) {
            expect(error).toMatchObject({ name: 'SourceError', code: 'unclosed-quote' });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the header of a WAV file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'zerocast-fuzz-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function layoutOf(content: Uint8Array) {
    const path = join(folder, 'any.wav');
    writeFileSync(path, content);
    const fd = openSync(path, 'r');
    try {
      return readWavHeader(fd);
    } catch (error) {
      expect(error).toBeInstanceOf(SourceError);
      return undefined;
    } finally {
      closeSync(fd);
    }
  }

  function expectPossible(content: Uint8Array): void {
    const layout = layoutOf(content);
    if (!layout) return;
    expect(layout.dataStart).toBeGreaterThanOrEqual(20);
    expect(layout.dataEnd).toBeGreaterThanOrEqual(layout.dataStart);
    expect(`${SampleFormat.parse(String(layout.format))}`).toBe(String(layout.format));
  }

  it('is read or refused, whatever was done to it', () => {
    const audio = Buffer.alloc(64, 1);
    const originals = [
      wavFile(audio),
      wavFile(audio, { bits: 24, channels: 6, subFormat: 1 }),
      wavFile(audio, { between: riffChunk('LIST', Buffer.from('odd')) }),
      asRifx(wavFile(audio)),
      longWavFile('RF64', audio),
      longWavFile('BW64', audio),
    ];
    fc.assert(
      fc.property(mutationsOf(originals), (content) => expectPossible(content)),
      { numRuns: 400 },
    );
  });

  it('is read or refused with chunks of any name, size and content', () => {
    const chunk = fc
      .record({
        name: fc.constantFrom('fmt ', 'data', 'LIST', 'fact', 'ds64', '\0\0\0\0'),
        body: fc.uint8Array({ maxLength: 44 }),
        claims: fc.option(fc.constantFrom(0, 1, 15, 16, 17, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff)),
      })
      .map(({ name, body, claims }) => {
        const bytes = riffChunk(name, Buffer.from(body));
        if (claims !== null) bytes.writeUInt32LE(claims, 4);
        return bytes;
      });
    const magic = fc.constantFrom('RIFF', 'RF64', 'BW64', 'RIFX');
    fc.assert(
      fc.property(magic, fc.array(chunk, { maxLength: 6 }), (riff, chunks) =>
        expectPossible(Buffer.concat([Buffer.from(`${riff}\0\0\0\0WAVE`, 'latin1'), ...chunks])),
      ),
      { numRuns: 400 },
    );
  });
});

describe.each(['pcm', 'flac', 'opus'])('the decoder for %s', (codec) => {
  it('takes headers and chunks of any bytes, or refuses them by a protocol error', async () => {
    const { encoder } = await benchFor(codec, '48000:16:2');
    const header = Buffer.from(encoder.header);
    encoder.close();
    const anyHeader = fc.oneof(
      { arbitrary: mutationsOf([header]), weight: 3 },
      { arbitrary: fc.uint8Array({ maxLength: 60 }), weight: 1 },
    );
    const refusing = async (work: () => unknown) => {
      try {
        return await work();
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        return undefined;
      }
    };
    const chunk = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(anyHeader, chunk, async (bytes, payload) => {
        await refusing(async () => {
          const decoder = await createDecoder(codec, bytes);
          await refusing(() => decoder.decode(payload));
          decoder.close();
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('what a program writes', () => {
  it('comes in lines of bounded length, the same ones however it is cut', () => {
    const linesOf = (pieces: readonly Buffer[]) => {
      const lines: string[] = [];
      const splitter = new LineSplitter((line) => lines.push(line));
      for (const piece of pieces) splitter.write(piece);
      splitter.write(Buffer.from('\n'));
      return lines;
    };
    const text = fc.array(fc.oneof(hostileText, fc.constantFrom('\n', '\r', '\r\n', 'ä€𝄞')));
    fc.assert(
      fc.property(text, cuts, (parts, at) => {
        const bytes = Buffer.from(parts.join(''));
        const lines = linesOf(inPieces(bytes, at));
        for (const line of lines) {
          expect(line).not.toMatch(/[\r\n]/);
          expect(line.length).toBeGreaterThan(0);
          expect(line.length).toBeLessThanOrEqual(maxLineLength);
        }
        expect(lines.join('')).toBe(bytes.toString().replace(/[\r\n]/g, ''));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the metadata pipe of shairport-sync', () => {
  it('with any damage, in any pieces, gives items and goes on with the next whole one', () => {
    const cover = Buffer.from('89504e470d0a1a0a'.repeat(20), 'hex');
    const real = [songItems('Title', 'Artist', 'Album'), coverItems(cover)];
    const whole = metadataItem('core', 'minm', 'Whole');
    fc.assert(
      fc.property(mutationsOf(real), cuts, (bytes, shares) => {
        const taken: MetadataItem[] = [];
        const items = new MetadataItems((item) => void taken.push(item));
        for (const piece of inPieces(Buffer.concat([bytes, whole]), shares)) items.write(piece);
        expect(taken.at(-1)).toEqual({ type: 'core', code: 'minm', data: Buffer.from('Whole') });
        for (const { type, code, data } of taken) {
          expect([type.length, code.length]).toEqual([4, 4]);
          expect(data.length).toBeLessThanOrEqual(bytes.length + whole.length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
