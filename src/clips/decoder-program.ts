import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, rm } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { decoderArguments } from '../audio/sources/decoder-arguments.ts';
import { findProgram } from '../base/children/find-program.ts';
import { LineSplitter } from '../base/children/line-splitter.ts';
import { ProcessGroup } from '../base/children/process-group.ts';
import { cutText } from '../base/foreign-text.ts';
import { maxClipSamplesBytes, tooManySamples } from './clip-audio.ts';
import { ClipError } from './clip-error.ts';
import { TurnQueue } from './turn-queue.ts';

/** Programs that decode at one time: the music shall not wait for them. */
const maxDecoders = 2;
/** Clips that wait for one of them. */
const maxWaitingClips = 64;
/** A sound that takes longer is given up. */
const maxDecodeMs = 20_000;
/** Of the WAV that it writes, generously. */
const headerBytes = 4096;
const niceness = 10;
const maxFaultLength = 200;
interface DecodeLimits {
  readonly maxSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Decodes what is not PCM by `ffmpeg`, which gets nothing but an open file and writes WAV. */
export class DecoderProgram {
  readonly #turns = new TurnQueue({ maxRunning: maxDecoders, maxWaiting: maxWaitingClips });
  readonly #closing = new AbortController();
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  /**
   * Shape: WAV with 32-bit floats, of the rate and channels of the clip; somewhat longer than
   * `maxSeconds` when the clip is.
   * Failure: rejects with a `ClipError`: `decoder-missing`, `busy`, `bad-clip`.
   */
  async decode(bytes: Uint8Array, { maxSeconds, signal }: DecodeLimits): Promise<Buffer> {
    const program = findDecoder(this.#program);
    const ending = [this.#closing.signal, ...(signal ? [signal] : [])];
    const turn = await this.#turns.take(AbortSignal.any(ending));
    try {
      const input = await inputOf(bytes);
      try {
        return await run({ program, input, maxSeconds, signal: AbortSignal.any(ending) });
      } finally {
        await input.close();
      }
    } finally {
      turn();
    }
  }

  /** Ends those that run, and refuses those that wait. */
  async close(): Promise<void> {
    this.#closing.abort(new ClipError('closing', 'the server ends'));
    await this.#turns.idle();
  }
}

function findDecoder(path: string): string {
  try {
    return findProgram(path);
  } catch {
    throw new ClipError(
      'decoder-missing',
      'it is neither WAV nor raw PCM, and there is no ffmpeg to decode it: install ffmpeg, or convert ' +
        'it to WAV',
    );
  }
}

/** A file without a name, as some formats can only be read from one. */
async function inputOf(bytes: Uint8Array): Promise<FileHandle> {
  const path = join(tmpdir(), `zerocast-clip-${randomBytes(8).toString('hex')}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600);
  try {
    await rm(path);
    for (let at = 0; at < bytes.length; ) {
      // At a position of its own: the one of the descriptor stays at the beginning.
      at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function run(options: {
  readonly program: string;
  readonly input: FileHandle;
  readonly maxSeconds: number;
  readonly signal: AbortSignal;
}): Promise<Buffer> {
  const { program, input, maxSeconds, signal } = options;
  const child = spawn(program, argumentsFor(maxSeconds), {
    cwd: dirname(program),
    detached: true,
    env: { PATH: process.env.PATH },
    stdio: [input.fd, 'pipe', 'pipe'],
  });
  const group = new ProcessGroup(child);
  const timeUp = AbortSignal.timeout(maxDecodeMs);
  try {
    lowerPriority(child);
    const faultOf = lastWords(child);
    const output = await outputOf(child, AbortSignal.any([signal, timeUp]));
    const { code, error } = await group.finish(() => signal.aborted);
    if (error !== undefined) throw new ClipError('decoder-missing', `ffmpeg cannot run: ${error}`);
    if (code !== 0) throw new ClipError('bad-clip', `ffmpeg cannot decode it: ${faultOf()}`);
    return output;
  } catch (error) {
    if (!timeUp.aborted) throw error;
    throw new ClipError('bad-clip', `ffmpeg took longer than ${maxDecodeMs / 1000} s for it`);
  } finally {
    await group.end('SIGKILL');
    child.stderr?.destroy();
    child.stdout?.destroy();
  }
}

function argumentsFor(maxSeconds: number): string[] {
  return [
    ...decoderArguments('file'),
    // One second more: what is cut off shall be noticed.
    ...['-t', `${maxSeconds + 1}`, '-i', '/dev/stdin', '-map', '0:a:0', '-map_metadata', '-1'],
    ...['-c:a', 'pcm_f32le', '-bitexact', '-f', 'wav', 'pipe:1'],
  ];
}

function lowerPriority({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}

/** The last line that it wrote, without what names our ways of calling it. */
function lastWords(child: ChildProcess): () => string {
  let last = 'it says nothing';
  const lines = new LineSplitter((line) => {
    last = cutText(line.replaceAll('/dev/stdin: ', ''), maxFaultLength);
  });
  child.stderr?.on('data', (data: Buffer) => lines.write(data));
  child.stderr?.on('error', () => undefined);
  return () => {
    lines.write(Buffer.from('\n'));
    return last;
  };
}

/** Failure: rejects when there is too much of it, and by the reason of `signal`. */
async function outputOf({ stdout }: ChildProcess, signal: AbortSignal): Promise<Buffer> {
  if (!stdout) return Buffer.alloc(0);
  // Only what is written to takes memory.
  const output = Buffer.alloc(maxClipSamplesBytes + headerBytes);
  let bytes = 0;
  const stop = () => stdout.destroy(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    for await (const piece of stdout as AsyncIterable<Buffer>) {
      if (bytes + piece.length > output.length) throw tooManySamples();
      bytes += piece.copy(output, bytes);
    }
    return output.subarray(0, bytes);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
