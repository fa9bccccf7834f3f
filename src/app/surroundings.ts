import type { SourceSurroundings } from '../audio/sources/stream-source.ts';
import { ChildPlaces } from '../base/children/child-places.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { openInputQueue } from '../transport/input-queue.ts';
import { PeerTimeout } from '../transport/peer-timeout.ts';

/** What the sources of all streams share. `config` is asked anew for every socket and program. */
export function openSurroundings(options: {
  readonly native: NativeAddonResult;
  readonly config: () => Config;
}): Required<Omit<SourceSurroundings, 'fileGate'>> {
  const { native, config } = options;
  const peers = new PeerTimeout({
    native,
    get timeoutMs() {
      return config().server.peerTimeout;
    },
  });
  const children = new ChildPlaces({
    get maxChildren() {
      return config().limits.maxChildren;
    },
  });
  const inputQueue = openInputQueue(native);
  return { watchPeer: (socket) => peers.watch(socket), children, inputQueue };
}
