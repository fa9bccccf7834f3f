import type { SampleFormat } from '../../src/audio/sample-format.ts';

/** Bytes that never repeat within 2^24 words, so that any loss, copy or swap of them shows. */
export function numberedBytes(bytes: number, firstWord = 0): Buffer {
  const buffer = Buffer.alloc(Math.ceil(bytes / 4) * 4);
  for (let word = 0; word < buffer.length / 4; word += 1) {
    buffer.writeUInt32LE(((firstWord + word) * 2_654_435_761) >>> 0, word * 4);
  }
  return buffer.subarray(0, bytes);
}

export interface WavOptions {
  readonly rateHz?: number;
  readonly bits?: number;
  readonly channels?: number;
  readonly tag?: number;
  /** Format tag behind WAVE_FORMAT_EXTENSIBLE. */
  readonly subFormat?: number;
  readonly blockAlign?: number;
  /** Size that the header claims for the audio. */
  readonly dataBytes?: number;
  /** Chunks between the format and the audio. */
  readonly between?: Buffer;
  /** What follows the audio. */
  readonly trailer?: Buffer;
}

/** Turns the number fields of a RIFF file (not its audio) around: RIFX. */
export function asRifx(file: Buffer): Buffer {
  const turned = Buffer.from(file);
  turned.write('RIFX', 'latin1');
  turned.subarray(4, 8).swap32();
  for (const at of [16, 24, 28, 40]) turned.subarray(at, at + 4).swap32();
  for (const at of [20, 22, 32, 34]) turned.subarray(at, at + 2).swap16();
  return turned;
}

/** An RF64 or BW64 file: sizes of 32 bits say nothing, those of `ds64` count. */
export function longWavFile(
  magic: 'RF64' | 'BW64',
  audio: Uint8Array,
  options: Pick<WavOptions, 'dataBytes' | 'trailer'> = {},
): Buffer {
  const { dataBytes = audio.length, trailer = Buffer.alloc(0) } = options;
  const ds64 = Buffer.alloc(28);
  ds64.writeBigUInt64LE(BigInt(audio.length + trailer.length + 72), 0);
  ds64.writeBigUInt64LE(BigInt(dataBytes), 8);
  const plain = wavFile(audio, { dataBytes: 0xffff_ffff, trailer });
  const head = Buffer.from(`${magic}\xff\xff\xff\xffWAVE`, 'latin1');
  return Buffer.concat([head, riffChunk('ds64', ds64), plain.subarray(12)]);
}

export function riffChunk(name: string, body: Uint8Array, claimedBytes = body.length): Buffer {
  const header = Buffer.alloc(8);
  header.write(name, 'latin1');
  header.writeUInt32LE(claimedBytes, 4);
  const padding = Buffer.alloc(body.length % 2);
  return Buffer.concat([header, body, padding]);
}

/** A WAV file of PCM that lies in the containers of the wire: 24 bit in 4 bytes, which files have in 3. */
export function wavFileOf(pcm: Uint8Array, { rateHz, channels, bits }: SampleFormat): Buffer {
  const audio = bits === 24 ? pcm.filter((_, index) => index % 4 !== 3) : pcm;
  return wavFile(audio, { rateHz, channels, bits });
}

/** A WAV file with `audio` in it. */
export function wavFile(audio: Uint8Array, options: WavOptions = {}): Buffer {
  const { rateHz = 48_000, bits = 16, channels = 2, subFormat } = options;
  const blockAlign = options.blockAlign ?? channels * Math.ceil(bits / 8);
  const format = Buffer.alloc(subFormat === undefined ? 16 : 40);
  format.writeUInt16LE(options.tag ?? (subFormat === undefined ? 1 : 0xfffe), 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rateHz, 4);
  format.writeUInt32LE(rateHz * blockAlign, 8);
  format.writeUInt16LE(blockAlign, 12);
  format.writeUInt16LE(bits, 14);
  if (subFormat !== undefined) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(subFormat, 24);
  }
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    riffChunk('fmt ', format),
    options.between ?? Buffer.alloc(0),
    riffChunk('data', audio, options.dataBytes),
    options.trailer ?? Buffer.alloc(0),
  ]);
  return riffChunk('RIFF', body);
}
