import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { Logger } from '../base/logger.ts';
import { canSend, type FanOutAddon, type NativeAddonResult } from '../base/native/native-addon.ts';
import type { FanOut } from './fan-out.ts';
import { NativeFanOut, type ZeroCopyOptions } from './native-fan-out.ts';
import { NodeFanOut } from './node-fan-out.ts';

/** Chooses the best fan-out that this machine has, and logs the reason when it is not the one wanted. */
export function openFanOut({
  pool,
  native,
  zeroCopy,
  logger,
}: {
  readonly pool: ChunkPool;
  readonly native: NativeAddonResult;
  /** Absent: not wanted. */
  readonly zeroCopy?: ZeroCopyOptions | undefined;
  readonly logger: Logger;
}): FanOut {
  logger.info(`ZeroCopy setting: ${zeroCopy ? 'enabled' : 'disabled'}`);
  if ('reason' in native) {
    logger.notice('no native addon, the JavaScript path is used', { reason: native.reason });
    return new NodeFanOut(pool);
  }
  const { addon } = native;
  if (!canSend(addon)) {
    const reason = 'native sending is for Linux only';
    logger.notice('audio is sent by the JavaScript path', { reason });
    return new NodeFanOut(pool);
  }
  return new NativeFanOut({
    pool,
    addon,
    logger,
    zeroCopy: zeroCopy && granted(zeroCopy, addon, logger),
  });
}

function granted(
  wanted: ZeroCopyOptions,
  addon: FanOutAddon,
  logger: Logger,
): ZeroCopyOptions | undefined {
  const reason = addon.zeroCopyRefusal();
  if (!reason) return wanted;
  logger.notice('no zero-copy on this system, audio is sent plainly', { reason });
  return undefined;
}
