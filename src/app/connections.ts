import type { Logger } from '../base/logger.ts';
import { canSend, type NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { Admission } from '../transport/admission.ts';
import { ConnectionLimits } from '../transport/connection-limits.ts';
import { DescriptorGuard } from '../transport/descriptor-guard.ts';
import { PeerTimeout } from '../transport/peer-timeout.ts';

export interface AdmissionSetup {
  /** The configuration that holds now. */
  readonly config: () => Config;
  readonly native: NativeAddonResult;
  readonly logger: Logger;
}

/** What all connections pass, by the settings of [limits]; says whether all players fit. */
export function openAdmission({ config, native, logger }: AdmissionSetup): Admission {
  const descriptors = new DescriptorGuard({ logger });
  // The addon writes by a descriptor of its own.
  const audioDescriptors = 'addon' in native && canSend(native.addon) ? 1 : 0;
  descriptors.warnAbout(config().limits.maxPlayers, 1 + audioDescriptors);
  return new Admission({
    descriptors,
    logger,
    audioDescriptors,
    limits: new ConnectionLimits({
      get maxPlayers() {
        return config().limits.maxPlayers;
      },
      get maxControllers() {
        return config().limits.maxControllers;
      },
      get maxHttpConnections() {
        return config().limits.maxHttpConnections;
      },
      get maxConnectionsPerAddress() {
        return config().limits.maxConnectionsPerAddress;
      },
      get descriptorShare() {
        return descriptors.connectionsPerAddress(1 + audioDescriptors);
      },
    }),
    peerTimeout: new PeerTimeout({
      native,
      get timeoutMs() {
        return config().server.peerTimeout;
      },
    }),
  });
}
