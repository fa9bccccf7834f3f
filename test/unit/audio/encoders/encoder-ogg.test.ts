import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import { packetsOf } from '../../../../src/audio/ogg-pages.ts';
import { readComment } from '../../../../src/audio/vorbis-packets.ts';
import {
  type Bench,
  benchFor,
  type Emitted,
  encodeAll,
  feed,
  framesOf,
  music,
  pcmOf,
} from '../../../support/encoding.ts';
import { makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';
import { vorbisLibraries } from '../../../support/vorbis-libraries.ts';

const toolsAreMissing = !process.env.CI && spawnSync('ogginfo', ['-h']).error !== undefined;

/** What a player hears of these chunks. */
async function heard({ encoder }: Bench, chunks: readonly Emitted[]): Promise<Buffer> {
  const decoder = await createDecoder('ogg', encoder.header);
  const pcm = Buffer.concat(chunks.map(({ payload }) => decoder.decode(payload)));
  decoder.close();
  return pcm;
}

/** How alike both are, and by how much louder the second one is. */
function compare({ format }: Bench, fed: Buffer, played: Buffer) {
  const { sampleBytes } = format;
  let [product, fedPower, playedPower] = [0, 0, 0];
  for (let at = 0; at + sampleBytes <= fed.length; at += sampleBytes) {
    const [a, b] = [fed.readIntLE(at, sampleBytes), played.readIntLE(at, sampleBytes)];
    product += a * b;
    fedPower += a * a;
    playedPower += b * b;
  }
  return {
    coefficient: product / Math.sqrt(fedPower * playedPower),
    levelDb: 10 * Math.log10(playedPower / fedPower),
  };
}

describe.each(vorbisLibraries)('an ogg encoder by %s', (_, vorbis) => {
  it.each([
    ['ogg', '44100:16:2', 0.99],
    ['ogg', '48000:16:2', 0.99],
    ['ogg', '48000:24:2', 0.99],
    ['ogg:VBR:0.3', '48000:16:1', 0.98],
    ['ogg', '8000:8:1', 0.98],
  ])('%s of %s sounds like its input, as loud, in both of two runs', async (spec, text, least) => {
    const bench = await benchFor(spec, text, { vorbis });
    const { format, encoder } = bench;
    const fed = pcmOf(format, format.rateHz, music);
    const runs = [await encodeAll(bench, fed, [960]), await encodeAll(bench, fed, [333, 1])];
    const played = await heard(bench, runs.flat());
    let start = 0;
    for (const run of runs) {
      const begin = (start + encoder.delayFrames) * format.frameBytes;
      const { coefficient, levelDb } = compare(bench, fed, played.subarray(begin));
      expect(coefficient).toBeGreaterThan(least);
      expect(Math.abs(levelDb)).toBeLessThan(0.5);
      start += framesOf(run);
    }
    expect(played.length).toBe(start * format.frameBytes);
    encoder.close();
  });

  it('has a small header, which names the format', async () => {
    const { encoder } = await benchFor('ogg', '96000:24:2', { vorbis });
    expect(encoder.header.length).toBeLessThan(8192);
    const packets = packetsOf(encoder.header);
    expect(packets).toHaveLength(3);
    const { vendor, comments } = readComment(packets[1]!);
    expect(comments).toContain('SAMPLE_FORMAT=96000:24:2');
    expect(vendor).toMatch(/vorbis/i);
    encoder.close();
  });

  it.skipIf(toolsAreMissing)('satisfies the tools of Vorbis', async () => {
    const folder = makeScratchFolder();
    const bench = await benchFor('ogg', '48000:16:2', { vorbis });
    const fed = pcmOf(bench.format, 100_000, music);
    const chunks = [
      ...(await encodeAll(bench, fed, [960])),
      ...(await encodeAll(bench, fed, [960])),
    ];
    const file = join(folder, 'stream.ogg');
    const payloads = chunks.map(({ payload }) => payload);
    writeFileSync(file, Buffer.concat([bench.encoder.header, ...payloads]));
    const { stdout } = spawnSync('ogginfo', [file], { encoding: 'utf8', env: { LC_ALL: 'C' } });
    // The end of the stream is never set, as it has none.
    expect(stdout.replace(/WARNING: EOS not set.*/, '')).not.toMatch(/warn|error|hole|gap/i);
    const decoded = spawnSync('oggdec', ['-Q', '-R', '-o', '-', file], { maxBuffer: 1e8 });
    expect(decoded.stderr.toString()).toBe('');
    const frames = framesOf(chunks) - bench.encoder.delayFrames;
    expect(decoded.stdout.length).toBe(frames * bench.format.frameBytes);
    bench.encoder.close();
    removeScratchFolder(folder);
  });

  it('is understood by a player that joins in the middle, behind one block', async () => {
    const bench = await benchFor('ogg', '48000:16:2', { vorbis });
    const chunks = await encodeAll(bench, pcmOf(bench.format, 48_000, music), [960]);
    const joined = Math.floor(chunks.length / 2);
    const whole = await heard(bench, chunks);
    const late = await heard(bench, chunks.slice(joined));
    const { frameBytes } = bench.format;
    const known = framesOf(chunks.slice(joined + 1)) * frameBytes;
    expect(known).toBeGreaterThan(0);
    expect(late.subarray(-known).equals(whole.subarray(-known))).toBe(true);
    bench.encoder.close();
  });

  it.each([
    ['music', music],
    ['quiet music', (seconds: number, channel: number) => music(seconds, channel) / 500],
    ['silence', () => 0],
  ])('holds no more of %s back than it says', async (_name, signal) => {
    const bench = await benchFor('ogg', '48000:16:2', { vorbis });
    const { encoder, format, emitted } = bench;
    const pieceFrames = 480;
    const fed = pcmOf(format, 96_000, signal);
    let longest = 0;
    for (let frame = 0; frame < 96_000; frame += pieceFrames) {
      const piece = fed.subarray(
        frame * format.frameBytes,
        (frame + pieceFrames) * format.frameBytes,
      );
      await feed(bench, piece, [pieceFrames]);
      longest = Math.max(longest, frame + pieceFrames + encoder.delayFrames - framesOf(emitted));
    }
    const { blockLookAheadFrames, delayFrames } = encoder;
    expect(longest).toBeLessThanOrEqual(blockLookAheadFrames + delayFrames + pieceFrames);
    // A page that waits to be full would hold back far more.
    expect(longest).toBeLessThan(format.framesIn(100));
    encoder.close();
  });
});

it('an ogg encoder of more channels than two needs the library of the system', async () => {
  const [, system] = vorbisLibraries[0]!;
  const [, wasm] = vorbisLibraries[1]!;
  const bench = await benchFor('ogg', '48000:16:6', { vorbis: system });
  const chunks = await encodeAll(bench, pcmOf(bench.format, 10_000, music), [960]);
  expect((await heard(bench, chunks)).length).toBe(framesOf(chunks) * bench.format.frameBytes);
  bench.encoder.close();
  await expect(benchFor('ogg', '48000:16:6', { vorbis: wasm })).rejects.toThrow(
    'failed to init encoder: ogg of 48000 Hz and 6 channels',
  );
});
