import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FlacStream, FlacStreamSettings } from '../../src/audio/encoders/flac-library.ts';
import { LibflacjsStream, loadLibflacjs } from '../../src/audio/encoders/libflacjs.ts';
import { findSystemLibflac } from '../../src/audio/encoders/system-libflac.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';

/** Opens a stream of one library of FLAC. */
export type OpenFlacStream = (settings: FlacStreamSettings) => Promise<FlacStream>;

export async function openSystemLibflac(settings: FlacStreamSettings): Promise<FlacStream> {
  const found = findSystemLibflac(loadNativeAddon({}));
  if ('reason' in found) throw new Error(`libFLAC (apt-get install flac): ${found.reason}`);
  return found.open(settings);
}

export async function openLibflacjsHere(settings: FlacStreamSettings): Promise<FlacStream> {
  return new LibflacjsStream(await loadLibflacjs(), settings);
}

/** By name. */
export const flacLibraries: readonly (readonly [string, OpenFlacStream])[] = [
  ["the system's libFLAC", openSystemLibflac],
  ['libflacjs', openLibflacjsHere],
];

/**
 * An environment in which the system's libFLAC, which no format is too much for, is not found; `folder`
 * is an empty one for it.
 */
export function withoutSystemLibflac(folder: string): Readonly<Record<string, string>> {
  for (const version of [14, 12, 8]) {
    writeFileSync(join(folder, `libFLAC.so.${version}`), 'no library');
  }
  return { LD_LIBRARY_PATH: folder };
}
