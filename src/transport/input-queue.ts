import type { InputQueue } from '../audio/sources/stream-source.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import { descriptorOf } from '../base/net/adopt-socket.ts';

/** What the kernel keeps of the sockets and pipes of producers; Node has no call for that. */
export function openInputQueue(native: NativeAddonResult): InputQueue | undefined {
  const addon = 'addon' in native ? native.addon : undefined;
  if (!addon?.unreadBytes || !addon.readUnread || !addon.limitUnread || !addon.widenPipe) {
    return undefined;
  }
  const { unreadBytes, readUnread, limitUnread, widenPipe } = addon;
  return {
    unreadBytes: (socket) => {
      const descriptor = descriptorOf(socket);
      const bytes = descriptor < 0 ? -1 : unreadBytes(descriptor);
      return bytes < 0 ? undefined : bytes;
    },
    read: (socket, target) => {
      const descriptor = descriptorOf(socket);
      return descriptor < 0 ? 0 : Math.max(0, readUnread(descriptor, target));
    },
    limit: (socket, bytes) => {
      const descriptor = descriptorOf(socket);
      return descriptor < 0 ? 0 : Math.max(0, limitUnread(descriptor, bytes));
    },
    widen: (socket, bytes) => {
      const descriptor = descriptorOf(socket);
      return descriptor < 0 ? 0 : Math.max(0, widenPipe(descriptor, bytes));
    },
  };
}
