import { LoopShare } from '../../src/base/time/loop-share.ts';
import type { ControlLimits, ControlPeerContext } from '../../src/control/control-peer.ts';
import { RequestBudget } from '../../src/control/request-budget.ts';

/** The limits as the configuration has them by default. */
export const controlLimits: ControlLimits = {
  maxRequestBytes: 1024 * 1024,
  maxQueuedBytes: 8 * 1024 * 1024,
  peerTimeoutMs: 15_000,
};

export function controlPeerContext(
  limits: Partial<ControlLimits> = {},
  maxIncompleteBytes = 16 * 1024 * 1024,
): ControlPeerContext {
  return {
    limits: { ...controlLimits, ...limits },
    budget: new RequestBudget({ maxIncompleteBytes }),
    turns: new LoopShare(),
  };
}
