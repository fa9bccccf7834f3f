import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import { bytesOf } from '../../../../src/audio/sample-conversion.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';
import { benchFor, encodeAll, music, pcmOf } from '../../../support/encoding.ts';

async function headerOf(codec: string, format = '48000:16:2'): Promise<Buffer> {
  const { encoder } = await benchFor(codec, format);
  encoder.close();
  return Buffer.from(encoder.header);
}

function edited(header: Buffer, edit: (header: Buffer) => void): Buffer {
  const copy = Buffer.from(header);
  edit(copy);
  return copy;
}

describe.each(['pcm', 'flac', 'opus', 'ogg'])('the decoder for %s', (codec) => {
  it('knows the format from the header', async () => {
    const decoder = await createDecoder(codec, await headerOf(codec));
    expect(`${decoder.format}`).toBe('48000:16:2');
    decoder.close();
  });

  it('refuses a header cut at any byte', async () => {
    const header = await headerOf(codec);
    for (let length = 0; length < header.length; length += 1) {
      const creation = createDecoder(codec, header.subarray(0, length));
      await expect(creation).rejects.toThrow(ProtocolError);
    }
  });

  it('answers any damaged header with a decoder or a protocol error, never otherwise', async () => {
    const header = await headerOf(codec);
    let refused = 0;
    for (let round = 0; round < 2000; round += 1) {
      const wrong = edited(header, (copy) => {
        const [at = 0, value = 0] = randomBytes(2);
        copy[at % copy.length] = value;
      });
      await createDecoder(codec, wrong).catch((error: unknown) => {
        expect(error).toBeInstanceOf(ProtocolError);
        refused += 1;
      });
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe('a header with impossible numbers', () => {
  it.each([
    ['pcm', (header: Buffer) => header.writeUInt16LE(0, 22), /1 to 8 channels/],
    ['pcm', (header: Buffer) => header.writeUInt16LE(20, 34), /8, 16, 24 or 32 bits/],
    ['opus', (header: Buffer) => header.writeUInt32LE(44_100, 4), /decoded to 44100:16:2/],
    ['opus', (header: Buffer) => header.writeUInt16LE(24, 8), /decoded to 48000:24:2/],
    ['opus', (header: Buffer) => header.writeUInt16LE(6, 10), /decoded to 48000:16:6/],
    ['flac', (header: Buffer) => header.writeUInt32BE(0x0bb803f0, 18), /only up to 24/],
    ['flac', (header: Buffer) => header.writeUInt32BE(0x000002f0, 18), /rate of 1 to/],
  ])('for %s is refused by name', async (codec, edit, message) => {
    const wrong = edited(await headerOf(codec), edit);
    const error = await createDecoder(codec, wrong).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'bad-codec-header' });
    expect((error as ProtocolError).message).toMatch(message);
  });
});

it.each(['vorbis', 'null', 'FLAC', '__proto__'])('there is no decoder for %s', async (codec) => {
  const creation = createDecoder(codec, new Uint8Array(64));
  await expect(creation).rejects.toMatchObject({ code: 'unknown-codec' });
});

describe('the pcm decoder', () => {
  it('hands on whole frames and refuses others', async () => {
    const decoder = await createDecoder('pcm', await headerOf('pcm', '96000:24:2'));
    const pcm = randomBytes(16);
    expect(bytesOf(decoder.decode(pcm)).equals(pcm)).toBe(true);
    expect(() => decoder.decode(pcm.subarray(1))).toThrow(/whole frames of 8 bytes/);
    expect(() => decoder.decode(pcm.subarray(1))).toThrow(ProtocolError);
  });
});

describe('the opus decoder', () => {
  it('survives damaged packets and still decodes good ones', async () => {
    const bench = await benchFor('opus', '48000:16:2');
    const emitted = await encodeAll(bench, pcmOf(bench.format, 9600, music), [960]);
    const decoder = await createDecoder('opus', bench.encoder.header);
    let refused = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const packet = randomBytes(1 + (round % 1500));
      try {
        expect(decoder.decode(packet).length).toBeLessThanOrEqual(5760 * 4);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    for (const { payload } of emitted) expect(decoder.decode(payload)).toHaveLength(960 * 4);
    bench.encoder.close();
    expect(bench.pool.isFull).toBe(true);
  });

  it('takes neither an empty packet for a lost one nor one that no encoder makes', async () => {
    const decoder = await createDecoder('opus', await headerOf('opus'));
    for (const bytes of [0, 7665, 1_000_000]) {
      expect(() => decoder.decode(new Uint8Array(bytes))).toThrow(`no opus packet has ${bytes} `);
    }
  });
});
