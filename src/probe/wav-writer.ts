import { closeSync, openSync, writeSync } from 'node:fs';
import { riffHeader } from '../audio/encoders/pcm-encoder.ts';
import type { SampleFormat } from '../audio/sample-format.ts';
import { messageOf, ZerocastError } from '../base/errors.ts';

const headerBytes = 44;
/** Sizes inside a WAV file are 32-bit numbers. */
const maxDataBytes = 0xffff_ffff - headerBytes;
/** A longer gap is a pause of the source: left out, as no user wants hours of silence. */
const maxFillUs = 60_000_000;
/** Timestamps are whole microseconds: what differs by their rounding is no gap. */
const roundingUs = 2;

/**
 * Records audio in real time order: every chunk stands where its timestamp says, so that missing
 * audio is silence in the file and not a shift of all that follows.
 */
export class WavWriter {
  readonly #file: number;
  readonly #format: SampleFormat;
  #startUs: number | undefined;
  #frames = 0;

  /** Failure: throws a `ZerocastError` when the file cannot be written. */
  constructor(path: string, format: SampleFormat) {
    try {
      this.#file = openSync(path, 'w');
    } catch (cause) {
      throw new ZerocastError('wav', `cannot write ${path}: ${messageOf(cause)}`, { cause });
    }
    this.#format = format;
    writeSync(this.#file, riffHeader(format));
  }

  /**
   * Puts PCM (wire layout) at its time; what overlaps the audio before it is left out.
   *
   * Failure: throws a `ZerocastError` when the stream has changed its format.
   */
  write(chunk: { timestampUs: number; pcm: Buffer; format: SampleFormat }): void {
    if (!chunk.format.equals(this.#format)) {
      const change = `from ${this.#format} to ${chunk.format}`;
      throw new ZerocastError('wav', `the stream changed ${change}: one WAV file has one format`);
    }
    const missing = this.#framesMissingBefore(chunk.timestampUs);
    if (missing > 0) this.#append(Buffer.alloc(missing * this.#format.frameBytes));
    this.#append(chunk.pcm.subarray(Math.max(0, -missing) * this.#format.frameBytes));
  }

  /** Completes the header. */
  close(): void {
    const dataBytes = this.#frames * this.#fileFrameBytes;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(dataBytes + headerBytes - 8);
    writeSync(this.#file, size, 0, 4, 4);
    size.writeUInt32LE(dataBytes);
    writeSync(this.#file, size, 0, 4, headerBytes - 4);
    closeSync(this.#file);
  }

  /** Below zero when audio of that time overlaps what is there. */
  #framesMissingBefore(timestampUs: number): number {
    const recordedUs = this.#format.durationUs(this.#frames);
    this.#startUs ??= timestampUs;
    const missingUs = timestampUs - this.#startUs - recordedUs;
    if (missingUs > maxFillUs) this.#startUs = timestampUs - recordedUs;
    if (missingUs > maxFillUs || Math.abs(missingUs) <= roundingUs) return 0;
    return Math.round((missingUs * this.#format.rateHz) / 1_000_000);
  }

  get #fileFrameBytes(): number {
    return (this.#format.bits / 8) * this.#format.channels;
  }

  #append(pcm: Buffer): void {
    const frames = pcm.length / this.#format.frameBytes;
    if ((this.#frames + frames) * this.#fileFrameBytes > maxDataBytes) return;
    writeSync(this.#file, toFileLayout(pcm, this.#format.bits));
    this.#frames += frames;
  }
}

/** WAV files hold 24-bit samples in 3 bytes, and 8-bit samples unsigned. */
function toFileLayout(pcm: Buffer, bits: number): Buffer {
  if (bits === 8) return pcm.map((sample) => sample ^ 0x80) as Buffer;
  if (bits !== 24) return pcm;
  const packed = Buffer.allocUnsafe((pcm.length / 4) * 3);
  for (let from = 0, to = 0; from < pcm.length; from += 4, to += 3) {
    pcm.copy(packed, to, from, from + 3);
  }
  return packed;
}
