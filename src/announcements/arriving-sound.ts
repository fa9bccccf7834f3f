import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { SampleFormat } from '../audio/sample-format.ts';
import { decoderArguments, decoderProgram } from '../audio/sources/decoder-arguments.ts';
import { readWavHeader, type WavLayout } from '../audio/sources/wav-header.ts';
import { findProgram } from '../base/children/find-program.ts';
import { LineSplitter } from '../base/children/line-splitter.ts';
import { ProcessGroup } from '../base/children/process-group.ts';
import { codeOf } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';
import { ArrivingBytes } from '../base/net/arriving-bytes.ts';
import { UrlError } from '../base/net/open-url.ts';
import { clipAudioOf } from '../clips/clip-audio.ts';
import { AnnounceError } from './announce-error.ts';
import { failed, maxDownloadBytes, tooLarge } from './clip-download.ts';
import { Sound } from './sound.ts';

/** A sound that is still arriving is played as soon as so much of it is there. */
const playableMs = 300;
/** Nothing more for this long ends it. */
const maxStallMs = 5000;
/** What tells a WAV file. */
const magicBytes = 12;
/** A WAV header that is longer is left to ffmpeg. */
const maxHeaderBytes = 64 * 1024;
/** Of what ffmpeg makes of it. */
const decoded = { format: SampleFormat.parse('48000:32:2'), isFloat: true, bigEndian: false };
const maxFaultLength = 200;

interface ArrivalLimits {
  readonly maxSeconds: number;
  readonly signal: AbortSignal;
  /** Until the first bytes come, and between others. */
  readonly firstByteMs?: number;
  readonly stallMs?: number;
}

/** Takes what arrives, piece by piece; ends it when nothing comes, or too much. */
export class Arrival {
  readonly #body: ArrivingBytes;
  readonly #limits: ArrivalLimits;
  #bytes = 0;

  constructor(body: Readable, limits: ArrivalLimits) {
    this.#body = new ArrivingBytes(body, limits.signal);
    this.#limits = limits;
  }

  /** `undefined` at the end. Failure: rejects with an `AnnounceError`, or by the reason of `signal`. */
  async next(): Promise<Buffer | undefined> {
    const { stallMs = maxStallMs, firstByteMs = stallMs } = this.#limits;
    const waitMs = this.#bytes === 0 ? firstByteMs : stallMs;
    const piece = await this.#body.next(waitMs).catch((error: unknown) => {
      throw error instanceof UrlError ? failed(error.message) : error;
    });
    this.#bytes += piece?.length ?? 0;
    if (this.#bytes > maxDownloadBytes) throw tooLarge();
    return piece;
  }

  /** What comes within `ms`; `isComplete` when that is all. */
  async within(ms: number): Promise<{ readonly bytes: Buffer; readonly isComplete: boolean }> {
    const pieces: Buffer[] = [];
    const untilMs = performance.now() + ms;
    let isComplete = false;
    while (performance.now() < untilMs || pieces.length === 0) {
      const piece = await this.next();
      if (piece === undefined) {
        isComplete = true;
        break;
      }
      pieces.push(piece);
    }
    return { bytes: Buffer.concat(pieces), isComplete };
  }

  close(): void {
    this.#body.close();
  }
}

/**
 * Decodes a sound while it arrives: WAV by itself, all else by `ffmpeg`.
 *
 * Shape: resolves as soon as the sound can be played; `whole` resolves when nothing more comes, with
 * the reason when that was too early.
 * Failure: rejects with an `AnnounceError`; nothing runs any more then.
 */
export async function decodeArriving(
  head: Buffer,
  arrival: Arrival,
  limits: ArrivalLimits,
): Promise<{ readonly sound: Sound; readonly whole: Promise<unknown> }> {
  const { bytes, layout } = await wavHead(head, arrival);
  const sound = new Sound((layout ?? decoded).format);
  const whole = (
    layout
      ? takePcm({ bytes, layout, arrival, sound, limits })
      : takeByProgram({ bytes, arrival, sound, limits })
  )
    .then(() => undefined)
    .catch((error: unknown) => error)
    .finally(() => {
      sound.end();
      arrival.close();
    });
  await Promise.race([whole, sound.lasts(playableMs)]);
  if (sound.hasEnded && sound.frames === 0) {
    throw (await whole) ?? new AnnounceError('bad-clip', 'it holds no sound');
  }
  return { sound, whole };
}

/** Reads on until the header of a WAV file is complete; `layout` is absent when it is none. */
async function wavHead(head: Buffer, arrival: Arrival) {
  let bytes = head;
  for (;;) {
    try {
      const layout = readWavHeader(bytes, { allowsFloat: true });
      if (layout || bytes.length >= magicBytes) return { bytes, layout };
    } catch (error) {
      if (codeOf(error) !== 'bad-wav' || bytes.length > maxHeaderBytes) return { bytes };
    }
    const more = await arrival.next();
    if (!more) return { bytes };
    bytes = Buffer.concat([bytes, more]);
  }
}

interface Decoding {
  readonly bytes: Buffer;
  readonly arrival: Pick<Arrival, 'next'>;
  readonly sound: Sound;
  readonly limits: ArrivalLimits;
}

async function takePcm({
  bytes,
  layout,
  arrival,
  sound,
  limits: { maxSeconds, signal },
}: Decoding & { readonly layout: WavLayout }): Promise<void> {
  const { format, dataStart, dataEnd } = layout;
  const pcm = { ...layout, unsigned: format.bits === 8 };
  const storedBytes = format.bits === 24 ? 3 : format.sampleBytes;
  const frameBytes = storedBytes * format.channels;
  let rest = bytes.subarray(dataStart);
  let leftBytes = dataEnd - dataStart;
  while (leftBytes > 0) {
    const wholeBytes = Math.min(rest.length, leftBytes);
    const takenBytes = wholeBytes - (wholeBytes % frameBytes);
    if (takenBytes > 0) {
      const leftFrames = Math.max(0, Math.floor(maxSeconds * format.rateHz) - sound.frames);
      const part = rest.subarray(0, Math.min(takenBytes, leftFrames * frameBytes));
      sound.push((await clipAudioOf(part, pcm, signal)).samples);
      if (part.length < takenBytes) throw tooLong(maxSeconds);
    }
    leftBytes -= takenBytes;
    rest = rest.subarray(takenBytes);
    const more = leftBytes > 0 ? await arrival.next() : undefined;
    if (!more) return;
    rest = Buffer.concat([rest, more]);
  }
}

async function takeByProgram({ bytes, arrival, sound, limits }: Decoding): Promise<void> {
  const { maxSeconds, signal } = limits;
  const program = findDecoder();
  const child = spawn(program, argumentsFor(maxSeconds), {
    cwd: dirname(program),
    detached: true,
    env: { PATH: process.env.PATH },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const group = new ProcessGroup(child);
  const faultOf = lastWords(child);
  const feeding = new AbortController();
  const output = new Arrival(child.stdout, { ...limits, stallMs: 2 * maxStallMs });
  const layout = { ...decoded, dataStart: 0, dataEnd: Number.POSITIVE_INFINITY };
  let fault: unknown;
  const fed = feed(child, { bytes, arrival, signal: feeding.signal }).catch((error: unknown) => {
    fault = error;
  });
  try {
    const pcm = { bytes: Buffer.alloc(0), layout, arrival: output, sound, limits };
    await takePcm(pcm);
    feeding.abort();
    const { code, error } = await group.finish(() => signal.aborted);
    if (error !== undefined) throw decoderMissing(`ffmpeg cannot run: ${error}`);
    if (fault) throw fault;
    if (code !== 0) throw new AnnounceError('bad-clip', `ffmpeg cannot decode it: ${faultOf()}`);
  } finally {
    feeding.abort();
    await group.end('SIGKILL');
    for (const stream of child.stdio) stream?.destroy();
    // What is asked for ends with the arrival, which the caller closes.
    void fed;
  }
}

/** Hands on what arrives as fast as it is taken. */
async function feed(
  child: ChildProcess,
  {
    bytes,
    arrival,
    signal,
  }: Pick<Decoding, 'bytes' | 'arrival'> & { readonly signal: AbortSignal },
): Promise<void> {
  const { stdin } = child;
  if (!stdin) return;
  // It may have had enough before the end.
  stdin.on('error', () => undefined);
  try {
    for (let piece: Buffer | undefined = bytes; piece; piece = await arrival.next()) {
      if (signal.aborted || stdin.destroyed) return;
      if (!stdin.write(piece)) await once(stdin, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stdin.end();
  }
}

function findDecoder(): string {
  try {
    return findProgram(decoderProgram);
  } catch {
    throw decoderMissing('it is no WAV, and there is no ffmpeg to decode it: install ffmpeg');
  }
}

function argumentsFor(maxSeconds: number): string[] {
  return [
    ...decoderArguments('pipe'),
    // Begins to decode with little, as the rest may take as long as it is spoken.
    ...['-probesize', '32768', '-analyzeduration', '0'],
    ...['-t', `${maxSeconds + 1}`, '-i', 'pipe:0', '-map', '0:a:0', '-flush_packets', '1'],
    ...['-f', 'f32le', '-ar', `${decoded.format.rateHz}`, '-ac', '2', 'pipe:1'],
  ];
}

function lastWords(child: ChildProcess): () => string {
  let last = 'it says nothing';
  const lines = new LineSplitter((line) => {
    last = cutText(line, maxFaultLength);
  });
  child.stderr?.on('data', (data: Buffer) => lines.write(data));
  child.stderr?.on('error', () => undefined);
  return () => {
    lines.write(Buffer.from('\n'));
    return last;
  };
}

function decoderMissing(reason: string): AnnounceError {
  return new AnnounceError('decoder-missing', reason);
}

function tooLong(maxSeconds: number): AnnounceError {
  return new AnnounceError('clip-too-long', `it lasts longer than ${maxSeconds} s`);
}
