import { findSystemLibvorbis } from '../../src/audio/encoders/system-libvorbis.ts';
import type {
  VorbisStream,
  VorbisStreamSettings,
} from '../../src/audio/encoders/vorbis-library.ts';
import { openWasmVorbis } from '../../src/audio/encoders/wasm-vorbis.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';

/** Opens a stream of one library of Vorbis. */
export type OpenVorbisStream = (settings: VorbisStreamSettings) => Promise<VorbisStream>;

async function openSystemLibvorbis(settings: VorbisStreamSettings): Promise<VorbisStream> {
  const found = findSystemLibvorbis(loadNativeAddon({}));
  if ('reason' in found)
    throw new Error(`libvorbis (apt-get install vorbis-tools): ${found.reason}`);
  return found.open(settings);
}

/** By name. */
export const vorbisLibraries: readonly (readonly [string, OpenVorbisStream])[] = [
  ["the system's libvorbis", openSystemLibvorbis],
  ['libvorbis in WebAssembly', openWasmVorbis],
];
