import { isIPv4 } from 'node:net';

const groups = 8;

/** The 4 or 16 bytes of an address that is one. */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // IPv4 at the end, in the way of IPv6.
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...numbers: string[]) => {
    const [a, b, c, d] = numbers.slice(0, 4).map((number) => hex(Number(number), 2));
    return `${a}${b}:${c}${d}`;
  });
  const [head = '', tail] = text.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail ? tail.split(':') : [];
  const zeros = Array.from({ length: groups - front.length - back.length }, () => '0');
  const parts = [...front, ...(tail === undefined ? [] : zeros), ...back];
  return Buffer.from(parts.map((part) => part.padStart(4, '0')).join(''), 'hex');
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
