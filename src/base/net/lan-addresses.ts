import { networkInterfaces } from 'node:os';

/** Those by which machines of the network reach this one. */
export function lanAddresses(interfaces = networkInterfaces): readonly string[] {
  return Object.values(interfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(address))
    .map(({ address }) => address);
}

/** Of IPv6, which holds together with an interface only. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
