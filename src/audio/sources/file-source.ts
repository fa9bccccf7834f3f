import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf, SourceError } from '../../base/errors.ts';
import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import { adviceFor, decodingAdvice } from './decoding-advice.ts';
import type { FileGate } from './file-gate.ts';
import { fileKindOf, kindHeadBytes } from './file-kind.ts';
import { FileLoop } from './file-loop.ts';
import { pathOf } from './local-path.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';
import { otherEncoding, readWavHeader, type WavLayout } from './wav-header.ts';

/** Shorter files would be read anew too often for each chunk. */
const shortestMs = 10;
/** What is read at a time; as much again is read ahead, so that a late turn of the loop can catch up. */
const blockMs = 250;
const unsigned8SignBit = 0x80;

/** What of a file is audio, and how it is stored. */
interface AudioFile extends WavLayout {
  readonly path: string;
  readonly packed24: boolean;
  /** 8-bit samples of WAV files have no sign. */
  readonly unsigned: boolean;
  readonly frameBytes: number;
}

/**
 * Plays a file over and over: `file:///path`, raw PCM or WAV.
 *
 * The format is that of the WAV header; the address may name the same one, not another.
 */
export function createFileSource(context: SourceContext): StreamSource {
  const path = pathOf(context);
  try {
    const fd = openRegularFile(path, context.fileGate);
    try {
      const file = inspect(context, path, fd);
      const audioBytes = Math.min(fstatSync(fd).size, file.dataEnd) - file.dataStart;
      if (audioBytes < shortestBytes(file)) {
        throw new SourceError('empty-file', `it holds less than ${shortestMs} ms of audio`);
      }
      return new FileSource(file, context.fileGate);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

function inspect(context: SourceContext, path: string, fd: number): AudioFile {
  const wav = readWav(context, path, fd);
  if (!wav) {
    refuseOtherKinds(context, path, fd);
    const { format, packed24 } = context;
    const frameBytes = arrivingFrameBytes(format, packed24);
    const dataEnd = Number.POSITIVE_INFINITY;
    const raw = { unsigned: false, isFloat: false, bigEndian: false, dataStart: 0, dataEnd };
    return { path, format, packed24, frameBytes, ...raw };
  }
  if (context.formatIsExplicit && !wav.format.equals(context.format)) {
    throw new SourceError(
      'format-conflict',
      `its header says ${wav.format}, its address says sampleformat=${context.format}: ` +
        'leave that parameter away, or convert the file',
    );
  }
  const packed24 = wav.format.bits === 24;
  const frameBytes = arrivingFrameBytes(wav.format, packed24);
  return { path, packed24, unsigned: wav.format.bits === 8, frameBytes, ...wav };
}

function readWav(context: SourceContext, path: string, fd: number): WavLayout | undefined {
  try {
    return readWavHeader(fd);
  } catch (error) {
    if (!(error instanceof SourceError) || error.code !== otherEncoding) throw error;
    const advice = decodingAdvice({ ...context, path });
    throw new SourceError(error.code, `${error.message}: ${advice}`);
  }
}

/** Anything else would be played as noise at full volume. */
function refuseOtherKinds({ uri, format }: SourceContext, path: string, fd: number): void {
  const buffer = Buffer.alloc(kindHeadBytes);
  const head = buffer.subarray(0, readSync(fd, buffer, 0, kindHeadBytes, 0));
  const kind = fileKindOf(head);
  if (!kind) return;
  const advice = adviceFor(kind, { path, uri, format, head });
  throw new SourceError('no-pcm', `it is ${kind.name}, not PCM: ${advice}`);
}

function shortestBytes({ format, frameBytes }: AudioFile): number {
  return format.framesIn(shortestMs) * frameBytes;
}

class FileSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #file: AudioFile;
  readonly #gate: FileGate | undefined;
  #sink: SourceSink | undefined;
  #loop: FileLoop | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #isInterrupted = false;

  constructor(file: AudioFile, gate: FileGate | undefined) {
    this.format = file.format;
    this.packed24 = file.packed24;
    this.#file = file;
    this.#gate = gate;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    const { format, path } = this.#file;
    try {
      this.#loop = new FileLoop(openRegularFile(path, this.#gate), {
        ...this.#file,
        shortestBytes: shortestBytes(this.#file),
        blockBytes: format.framesIn(blockMs) * this.#file.frameBytes,
        convert: conversionOf(this.#file),
        onBlock: () => this.#serve(),
        onFault: (error) => this.#fail(error),
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  read(target: Uint8Array): void {
    this.#target = target;
    this.#filledBytes = 0;
    this.#serve();
  }

  skip(frames: number): void {
    this.#loop?.skip(frames * this.#file.frameBytes);
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#target = undefined;
    await this.#loop?.close();
  }

  /** Fills the target from what was read ahead; goes on when more is there. */
  #serve(): void {
    const target = this.#target;
    if (!target || !this.#loop) return;
    const bytes = this.#loop.copyTo(target.subarray(this.#filledBytes));
    this.#filledBytes += bytes;
    if (bytes > 0) this.#isInterrupted = false;
    if (this.#filledBytes === target.length) {
      this.#target = undefined;
      this.#sink?.filled();
    } else if (this.#loop.isStarved && !this.#isInterrupted) {
      this.#interrupt();
    }
  }

  /** A program emptied the file, perhaps to write it anew. */
  #interrupt(): void {
    this.#isInterrupted = true;
    const target = this.#target;
    const wholeBytes = this.#filledBytes - (this.#filledBytes % this.#file.frameBytes);
    this.#filledBytes = 0;
    if (target && wholeBytes > 0) {
      target.fill(0, wholeBytes);
      this.#target = undefined;
      this.#sink?.filled();
    }
    this.#sink?.interrupted(`no audio is left in ${this.#file.path}`);
  }

  #fail(error: unknown): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(unusable(this.#file.path, error));
  }
}

function conversionOf(file: AudioFile): ((samples: Uint8Array) => void) | undefined {
  if (file.unsigned) return toSigned;
  return file.bigEndian ? swapping(file.frameBytes / file.format.channels) : undefined;
}

/** Makes samples that begin with their highest byte begin with their lowest. */
function swapping(sampleBytes: number): (samples: Uint8Array) => void {
  return (samples) => {
    const { buffer, byteOffset, length } = samples;
    const bytes = Buffer.from(buffer, byteOffset, length);
    if (sampleBytes === 2) bytes.swap16();
    else if (sampleBytes === 4) bytes.swap32();
    else for (let at = 0; at < length; at += 3) swapEnds(samples, at);
  };
}

function swapEnds(samples: Uint8Array, at: number): void {
  const first = samples[at]!;
  samples[at] = samples[at + 2]!;
  samples[at + 2] = first;
}

function toSigned(samples: Uint8Array): void {
  for (let at = 0; at < samples.length; at += 1) samples[at]! ^= unsigned8SignBit;
}

/** Opens without waiting, whatever lies at `path`. */
function openRegularFile(path: string, gate: FileGate | undefined): number {
  gate?.checkPath(path);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    gate?.checkOpen(path, fd);
    if (fstatSync(fd).isFile()) return fd;
    throw new SourceError('no-file', 'it is no regular file; fifos are read by pipe:///path');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function unusable(path: string, error: unknown): SourceError {
  const code = error instanceof SourceError ? error.code : 'file-unreadable';
  return new SourceError(code, `the file ${path} cannot be played: ${messageOf(error)}`, {
    cause: error,
  });
}
