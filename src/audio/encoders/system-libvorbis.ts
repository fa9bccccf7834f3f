import { messageOf } from '../../base/errors.ts';
import type {
  NativeAddon,
  NativeAddonResult,
  NativeVorbisEncoder,
} from '../../base/native/native-addon.ts';
import {
  maxPacketsPerCall,
  refusedFormat,
  type VorbisStream,
  type VorbisStreamSettings,
  vorbisFault,
} from './vorbis-library.ts';

interface SystemLibvorbis {
  /** With its version, for people. */
  readonly name: string;
  /** Failure: throws a `SourceError`. */
  open(settings: VorbisStreamSettings): VorbisStream;
}

/** Looks for the system's libvorbisenc, or says in a few words why it cannot be used. */
export function findSystemLibvorbis(
  native: NativeAddonResult,
): SystemLibvorbis | { readonly reason: string } {
  if ('reason' in native) return { reason: 'the addon that loads it is missing' };
  const { findLibvorbis, VorbisEncoder } = native.addon;
  if (!findLibvorbis || !VorbisEncoder)
    return { reason: 'the addon cannot load it on this system' };
  const found = findLibvorbis();
  if ('reason' in found) return found;
  const name = `${found.version} of the system (${found.file})`;
  return { name, open: (settings) => new SystemVorbisStream(VorbisEncoder, settings) };
}

class SystemVorbisStream implements VorbisStream {
  readonly sizes = new Uint32Array(maxPacketsPerCall);
  readonly #settings: VorbisStreamSettings;
  readonly #encoder: NativeVorbisEncoder;

  constructor(
    VorbisEncoder: Required<NativeAddon>['VorbisEncoder'],
    { format, quality }: VorbisStreamSettings,
  ) {
    this.#settings = { format, quality };
    const { rateHz, channels, bits } = format;
    const { sizes } = this;
    try {
      this.#encoder = new VorbisEncoder({ rateHz, channels, bits, quality, sizes });
    } catch (cause) {
      throw vorbisFault(messageOf(cause), cause);
    }
  }

  begin(): number {
    const packets = this.#encoder.begin();
    if (packets < 0) throw refusedFormat(this.#settings);
    return packets;
  }

  process(pcm: Uint8Array, startFrame: number, frames: number): number {
    const packets = this.#encoder.process(pcm, startFrame, frames);
    if (packets < 0) throw vorbisFault('it takes no more audio');
    return packets;
  }

  take(target: Uint8Array): void {
    this.#encoder.take(target);
  }

  close(): void {
    this.#encoder.close();
  }
}
