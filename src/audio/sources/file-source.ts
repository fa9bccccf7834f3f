import { close, closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { messageOf, SourceError } from '../../errors.ts';
import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import { pathOf } from './local-path.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';
import { readWavHeader } from './wav-header.ts';

/** Shorter files would be read anew too often for each chunk. */
const shortestMs = 10;
const emptyRetryMs = 500;
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
  #fd: number | undefined;
  #position: number;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #isStarved = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(file: AudioFile) {
    this.format = file.format;
    this.packed24 = file.packed24;
    this.#file = file;
    this.#position = file.dataStart;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    try {
      this.#fd = openRegularFile(this.#file.path);
    } catch (error) {
      this.#fail(error);
    }
  }

  read(target: Uint8Array): void {
    this.#target = target;
    this.#filledBytes = 0;
    this.#readMore();
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#target = undefined;
    clearTimeout(this.#retryTimer);
    await this.#reading;
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await new Promise((resolve) => close(fd, resolve));
  }

  #readMore(): void {
    const fd = this.#fd;
    const target = this.#target;
    const filledBytes = this.#filledBytes;
    if (fd === undefined || target === undefined) return;
    const bytes = Math.min(target.length - filledBytes, this.#file.dataEnd - this.#position);
    this.#reading = new Promise((resolve) => {
      read(fd, target, filledBytes, bytes, this.#position, (error, bytesRead) => {
        resolve();
        if (!this.#sink) return;
        if (error) this.#fail(error);
        else if (bytesRead === 0) this.#rewind();
        else this.#took(target, bytesRead);
      });
    });
  }

  #took(target: Uint8Array, bytes: number): void {
    if (this.#file.unsigned) {
      const end = this.#filledBytes + bytes;
      for (let at = this.#filledBytes; at < end; at += 1) target[at]! ^= unsigned8SignBit;
    }
    this.#position += bytes;
    this.#filledBytes += bytes;
    if (this.#filledBytes < target.length) {
      this.#readMore();
    } else {
      this.#target = undefined;
      this.#sink?.filled();
    }
  }

  /** Goes on from the beginning in the middle of the target: no sample is lost, none is added. */
  #rewind(): void {
    const playedBytes = this.#position - this.#file.dataStart;
    this.#position = this.#file.dataStart;
    this.#filledBytes -= playedBytes % this.#file.frameBytes; // the file ends within a frame
    if (playedBytes >= shortestBytes(this.#file)) {
      this.#isStarved = false;
      this.#readMore();
      return;
    }
    // Somebody emptied the file, perhaps to write it anew.
    this.#filledBytes = 0;
    if (!this.#isStarved) this.#sink?.interrupted(`no audio is left in ${this.#file.path}`);
    this.#isStarved = true;
    this.#retryTimer = setTimeout(() => this.#readMore(), emptyRetryMs);
  }

  #fail(error: unknown): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(unusable(this.#file.path, error));
  }
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
