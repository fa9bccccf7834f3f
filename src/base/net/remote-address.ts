import { isIPv6 } from 'node:net';

/** Plain IPv4 addresses of dual-stack sockets are shown as such. */
export function addressOf({
  remoteAddress,
}: {
  readonly remoteAddress?: string | undefined;
}): string {
  return (remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}

/**
 * What counts as one address where a peer could have many: of IPv6 the first 64 bits, because every
 * machine may choose the others as it likes. Link-local addresses all begin alike and count singly.
 *
 * Source: RFC 4291, 2.5.1 and 2.5.6.
 */
export function networkOf(address: string): string {
  // Most have none, and the exact question costs microseconds.
  if (!address.includes(':') || !isIPv6(address)) return address;
  if (/^fe[89ab]/i.test(address)) return address;
  const [front = '', back] = address.split('::');
  const first = front === '' ? [] : front.split(':');
  const last = back === undefined || back === '' ? [] : back.split(':');
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  const groups = back === undefined ? first : [...first, ...zeros, ...last];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
