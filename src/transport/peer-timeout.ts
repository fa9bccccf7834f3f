import type { Socket } from 'node:net';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import { descriptorOf } from '../base/net/adopt-socket.ts';

/** libuv asks a silent peer ten times, a second apart, before it gives up. */
const nodeProbesMs = 10_000;
const minIdleMs = 1000;

/**
 * Makes the kernel break connections whose peer has vanished, whether data is under way or not.
 *
 * Without the addon that holds for connections on which nothing is under way, and takes 11 seconds
 * or more: Node offers no more than the beginning of the questions.
 */
export class PeerTimeout {
  readonly #native: NativeAddonResult;
  readonly #timeoutMs: () => number;

  /** A peer that acknowledges nothing for `timeoutMs` is gone. */
  constructor(native: NativeAddonResult, timeoutMs: () => number) {
    this.#native = native;
    this.#timeoutMs = timeoutMs;
  }

  /** Shape: `socket` is the one that was accepted, below any TLS. */
  watch(socket: Socket): void {
    const timeoutMs = this.#timeoutMs();
    const set = 'addon' in this.#native ? this.#native.addon.setPeerTimeout : undefined;
    const descriptor = descriptorOf(socket);
    if (set && descriptor >= 0 && set(descriptor, timeoutMs) === 0) return;
    socket.setKeepAlive(true, Math.max(minIdleMs, timeoutMs - nodeProbesMs));
  }
}
