import { LoopShare } from '../../src/base/time/loop-share.ts';
import type { ControlLimits, ControlPeerContext } from '../../src/control/control-peer.ts';
import { RequestBudget } from '../../src/control/request-budget.ts';

/** The limits as the configuration has them by default. */
export const controlLimits: ControlLimits = {
  maxRequestBytes: 1024 * 1024,
  maxQueuedBytes: 8 * 1024 * 1024,
};

export function controlPeerContext(
  { peerTimeoutMs = 15_000, ...limits }: Partial<ControlLimits> & { peerTimeoutMs?: number } = {},
  maxIncompleteBytes = 16 * 1024 * 1024,
): ControlPeerContext {
  return {
    limits: { ...controlLimits, ...limits },
    settings: () => ({ peerTimeoutMs }),
    budget: new RequestBudget({ maxIncompleteBytes }),
    turns: new LoopShare(),
  };
}
