/**
 * What `/live` tells of the levels of streams, many records in one message; little-endian.
 * Shared with the page, so it knows nothing of Node. Source: docs/protocol.md, "Live".
 */
export const meterFrameVersion = 1;
/** Of binary messages on `/live`, in their first byte. */
export const meterFrameKind = 1;

const headerBytes = 4;
const recordBytes = 12;
const bytesPerChannel = 6;
const loudnessBytes = 6;
const silence = -32_768;
const stepsPerDb = 100;
/** What the lowest and the highest byte of a mel band stand for. */
const melRangeDb = { lowest: -90, highest: 0 } as const;

/** Shape: decibels, minus infinity of silence. */
export interface MeterLevels {
  /** One number per channel each. */
  readonly peakDb: ArrayLike<number>;
  readonly rmsDb: ArrayLike<number>;
  /** Minus infinity also where it is not measured. */
  readonly truePeakDb: ArrayLike<number>;
  readonly momentaryLufs: number;
  readonly shortTermLufs: number;
  readonly integratedLufs: number;
}

/** One moment of one stream: either levels or a row of the spectrum. */
export interface MeterRecord {
  /** Of the stream, in what was told of the watch before. */
  readonly index: number;
  /** Server time at which players let it be heard, microseconds. */
  readonly heardUs: number;
  readonly levels?: MeterLevels;
  /** From the lowest band; 0 is −90 dB, 255 a sine of full scale. Ownership: lies in the frame. */
  readonly mel?: Uint8Array;
}

/** Gathers records in one message for all who get it. */
export class MeterFrameWriter {
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  #records = 0;
  /** Of the last frame: the next one is as long. */
  #expectedBytes = 256;

  get isEmpty(): boolean {
    return this.#records === 0;
  }

  addLevels(index: number, heardUs: number, levels: MeterLevels): void {
    const { peakDb, rmsDb, truePeakDb } = levels;
    const channels = peakDb.length;
    this.#begin({ index, heardUs, channels, bands: 0 });
    for (let channel = 0; channel < channels; channel += 1) {
      this.#addDb(peakDb[channel]!);
      this.#addDb(rmsDb[channel]!);
      this.#addDb(truePeakDb[channel]!);
    }
    this.#addDb(levels.momentaryLufs);
    this.#addDb(levels.shortTermLufs);
    this.#addDb(levels.integratedLufs);
  }

  /** Shape: `bandsDb` in decibels, from the lowest band. */
  addMel(index: number, heardUs: number, bandsDb: ArrayLike<number>): void {
    this.#begin({ index, heardUs, channels: 0, bands: bandsDb.length });
    for (let band = 0; band < bandsDb.length; band += 1) {
      this.#bytes[this.#end] = byteOf(bandsDb[band]!);
      this.#end += 1;
    }
  }

  /** The message, which is not written to any more; the next record begins another one. */
  take(): Uint8Array<ArrayBuffer> {
    this.#view.setUint8(0, meterFrameKind);
    this.#view.setUint8(1, meterFrameVersion);
    this.#view.setUint16(2, this.#records, true);
    const frame = this.#bytes.subarray(0, this.#end);
    this.#expectedBytes = this.#end;
    this.#use(new Uint8Array(0));
    this.#records = 0;
    return frame;
  }

  #begin(record: {
    readonly index: number;
    readonly heardUs: number;
    readonly channels: number;
    readonly bands: number;
  }): void {
    const { index, heardUs, channels, bands } = record;
    if (this.isEmpty) {
      this.#use(new Uint8Array(this.#expectedBytes));
      this.#end = headerBytes;
    }
    const levelBytes = channels > 0 ? channels * bytesPerChannel + loudnessBytes : 0;
    this.#makeRoom(recordBytes + levelBytes + bands);
    this.#view.setUint16(this.#end, index, true);
    this.#view.setUint8(this.#end + 2, channels);
    this.#view.setUint8(this.#end + 3, bands);
    this.#view.setFloat64(this.#end + 4, heardUs, true);
    this.#end += recordBytes;
    this.#records += 1;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const before = this.#bytes;
    this.#use(new Uint8Array(Math.max(needed, 2 * before.length)));
    this.#bytes.set(before);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #addDb(db: number): void {
    const steps = Math.round(db * stepsPerDb);
    this.#view.setInt16(this.#end, steps > silence ? Math.min(steps, 32_767) : silence, true);
    this.#end += 2;
  }
}

/** Failure: throws a `RangeError` for what is no such message, or was cut. */
export function readMeterFrame(frame: ArrayBuffer): readonly MeterRecord[] {
  const view = new DataView(frame);
  if (view.getUint8(0) !== meterFrameKind || view.getUint8(1) !== meterFrameVersion) {
    throw new RangeError('this is no frame of meters of this version');
  }
  const records: MeterRecord[] = [];
  let at = headerBytes;
  for (let left = view.getUint16(2, true); left > 0; left -= 1) {
    const index = view.getUint16(at, true);
    const channels = view.getUint8(at + 2);
    const bands = view.getUint8(at + 3);
    const heardUs = view.getFloat64(at + 4, true);
    if (!Number.isFinite(heardUs)) throw new RangeError('the time of a record is none');
    at += recordBytes;
    const levels = channels > 0 ? readLevels(view, at, channels) : undefined;
    if (levels) at += channels * bytesPerChannel + loudnessBytes;
    const mel = bands > 0 ? new Uint8Array(frame, at, bands) : undefined;
    at += bands;
    records.push({ index, heardUs, ...(levels && { levels }), ...(mel && { mel }) });
  }
  return records;
}

function readLevels(view: DataView, start: number, channels: number): MeterLevels {
  const dbAt = (at: number) => {
    const steps = view.getInt16(at, true);
    return steps === silence ? Number.NEGATIVE_INFINITY : steps / stepsPerDb;
  };
  const ofChannels = (offset: number) =>
    Array.from({ length: channels }, (_, channel) =>
      dbAt(start + channel * bytesPerChannel + offset),
    );
  const loudness = start + channels * bytesPerChannel;
  return {
    peakDb: ofChannels(0),
    rmsDb: ofChannels(2),
    truePeakDb: ofChannels(4),
    momentaryLufs: dbAt(loudness),
    shortTermLufs: dbAt(loudness + 2),
    integratedLufs: dbAt(loudness + 4),
  };
}

function byteOf(db: number): number {
  const { lowest, highest } = melRangeDb;
  const part = (db - lowest) / (highest - lowest);
  return Math.round(255 * Math.min(1, Math.max(0, part)));
}
