import { networkOf } from '../base/net/remote-address.ts';

/** What a connection is for. One that became a WebSocket counts as `http` as well. */
export type PeerKind = 'player' | 'controller' | 'http';

/** The limit that a connection was refused for. */
export type RefusalReason = PeerKind | 'address' | 'descriptors';

export interface ConnectionSettings {
  readonly maxPlayers: number;
  readonly maxControllers: number;
  readonly maxHttpConnections: number;
  /** 0 for no limit. */
  readonly maxConnectionsPerAddress: number;
}

/** Counts connections of each kind, and of each address over all ports. */
export class ConnectionLimits {
  readonly #settings: () => ConnectionSettings;
  readonly #descriptorShare: () => number;
  readonly #ofKind: Record<PeerKind, number> = { player: 0, controller: 0, http: 0 };
  readonly #ofNetwork = new Map<string, number>();

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
    const limit = this.limitOf('address');
    if (address === undefined || limit === 0) return undefined;
    return (this.#ofNetwork.get(networkOf(address)) ?? 0) >= limit ? 'address' : undefined;
  }

  /** Whether one address gets less than the setting says, as there are too few descriptors. */
  get isAddressShort(): boolean {
    return this.limitOf('address') < this.#settings().maxConnectionsPerAddress;
  }

  limitOf(limit: Exclude<RefusalReason, 'descriptors'>): number {
    const { maxPlayers, maxControllers, maxHttpConnections, maxConnectionsPerAddress } =
      this.#settings();
    switch (limit) {
      case 'player':
        return maxPlayers;
      case 'controller':
        return maxControllers;
      case 'http':
        return maxHttpConnections;
      case 'address':
        return Math.min(maxConnectionsPerAddress, this.#descriptorShare());
    }
  }

  /** Counts one more; returns what takes that back. */
  add(kind: PeerKind, address?: string): () => void {
    this.#ofKind[kind] += 1;
    const network = address === undefined ? undefined : networkOf(address);
    if (network !== undefined) this.#count(network, 1);
    return () => {
      this.#ofKind[kind] -= 1;
      if (network !== undefined) this.#count(network, -1);
    };
  }

  #count(network: string, more: number): void {
    const count = (this.#ofNetwork.get(network) ?? 0) + more;
    if (count > 0) this.#ofNetwork.set(network, count);
    else this.#ofNetwork.delete(network);
  }
}
