import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { cutText } from '../../../base/foreign-text.ts';
import { within } from '../../../base/time/within.ts';
import type { SampleFormat } from '../../sample-format.ts';
import { decoderArguments, pcmArguments } from '../decoder-arguments.ts';
import { ProducerProcess } from '../producer-process.ts';
import type { Prebuffer } from './prebuffer.ts';
import { noAudio, StationError } from './station.ts';

/** What is decoded at a time, so that it is known where in the PCM it lies. */
const sliceBytes = 4096;
/** A slice without audio of its own, as pages are longer, is not waited for longer. */
const maxSliceMs = 20;
/** No more PCM comes of what was given when none has come for so long. */
const quietMs = 50;
/** But for the first sound, which comes when the program has started. */
const maxStartMs = 1000;
const scratchBytes = 16 * 1024;
/** A station of which so much holds no sound is none. */
const maxSoundlessBytes = 2 * 1024 * 1024;
const maxLineLength = 200;
/** So much is looked at first; more where the type of the answer does not tell. */
const probeBytes = { known: 4096, unknown: 64 * 1024 };
/** And the first sound has come when so much more is there. */
const startBytes = 12 * 1024;

export type RadioCodec = 'mp3' | 'aac' | 'ogg' | 'flac';

interface RadioDecoderOptions {
  readonly program: string;
  /** Of the PCM. */
  readonly format: SampleFormat;
  /** Of what is decoded: bytes that are given to `decode`, or what the program fetches itself. */
  readonly input:
    | { readonly codec: RadioCodec | undefined }
    | { readonly listUrl: string; readonly userAgent: string };
  readonly prebuffer: Prebuffer;
  /** There is so much PCM that no more is wanted now. */
  readonly isFull: () => boolean;
  readonly signal: AbortSignal;
}

/** One run of `ffmpeg`, which decodes into a prebuffer no more than that has room for. */
export class RadioDecoder {
  readonly #options: RadioDecoderOptions;
  readonly #process: ProducerProcess;
  readonly #output: Socket;
  readonly #input: Writable | undefined;
  readonly #ended: Promise<void>;
  readonly #lastLine: () => string;
  #isEnded = false;
  #decodedBytes = 0;
  #pcmBytes = 0;
  /** Bytes of which the first sound may need all. */
  readonly #soundlessBytes: number;
  #hasWaited = false;
  #isInStep = false;
  #onPcm: () => void = () => undefined;
  #onRoom: () => void = () => undefined;
  readonly #stop = () => void this.#output.destroy();

  /** Ownership: the caller calls `finish` in the end. */
  static async start(options: RadioDecoderOptions): Promise<RadioDecoder> {
    let last = 'it says nothing';
    const line = (text: string) => {
      last = cutText(text, maxLineLength);
    };
    let input: Writable | undefined;
    const takeInput = (stdin: Writable) => {
      input = stdin;
    };
    const args = argumentsFor(options);
    const hasInput = 'codec' in options.input;
    const { program } = options;
    const producer = await ProducerProcess.start({
      ...{ program, args, line },
      ...(hasInput && { takeInput }),
    });
    return new RadioDecoder(options, producer, { input, lastLine: () => last });
  }

  private constructor(
    options: RadioDecoderOptions,
    producer: ProducerProcess,
    { input, lastLine }: { readonly input: Writable | undefined; readonly lastLine: () => string },
  ) {
    this.#options = options;
    this.#process = producer;
    this.#input = input;
    this.#lastLine = lastLine;
    const codec = 'codec' in options.input ? options.input.codec : undefined;
    this.#soundlessBytes = startBytes + (codec ? probeBytes.known : probeBytes.unknown);
    const scratch = Buffer.alloc(scratchBytes);
    this.#output = producer.connect({
      buffer: () => scratch,
      callback: (bytes) => this.#take(scratch.subarray(0, bytes)),
    });
    this.#ended = new Promise<void>((resolve) => {
      this.#output.on('error', () => resolve()).on('close', () => resolve());
      this.#output.on('end', () => resolve());
    }).then(() => {
      this.#isEnded = true;
      this.#onPcm();
      this.#onRoom();
    });
    options.signal.addEventListener('abort', this.#stop, { once: true });
    this.#output.resume();
  }

  /** Something was taken out of the prebuffer. */
  goOn(): void {
    if (this.#options.prebuffer.freeBytes >= scratchBytes) this.#output.resume();
    if (!this.#options.isFull()) this.#onRoom();
  }

  /** Resolves when these bytes are decoded, or nearly so. Failure: rejects when they cannot be. */
  async decode(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      await this.#room();
      // What stands before the sound, such as a picture, may be long.
      const isSkipping = this.#pcmBytes === 0 && this.#hasWaited;
      const slice = isSkipping ? bytes.subarray(at) : bytes.subarray(at, at + sliceBytes);
      await this.#decodeSlice(slice);
      at += slice.length;
    }
  }

  /** Resolves when all is decoded that was given. */
  async flush(): Promise<void> {
    this.#input?.end();
    await this.#ended;
  }

  /** Resolves when no more PCM comes. Failure: rejects when none came for so long, although it could. */
  async untilSilent(ms: number): Promise<void> {
    for (;;) {
      await this.#room();
      if (this.#isEnded) return;
      const pcmBytes = this.#pcmBytes;
      await within(this.#nextPcm(), ms);
      if (this.#isEnded) return;
      if (this.#pcmBytes === pcmBytes) throw noAudio(`no sound came for ${ms / 1000} s`);
    }
  }

  /** Ends it at once. */
  async finish(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#stop);
    this.#output.destroy();
    await this.#process.end('SIGKILL');
  }

  /** Once it has decoded something, another one may well do so, too. */
  #endFault(): StationError {
    const line = this.#lastLine();
    if (this.#pcmBytes === 0) return noAudio(`ffmpeg cannot decode it: ${line}`);
    return new StationError('decoder-ended', `ffmpeg has ended: ${line}`);
  }

  async #decodeSlice(slice: Buffer): Promise<void> {
    if (this.#isEnded) throw this.#endFault();
    this.#decodedBytes += slice.length;
    if (this.#pcmBytes === 0 && this.#decodedBytes > maxSoundlessBytes) {
      throw noAudio(`there is no sound in it: ${this.#lastLine()}`);
    }
    const pcm = this.#nextPcm();
    if (this.#input?.write(slice) === false) {
      await Promise.race([once(this.#input, 'drain').catch(() => undefined), this.#ended]);
    }
    if (this.#pcmBytes === 0 && this.#decodedBytes < this.#soundlessBytes) return;
    await within(pcm, this.#hasWaited ? maxSliceMs : maxStartMs);
    this.#hasWaited = true;
    if (this.#pcmBytes > 0 && !this.#isInStep) await this.#comeInStep();
  }

  /** Waits until what was given for the first sound is decoded. */
  async #comeInStep(): Promise<void> {
    this.#isInStep = true;
    for (let pcmBytes = 0; pcmBytes < this.#pcmBytes && !this.#isEnded; ) {
      pcmBytes = this.#pcmBytes;
      await within(this.#nextPcm(), quietMs);
    }
  }

  #take(bytes: Buffer): boolean {
    const { prebuffer } = this.#options;
    this.#pcmBytes += bytes.length;
    prebuffer.write(bytes);
    this.#onPcm();
    return prebuffer.freeBytes >= scratchBytes;
  }

  #nextPcm(): Promise<void> {
    return new Promise((resolve) => {
      this.#onPcm = resolve;
    });
  }

  async #room(): Promise<void> {
    while (this.#options.isFull() && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }
}

function argumentsFor({ input, format }: RadioDecoderOptions): readonly string[] {
  const output = ['-map', '0:a:0', ...pcmArguments(format), '-flush_packets', '1', 'pipe:1'];
  if ('listUrl' in input) {
    const { listUrl, userAgent } = input;
    const fetching = ['-user_agent', userAgent, '-i', listUrl];
    return [...decoderArguments('http,https,tcp,tls,crypto,hls'), ...fetching, ...output];
  }
  const { codec } = input;
  const probing = `${codec ? probeBytes.known : probeBytes.unknown}`;
  return [
    ...decoderArguments('pipe'),
    ...['-probesize', probing, '-analyzeduration', '0'],
    ...(codec ? ['-f', codec] : []),
    ...['-i', 'pipe:0'],
    ...output,
  ];
}
