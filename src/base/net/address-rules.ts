import { BlockList, isIP, isIPv6 } from 'node:net';

/** By RFC 6890 and its successors: addresses that lead nowhere but into this machine or its networks. */
const localNetworks: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
  // Unspecified, loopback, and IPv4 in its old form; that of today is looked up as IPv4.
  '::/96',
  '100::/64',
  'fc00::/7',
  'fe80::/9',
  'ff00::/8',
  // Each holds an IPv4 address, which may be any of those above.
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/32',
  '2002::/16',
];

const local = networks(localNetworks);

/**
 * Which hosts others may have asked: all that the whole internet can reach, and of the rest those that
 * the configuration names, by name, address or network; `*` stands for all.
 */
export class AddressRules {
  readonly #names: ReadonlySet<string>;
  readonly #networks: BlockList;

  constructor(allowed: readonly string[]) {
    const names = allowed.filter((entry) => !isNetwork(entry));
    this.#names = new Set(names.map((name) => name.toLowerCase()));
    this.#networks = networks(allowed.filter(isNetwork));
  }

  get permitsAll(): boolean {
    return this.#names.has('*');
  }

  /** Shape: `host` as the address names it, `address` what it stands for. */
  permits(host: string, address: string): boolean {
    if (this.permitsAll || this.#names.has(host.toLowerCase())) return true;
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return !local.check(address, family) || this.#networks.check(address, family);
  }
}

function isNetwork(entry: string): boolean {
  return isIP(entry.replace(/\/\d{1,3}$/, '')) !== 0;
}

function networks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
