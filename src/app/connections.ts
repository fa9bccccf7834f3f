import type { SourceSurroundings } from '../audio/sources/stream-source.ts';
import { ChildPlaces } from '../base/children/child-places.ts';
import type { Logger } from '../base/logger.ts';
import { canSend, type NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { Admission } from '../transport/admission.ts';
import { ConnectionLimits } from '../transport/connection-limits.ts';
import { DescriptorGuard } from '../transport/descriptor-guard.ts';
import { openInputQueue } from '../transport/input-queue.ts';
import { PeerTimeout } from '../transport/peer-timeout.ts';

interface Connections {
  /** What all connections to the ports pass. */
  readonly admission: Admission;
  /** What the sources of all streams share. */
  readonly surroundings: Required<
    Omit<SourceSurroundings, 'allowsPrivateHosts' | 'coverKeeper' | 'fileGate' | 'findClip'>
  >;
}

/** What the server lets in and what its sources reach out with; says whether all players fit. */
export function openConnections({
  settings,
  native,
  logger,
}: {
  /** The configuration that holds now. */
  readonly settings: () => Config;
  readonly native: NativeAddonResult;
  readonly logger: Logger;
}): Connections {
  const peerTimeout = new PeerTimeout(native, () => settings().server.peerTimeout);
  const descriptors = new DescriptorGuard(logger);
  // The addon writes by a descriptor of its own.
  const audioDescriptors = 'addon' in native && canSend(native.addon) ? 1 : 0;
  descriptors.warnAbout(settings().limits.maxPlayers, 1 + audioDescriptors);
  const admission = new Admission({
    descriptors,
    logger,
    audioDescriptors,
    limits: new ConnectionLimits(
      () => settings().limits,
      () => descriptors.connectionsPerAddress(1 + audioDescriptors),
    ),
    peerTimeout,
  });
  return {
    admission,
    surroundings: {
      children: new ChildPlaces(() => settings().limits),
      inputQueue: openInputQueue(native),
      watchPeer: (socket) => peerTimeout.watch(socket),
    },
  };
}
