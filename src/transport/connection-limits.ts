import { networkOf } from '../base/net/remote-address.ts';

/** What a connection is for. One that became a WebSocket counts as `http` as well. */
export type PeerKind = 'player' | 'controller' | 'http' | 'tap';

/** The limit that a connection was refused for. */
export type RefusalReason = PeerKind | 'address' | 'tap-address' | 'descriptors';

export interface ConnectionSettings {
  readonly maxPlayers: number;
  readonly maxControllers: number;
  readonly maxHttpConnections: number;
  /** 0 for no limit. */
  readonly maxConnectionsPerAddress: number;
  readonly maxTaps: number;
  readonly maxTapsPerAddress: number;
}

/** Counts connections of each kind, and of each address over all ports. */
export class ConnectionLimits {
  readonly #settings: () => ConnectionSettings;
  readonly #descriptorShare: () => number;
  readonly #ofKind: Record<PeerKind, number> = { player: 0, controller: 0, http: 0, tap: 0 };
  readonly #ofNetwork = new Map<string, number>();
  readonly #tapsOfNetwork = new Map<string, number>();

  /** `descriptorShare` is that of one address where few descriptors are allowed. */
  constructor(
    settings: () => ConnectionSettings,
    descriptorShare: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.#settings = settings;
    this.#descriptorShare = descriptorShare;
  }

  /** The limit that one more of `kind` would go beyond; without `address` it is connected already. */
  refusalOf(kind: PeerKind, address?: string): RefusalReason | undefined {
    if (this.#ofKind[kind] >= this.limitOf(kind)) return kind;
    const reason = kind === 'tap' ? 'tap-address' : 'address';
    const limit = this.limitOf(reason);
    if (address === undefined || limit === 0) return undefined;
    const count = this.#networksOf(kind).get(networkOf(address)) ?? 0;
    return count >= limit ? reason : undefined;
  }

  /** Whether one address gets less than the setting says, as there are too few descriptors. */
  get isAddressShort(): boolean {
    return this.limitOf('address') < this.#settings().maxConnectionsPerAddress;
  }

  limitOf(limit: Exclude<RefusalReason, 'descriptors'>): number {
    const settings = this.#settings();
    const { maxPlayers, maxControllers, maxHttpConnections, maxConnectionsPerAddress } = settings;
    switch (limit) {
      case 'player':
        return maxPlayers;
      case 'controller':
        return maxControllers;
      case 'http':
        return maxHttpConnections;
      case 'address':
        return Math.min(maxConnectionsPerAddress, this.#descriptorShare());
      case 'tap':
        return settings.maxTaps;
      case 'tap-address':
        return settings.maxTapsPerAddress;
    }
  }

  /** Counts one more; returns what takes that back. */
  add(kind: PeerKind, address?: string): () => void {
    this.#ofKind[kind] += 1;
    const network = address === undefined ? undefined : networkOf(address);
    const networks = this.#networksOf(kind);
    if (network !== undefined) count(networks, network, 1);
    return () => {
      this.#ofKind[kind] -= 1;
      if (network !== undefined) count(networks, network, -1);
    };
  }

  /** A tap is counted beside the connection that it is made of. */
  #networksOf(kind: PeerKind): Map<string, number> {
    return kind === 'tap' ? this.#tapsOfNetwork : this.#ofNetwork;
  }
}

function count(networks: Map<string, number>, network: string, more: number): void {
  const sum = (networks.get(network) ?? 0) + more;
  if (sum > 0) networks.set(network, sum);
  else networks.delete(network);
}
