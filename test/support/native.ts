import type { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { canSend, type FanOutAddon, loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { NativeFanOut, type ZeroCopyOptions } from '../../src/transport/native-fan-out.ts';

/** Failure: throws where the addon is not built or cannot send: every Linux machine builds it. */
export function sendingAddon(): FanOutAddon {
  const native = loadNativeAddon();
  if ('reason' in native) throw new Error(`the native addon is needed here: ${native.reason}`);
  if (!canSend(native.addon)) throw new Error('native sending is for Linux only');
  return native.addon;
}

export function nativeFanOut(pool: ChunkPool, zeroCopy?: ZeroCopyOptions): NativeFanOut {
  return new NativeFanOut({ pool, addon: sendingAddon(), zeroCopy });
}
