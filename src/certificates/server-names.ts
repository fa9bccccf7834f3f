import { BlockList, isIP, isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { lanAddresses } from '../base/net/lan-addresses.ts';
import type { Networks } from './certificate.ts';

const ownNames = ['localhost', '127.0.0.1', '::1'];
const label = '[a-z\\d_](?:[a-z\\d_-]{0,61}[a-z\\d_])?';
const namePattern = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`);
/** Names that no network outside of this one has. */
const privateNames: readonly string[] = [
  'local',
  'localhost',
  'lan',
  'home',
  'home.arpa',
  'internal',
  'localdomain',
  'fritz.box',
];
const privateNetworks: Networks = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
  ['fc00::', 7],
  ['::1', 128],
];

/** As the system tells them; absent: of this machine. */
export interface Machine {
  readonly hostName?: string;
  readonly addresses?: readonly string[];
}

/** Whether a certificate can be made for it: a name without wildcards, or an address without a zone. */
export function isServerName(text: string): boolean {
  return isIP(text) === 0 ? namePattern.test(text) : !text.includes('%');
}

/** What this machine is called in its network, and by which addresses it is reached there. */
export function namesOf(machine: Machine = {}): readonly string[] {
  const { hostName = hostname(), addresses = lanAddresses() } = machine;
  const full = hostName.toLowerCase();
  const [short = full] = full.split('.');
  const names = [full, short, `${short}.local`, ...ownNames, ...addresses.filter(isPrivate)];
  return [...new Set(names)].filter(isServerName);
}

/** What an authority may sign for: never for names and addresses of others. */
interface Scope {
  readonly names: readonly string[];
  readonly networks: Networks;
}

/** The private ones, and each of `names`. */
export function scopeOf(names: readonly string[]): Scope {
  const usual = { names: privateNames, networks: privateNetworks };
  const others = names.filter((name) => !isWithin(name, usual));
  const addresses = others.filter((name) => isIP(name));
  return {
    names: [...privateNames, ...others.filter((name) => !isIP(name))],
    networks: [
      ...privateNetworks,
      ...addresses.map((address) => [address, isIPv4(address) ? 32 : 128] as const),
    ],
  };
}

/** Whether it is an address that has its meaning in this network only. */
export function isPrivate(name: string): boolean {
  return isIP(name) !== 0 && isWithin(name, { names: [], networks: privateNetworks });
}

/** Source: RFC 5280, 4.2.1.10: of names also what stands in front of a dot. */
export function isWithin(name: string, { names, networks }: Scope): boolean {
  if (!isIP(name)) return names.some((one) => name === one || name.endsWith(`.${one}`));
  const list = new BlockList();
  for (const [address, bits] of networks) {
    list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return list.check(name, isIPv4(name) ? 'ipv4' : 'ipv6');
}
