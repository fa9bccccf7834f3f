import { Admission } from '../../src/transport/admission.ts';
import {
  ConnectionLimits,
  type ConnectionSettings,
} from '../../src/transport/connection-limits.ts';
import { type DescriptorFacts, DescriptorGuard } from '../../src/transport/descriptor-guard.ts';
import { PeerTimeout } from '../../src/transport/peer-timeout.ts';
import { LogLines } from './log-lines.ts';

/** An admission whose limits a test may change at any time. */
export class AdmissionRig {
  readonly log = new LogLines();
  readonly limits: { -readonly [Name in keyof ConnectionSettings]: number } & {
    descriptorShare: number;
  } = {
    maxPlayers: 1000,
    maxControllers: 1000,
    maxHttpConnections: 1000,
    maxConnectionsPerAddress: 0,
    maxTaps: 1000,
    maxTapsPerAddress: 0,
    descriptorShare: Number.POSITIVE_INFINITY,
  };
  readonly admission: Admission;

  constructor(facts: DescriptorFacts = { limit: () => undefined, open: () => 0 }) {
    this.admission = new Admission({
      limits: new ConnectionLimits(
        () => this.limits,
        () => this.limits.descriptorShare,
      ),
      descriptors: new DescriptorGuard(this.log, facts),
      peerTimeout: new PeerTimeout({ reason: 'not for this test' }, () => 15_000),
      logger: this.log,
      audioDescriptors: 1,
    });
  }
}
