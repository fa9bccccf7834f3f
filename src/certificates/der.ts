/** What certificates are made of. Source: ITU-T X.690, the distinguished encoding rules. */
const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;
const contextSpecific = 0x80;
const constructed = 0x20;
/** Years from this on need the longer form. Source: RFC 5280, 4.1.2.5. */
const firstGeneralizedYear = 2050;

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content), content]);
}

function lengthOf({ length }: Buffer): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(tags.sequence, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return element(tags.set, ...parts);
}

export function boolean(value: boolean): Buffer {
  return element(tags.boolean, Buffer.from([value ? 0xff : 0]));
}

/** Of a number that is not negative, in as few bytes as there can be. */
export function integer(bytes: Uint8Array): Buffer {
  const begin = bytes.findIndex((byte) => byte !== 0);
  const digits = begin < 0 ? Buffer.from([0]) : Buffer.from(bytes.subarray(begin));
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return element(tags.integer, sign, digits);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return element(tags.bitString, Buffer.from([unusedBits]), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return element(tags.octetString, bytes);
}

export function utf8String(text: string): Buffer {
  return element(tags.utf8String, Buffer.from(text, 'utf8'));
}

/** Shape: `dotted` as `2.5.29.17`. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return element(
    tags.objectIdentifier,
    Buffer.from([40 * first + second, ...others.flatMap(base128)]),
  );
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
}

export function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < firstGeneralizedYear
    ? element(tags.utcTime, Buffer.from(text.slice(2)))
    : element(tags.generalizedTime, Buffer.from(text));
}

/** What a field of this number holds, with nothing said of its type. */
export function implicit(number: number, bytes: Uint8Array): Buffer {
  return element(contextSpecific | number, bytes);
}

export function explicit(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return element(contextSpecific | constructed | number, ...parts);
}
