import { join } from 'node:path';
import { textBody } from '../support/player-messages.ts';
import { freePort } from '../support/server-process.ts';
import { runLoad } from './load-run.ts';
import { writeMusic } from './music.ts';
import type { BenchContext } from './run-cases.ts';
import { startZerocast, type ZerocastSettings } from './zerocast-server.ts';

const chunkUs = 20_000;

interface ChunkSize {
  readonly chunkUs: number;
  readonly payloadBytes: number;
}

/** A format that all servers can be started with; the bare ones need no more than the chunks. */
export interface OpenedFormat extends ChunkSize {
  readonly name: string;
  readonly source: string;
  readonly sampleFormat: string;
  readonly codec: string;
  /** The body of the message. */
  readonly codecHeader: Buffer;
}

interface Format {
  readonly sampleFormat: string;
  open(context: BenchContext): Promise<Omit<OpenedFormat, 'name'>>;
}

interface Pcm {
  readonly rateHz: number;
  readonly bits: number;
  readonly frameBytes: number;
}

function codecHeaderOf(name: string, header: Buffer): Buffer {
  return Buffer.concat([textBody(name), textBody(header)]);
}

/** Source: protocol reference, section 4.1. */
function riffHeader({ rateHz, bits, frameBytes }: Pcm): Buffer {
  const channels = 2;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rateHz, 24);
  header.writeUInt32LE(rateHz * frameBytes, 28);
  header.writeUInt16LE(frameBytes, 32);
  header.writeUInt16LE(bits, 34);
  header.write('data', 36, 'latin1');
  return header;
}

/** Source: RFC 9639, section 8.2. */
function flacHeader(rateHz: number, blockFrames: number): Buffer {
  const [bits, channels] = [16, 2];
  const header = Buffer.alloc(42);
  header.write('fLaC', 0, 'latin1');
  header.writeUInt32BE(0x80000000 + 34, 4);
  header.writeUInt16BE(blockFrames, 8);
  header.writeUInt16BE(blockFrames, 10);
  header.writeUInt32BE(rateHz * 2 ** 12 + (channels - 1) * 2 ** 9 + (bits - 1) * 2 ** 4, 18);
  return header;
}

function pcm({ rateHz, bits, frameBytes }: Pcm): Format {
  const sampleFormat = `${rateHz}:${bits}:2`;
  const open = async () => ({
    sampleFormat,
    codec: 'pcm',
    source: 'tone:///',
    chunkUs,
    payloadBytes: (rateHz * frameBytes * chunkUs) / 1e6,
    codecHeader: codecHeaderOf('pcm', riffHeader({ rateHz, bits, frameBytes })),
  });
  return { sampleFormat, open };
}

/** Source: protocol reference, section 4.3. */
function opusHeader(rateHz: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(0x4f505553, 0);
  header.writeUInt32LE(rateHz, 4);
  header.writeUInt16LE(16, 8);
  header.writeUInt16LE(2, 10);
  return header;
}

const encodedHeaders = { flac: flacHeader, opus: opusHeader } as const;

function encoded(codec: keyof typeof encodedHeaders, rateHz: number): Format {
  const sampleFormat = `${rateHz}:16:2`;
  const open = async (context: BenchContext) => {
    const file = join(context.workDir, `music-${rateHz}.pcm`);
    writeMusic(file, rateHz);
    const format = { sampleFormat, codec, source: `file://${file}` };
    const chunk = await measureChunks(format, context);
    const blockFrames = Math.round((chunk.chunkUs * rateHz) / 1e6);
    const header = encodedHeaders[codec](rateHz, blockFrames);
    return { ...format, ...chunk, codecHeader: codecHeaderOf(codec, header) };
  };
  return { sampleFormat, open };
}

/** The formats that a benchmark can be run with; 24 bits travel in 4 bytes. */
export const formats: Readonly<Record<string, Format>> = {
  pcm48: pcm({ rateHz: 48_000, bits: 16, frameBytes: 4 }),
  pcm96: pcm({ rateHz: 96_000, bits: 24, frameBytes: 8 }),
  flac48: encoded('flac', 48_000),
  opus48: encoded('opus', 48_000),
};

const messageHeaderBytes = 38;

/** What the real encoder makes of the source: the length of a chunk and its average size. */
async function measureChunks(
  format: ZerocastSettings['format'],
  context: BenchContext,
): Promise<ChunkSize> {
  const port = await freePort();
  const server = await startZerocast({ ...context, port, format, sendInterval: '0' });
  try {
    const options = { port, clients: 1, 'warm-up-ms': 200, 'window-ms': 1000 };
    const { chunkUs, chunks, chunkBytes } = await runLoad(context.loadClient, options);
    return { chunkUs, payloadBytes: Math.round(chunkBytes / chunks) - messageHeaderBytes };
  } finally {
    await server.stop();
  }
}

/** Makes a format ready for all servers. */
export async function openFormat(name: string, context: BenchContext): Promise<OpenedFormat> {
  return { name, ...(await formats[name]!.open(context)) };
}

export async function openFormats(names: readonly string[], context: BenchContext) {
  const opened: OpenedFormat[] = [];
  for (const name of names) opened.push(await openFormat(name, context));
  return opened;
}

export function describeFormat({ sampleFormat, codec, chunkUs, payloadBytes }: OpenedFormat) {
  const chunk = `${chunkUs / 1000} ms chunks of ${payloadBytes} bytes`;
  if (codec === 'pcm') return `${sampleFormat} ${codec}, ${chunk}.`;
  return (
    `${sampleFormat} ${codec} of sound with chords and noise, ${chunk} on average; the C loop and ` +
    'the naive server send chunks of exactly this size, made of zeros, behind a codec header that ' +
    'is made up.'
  );
}
