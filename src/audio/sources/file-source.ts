import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { messageOf, SourceError } from '../../errors.ts';
import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import { FileLoop } from './file-loop.ts';
import { pathOf } from './local-path.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';
import { readWavHeader } from './wav-header.ts';

/** Shorter files would be read anew too often for each chunk. */
const shortestMs = 10;
/** What is read at a time; as much again is read ahead, so that a late turn of the loop can catch up. */
const blockMs = 250;
const unsigned8SignBit = 0x80;

/** What of a file is audio, and how it is stored. */
interface AudioFile {
  readonly path: string;
  readonly format: SampleFormat;
  readonly packed24: boolean;
  /** 8-bit samples of WAV files have no sign. */
  readonly unsigned: boolean;
  readonly frameBytes: number;
  readonly dataStart: number;
  readonly dataEnd: number;
}

/**
 * Plays a file over and over: `file:///path`, raw PCM or WAV.
 *
 * The format is that of the WAV header; the address may name the same one, not another.
 */
export function createFileSource(context: SourceContext): StreamSource {
  const path = pathOf(context);
  try {
    const fd = openRegularFile(path);
    try {
      const file = inspect(context, path, fd);
      const audioBytes = Math.min(fstatSync(fd).size, file.dataEnd) - file.dataStart;
      if (audioBytes < shortestBytes(file)) {
        throw new SourceError('empty-file', `it holds less than ${shortestMs} ms of audio`);
      }
      return new FileSource(file);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

function inspect(context: SourceContext, path: string, fd: number): AudioFile {
  const wav = readWavHeader(fd);
  if (!wav) {
    const { format, packed24 } = context;
    const frameBytes = arrivingFrameBytes(format, packed24);
    const dataEnd = Number.POSITIVE_INFINITY;
    return { path, format, packed24, unsigned: false, frameBytes, dataStart: 0, dataEnd };
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

function shortestBytes({ format, frameBytes }: AudioFile): number {
  return format.framesIn(shortestMs) * frameBytes;
}

class FileSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #file: AudioFile;
  #sink: SourceSink | undefined;
  #loop: FileLoop | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #isInterrupted = false;

  constructor(file: AudioFile) {
    this.format = file.format;
    this.packed24 = file.packed24;
    this.#file = file;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    const { format, path, unsigned } = this.#file;
    try {
      this.#loop = new FileLoop(openRegularFile(path), {
        ...this.#file,
        shortestBytes: shortestBytes(this.#file),
        blockBytes: format.framesIn(blockMs) * this.#file.frameBytes,
        convert: unsigned ? toSigned : undefined,
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

  /** Somebody emptied the file, perhaps to write it anew. */
  #interrupt(): void {
    this.#isInterrupted = true;
    this.#filledBytes = 0;
    this.#sink?.interrupted(`no audio is left in ${this.#file.path}`);
  }

  #fail(error: unknown): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(unusable(this.#file.path, error));
  }
}

function toSigned(samples: Uint8Array): void {
  for (let at = 0; at < samples.length; at += 1) samples[at]! ^= unsigned8SignBit;
}

/** Opens without waiting, whatever lies at `path`. */
function openRegularFile(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new SourceError('no-file', 'it is no regular file; fifos are read by pipe:///path');
}

function unusable(path: string, error: unknown): SourceError {
  const code = error instanceof SourceError ? error.code : 'file-unreadable';
  return new SourceError(code, `the file ${path} cannot be played: ${messageOf(error)}`, {
    cause: error,
  });
}
