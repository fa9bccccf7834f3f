import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { SourceError } from '../../base/errors.ts';
import { inSlices } from '../../base/time/in-slices.ts';
import { packetsOf } from '../ogg-pages.ts';
import { newSamples, samplesOf } from '../sample-conversion.ts';
import { SampleFormat } from '../sample-format.ts';
import { isAudio } from '../vorbis-packets.ts';
import {
  headerPackets,
  refusedFormat,
  type VorbisStream,
  type VorbisStreamSettings,
  vorbisFault,
} from './vorbis-library.ts';

const maxChannels = 2;
const warmUpFrames = 512;
const warmUpTurns = 60;

/** For people. */
export const wasmVorbisName = 'libVorbis in WebAssembly';

/** What we use of the module: one heap for all encoders of the process, which grows on demand. */
interface VorbisModule {
  /** Replaced when the heap grows: never keep its buffer. */
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  free(address: number): void;
  /** 0 for what it refuses. */
  enc_init(parameters: number): number;
  /** The address of the channels' addresses. */
  enc_get_pcm(encoder: number, frames: number): number;
  /** How many bytes of pages it has made, or a negative number. */
  enc_encode(encoder: number, frames: number): number;
  enc_get_out_buf(encoder: number): number;
  enc_free(encoder: number): void;
  _initialize(): void;
}

/**
 * Where the `ogg_stream_state` of an encoder lies, in which the module collects packets until a page
 * is full: up to 0.5 s of music, and longer when it is quiet. They are taken out of it at once, which
 * version 0.7.0, the only one that package.json allows, has room for.
 *
 * Source: ogg/ogg.h, as it is laid out for 32 bits.
 */
const streamOffset = 288;
const field = {
  body: 0,
  bodyFill: 8,
  bodyTaken: 12,
  lacing: 16,
  lacingFill: 28,
  lacingPacket: 32,
  serial: 336,
} as const;
/** Any will do: it is found again where the stream lies. */
const serialNumber = 0x5a43_6f67;

/** The compiler's libraries know WebAssembly as a part of browsers alone. */
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: {
    instantiate(
      bytes: Uint8Array,
      imports: Readonly<Record<string, Readonly<Record<string, (status: number) => void>>>>,
    ): Promise<{ readonly instance: { readonly exports: unknown } }>;
  };
};

let loaded: Promise<VorbisModule> | undefined;

/**
 * Opens an encoder of `wasm-media-encoders`, whose code is compiled then.
 *
 * Failure: rejects with a `SourceError`.
 */
export async function openWasmVorbis(settings: VorbisStreamSettings): Promise<VorbisStream> {
  if (settings.format.channels > maxChannels) throw refusedFormat(settings);
  loaded ??= load();
  return new WasmVorbisStream(await loaded, settings);
}

async function load(): Promise<VorbisModule> {
  try {
    const file = createRequire(import.meta.url).resolve('wasm-media-encoders/wasm/ogg');
    const { instance } = await wasm.instantiate(await readFile(file), {
      env: { emscripten_notify_memory_growth: () => undefined },
      wasi_snapshot_preview1: {
        proc_exit: (status) => {
          throw new Error(`it exits with ${status}`);
        },
      },
    });
    const module = instance.exports as VorbisModule;
    module._initialize();
    await compile(module);
    return module;
  } catch (cause) {
    throw new SourceError('ogg-unavailable', 'the ogg library does not load: reinstall it', {
      cause,
    });
  }
}

/** Encodes until its code is compiled: what a player that has just joined waits for came in bursts. */
async function compile(module: VorbisModule): Promise<void> {
  const format = new SampleFormat({ rateHz: 48_000, bits: 16, channels: 2 });
  const stream = new WasmVorbisStream(module, { format, quality: 0.9 });
  const samples = newSamples(warmUpFrames * format.channels, format);
  const pcm = new Uint8Array(samples.buffer);
  stream.begin();
  await inSlices(warmUpTurns, () => {
    for (let index = 0; index < samples.length; index += 1) {
      samples[index] = 8000 * Math.sin(index / 30) + 2000 * Math.random();
    }
    stream.process(pcm, 0, warmUpFrames);
  });
  stream.close();
}

class WasmVorbisStream implements VorbisStream {
  sizes: readonly number[] = [];
  readonly #module: VorbisModule;
  readonly #settings: VorbisStreamSettings;
  #encoder = 0;
  #packets: Uint8Array[] = [];

  constructor(module: VorbisModule, settings: VorbisStreamSettings) {
    this.#module = module;
    this.#settings = settings;
  }

  begin(): number {
    this.close();
    this.#encoder = this.#init();
    if (this.#encoder === 0) throw refusedFormat(this.#settings);
    if (this.#int32(field.serial) !== serialNumber) throw vorbisFault('it is another version');
    // The pages of the header are there; their length would be told with the first audio.
    this.#packets = packetsOf(this.#pages(), headerPackets);
    return this.#count();
  }

  process(pcm: Uint8Array, startFrame: number, frames: number): number {
    // Nothing would be the end of the stream.
    if (frames === 0) return 0;
    try {
      this.#write(pcm, startFrame, frames);
      const bytes = this.#module.enc_encode(this.#encoder, frames);
      if (bytes < 0) throw vorbisFault(`it takes no more audio (${bytes})`);
      // A page that was full is older than what waits for the next one.
      this.#packets = [...this.#packetsOnPages(bytes), ...this.#takeQueued()];
    } catch (cause) {
      if (cause instanceof SourceError) throw cause;
      throw vorbisFault('it crashed', cause);
    }
    return this.#count();
  }

  take(target: Uint8Array): void {
    target.set(this.#packets.shift()!);
  }

  close(): void {
    if (this.#encoder !== 0) this.#module.enc_free(this.#encoder);
    this.#encoder = 0;
  }

  #count(): number {
    this.sizes = this.#packets.map(({ length }) => length);
    return this.#packets.length;
  }

  #init(): number {
    const { format, quality } = this.#settings;
    const address = this.#module.malloc(16);
    const view = new DataView(this.#module.memory.buffer, address, 16);
    view.setUint32(0, format.channels, true);
    view.setUint32(4, format.rateHz, true);
    view.setFloat32(8, quality * 10, true);
    view.setInt32(12, serialNumber, true);
    const encoder = this.#module.enc_init(address);
    this.#module.free(address);
    return encoder;
  }

  /** Scaled by the size of the container, as existing players turn it back. */
  #write(pcm: Uint8Array, startFrame: number, frames: number): void {
    const { format } = this.#settings;
    const { channels, sampleBytes } = format;
    const samples = samplesOf(pcm, format);
    const scale = 2 ** (1 - 8 * sampleBytes);
    const table = this.#module.enc_get_pcm(this.#encoder, frames);
    const { buffer } = this.#module.memory;
    const addresses = new Uint32Array(buffer, table, channels);
    for (let channel = 0; channel < channels; channel += 1) {
      const floats = new Float32Array(buffer, addresses[channel]!, frames);
      for (let frame = 0, at = startFrame * channels + channel; frame < frames; frame += 1) {
        floats[frame] = samples[at]! * scale;
        at += channels;
      }
    }
  }

  #packetsOnPages(bytes: number): Uint8Array[] {
    if (bytes === 0) return [];
    return packetsOf(this.#pages().subarray(0, bytes)).filter(([first = 1]) => isAudio(first));
  }

  #pages(): Uint8Array {
    const address = this.#module.enc_get_out_buf(this.#encoder);
    return new Uint8Array(this.#module.memory.buffer, address);
  }

  /** Empties the page that is being filled. */
  #takeQueued(): Uint8Array[] {
    const { buffer } = this.#module.memory;
    const lacing = new Int32Array(buffer, this.#int32(field.lacing), this.#int32(field.lacingFill));
    const packets: Uint8Array[] = [];
    let start = this.#int32(field.body) + this.#int32(field.bodyTaken);
    let bytes = 0;
    for (const value of lacing) {
      const segmentBytes = value & 0xff;
      bytes += segmentBytes;
      if (segmentBytes === 0xff) continue;
      packets.push(new Uint8Array(buffer, start, bytes).slice());
      start += bytes;
      bytes = 0;
    }
    this.#setInt32(field.bodyTaken, this.#int32(field.bodyFill));
    this.#setInt32(field.lacingFill, 0);
    this.#setInt32(field.lacingPacket, 0);
    return packets;
  }

  #int32(at: number): number {
    return this.#view().getInt32(at, true);
  }

  #setInt32(at: number, value: number): void {
    this.#view().setInt32(at, value, true);
  }

  #view(): DataView {
    return new DataView(this.#module.memory.buffer, this.#encoder + streamOffset);
  }
}
