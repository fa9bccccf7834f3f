import { BlockList } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** As `os.networkInterfaces()` lists them. */
export type NetworkInterfaces = Readonly<
  Record<string, readonly NetworkInterfaceInfo[] | undefined>
>;

/** One network that the machine is on, by one version of IP. */
export interface LocalLink {
  /** Equal keys: nothing has changed. */
  readonly key: string;
  readonly interfaceName: string;
  readonly family: 'IPv4' | 'IPv6';
  /** The own address with which datagrams leave. */
  readonly address: string;
  /** Own addresses that others on this network can reach, of both versions. */
  readonly published: readonly string[];
  /** Whether a datagram from this address came from this network. */
  isNeighbour(address: string): boolean;
}

/** Of one machine; container hosts have hundreds of interfaces. */
export const maxLinks = 32;
const maxPublishedAddresses = 8;
/** Of interfaces without hardware, such as tunnels: there is no neighbourhood to talk to. */
const noHardware = '00:00:00:00:00:00';
const hostPrefix = '/32';

/** The networks on which services are announced. */
export function localLinks(interfaces: NetworkInterfaces): readonly LocalLink[] {
  const links = Object.entries(interfaces).flatMap(([name, infos = []]) => {
    const usable = infos.filter(isUsable);
    const published = publishedOf(usable).slice(0, maxPublishedAddresses);
    const ipv4 = usable.find(({ family }) => family === 'IPv4');
    const ipv6 = usable.find(({ family }) => family === 'IPv6');
    return [ipv4, ipv6].flatMap((info) =>
      info ? [linkOf({ name, info, usable, published })] : [],
    );
  });
  return links.slice(0, maxLinks);
}

function isUsable({ internal, mac, cidr }: NetworkInterfaceInfo): boolean {
  return !internal && mac !== noHardware && cidr !== null && !cidr.endsWith(hostPrefix);
}

/** Link-local addresses only where there is no better one, as they need a scope to be reached. */
function publishedOf(infos: readonly NetworkInterfaceInfo[]): string[] {
  const isLinkLocal = (info: NetworkInterfaceInfo) => info.family === 'IPv6' && info.scopeid !== 0;
  const hasBetter = infos.some((info) => info.family === 'IPv6' && !isLinkLocal(info));
  return infos.filter((info) => !hasBetter || !isLinkLocal(info)).map(({ address }) => address);
}

function linkOf({
  name,
  info,
  usable,
  published,
}: {
  readonly name: string;
  readonly info: NetworkInterfaceInfo;
  readonly usable: readonly NetworkInterfaceInfo[];
  readonly published: readonly string[];
}): LocalLink {
  const { family, address } = info;
  const subnets = new BlockList();
  for (const { family: one, cidr } of usable) {
    const [network, prefix] = cidr?.split('/') ?? [];
    if (one === 'IPv4' && network) subnets.addSubnet(network, Number(prefix), 'ipv4');
  }
  return {
    key: [name, family, address, ...published].join(' '),
    interfaceName: name,
    family,
    address,
    published,
    // A socket for IPv6 hears its own interface only; one for IPv4 may hear all of them.
    isNeighbour: (source) => family === 'IPv6' || subnets.check(source, 'ipv4'),
  };
}
