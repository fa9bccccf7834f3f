import { messageOf } from '../../base/errors.ts';
import type {
  NativeAddon,
  NativeAddonResult,
  NativeFlacEncoder,
} from '../../base/native/native-addon.ts';
import { maxEncodeSamples } from './encoder.ts';
import {
  type FlacStream,
  type FlacStreamSettings,
  flacFault,
  newBlockList,
} from './flac-library.ts';

interface SystemLibflac {
  /** With its version, for people. */
  readonly name: string;
  /** Failure: throws a `SourceError`. */
  open(settings: FlacStreamSettings): FlacStream;
}

/** Looks for the system's libFLAC, or says in a few words why it cannot be used. */
export function findSystemLibflac(
  native: NativeAddonResult,
): SystemLibflac | { readonly reason: string } {
  if ('reason' in native) return { reason: 'the addon that loads it is missing' };
  const { findLibflac, FlacEncoder } = native.addon;
  if (!findLibflac || !FlacEncoder) return { reason: 'the addon cannot load it on this system' };
  const found = findLibflac();
  if ('reason' in found) return found;
  const name = `libFLAC ${found.version} of the system (${found.file})`;
  return { name, open: (settings) => new SystemFlacStream(FlacEncoder, settings) };
}

class SystemFlacStream implements FlacStream {
  readonly maxSamples = maxEncodeSamples;
  readonly blocks = newBlockList();
  readonly #settings: FlacStreamSettings;
  readonly #encoder: NativeFlacEncoder;

  constructor(
    FlacEncoder: Required<NativeAddon>['FlacEncoder'],
    { format, level, blockFrames }: FlacStreamSettings,
  ) {
    this.#settings = { format, level, blockFrames };
    const { rateHz, channels, bits } = format;
    const { blocks } = this;
    try {
      this.#encoder = new FlacEncoder({ rateHz, channels, bits, level, blockFrames, blocks });
    } catch (cause) {
      throw flacFault(messageOf(cause), cause);
    }
  }

  begin(): void {
    const status = this.#encoder.begin();
    if (status === 0) return;
    throw flacFault(`it refused ${this.#settings.format} with status ${status}`);
  }

  process(pcm: Uint8Array, startFrame: number, frames: number): number {
    return this.#demand(this.#encoder.process(pcm, startFrame, frames));
  }

  finish(): number {
    return this.#demand(this.#encoder.finish());
  }

  take(target: Uint8Array): void {
    this.#encoder.take(target);
  }

  close(): void {
    this.#encoder.close();
  }

  #demand(blocks: number): number {
    if (blocks < 0) throw flacFault(this.#encoder.stateText());
    return blocks;
  }
}
