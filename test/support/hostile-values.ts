import fc from 'fast-check';

/** Names that mean something to JavaScript, and texts that mean something to some parser. */
const oddTexts = fc.constantFrom(
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  '\0',
  '\ud800',
  '\udc00x',
  '\u2028',
  '𝄞',
  'a'.repeat(2000),
  '-1',
  '1e309',
  'null',
  'NaN',
);

export const hostileText = fc.oneof(
  oddTexts,
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
);

const oddNumbers = fc.constantFrom(
  0,
  -0,
  -1,
  1.5,
  1e308,
  5e-324,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  Number.MAX_SAFE_INTEGER,
);

const leaf = fc.oneof(
  hostileText,
  oddNumbers,
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.boolean(),
  fc.constant(null),
);

/** Entries become own properties, also `__proto__`, as `JSON.parse` makes them. */
function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true });
  }
  return object;
}

/** Any JSON, with keys taken from `keys` as often as from elsewhere. */
export function hostileJson(keys: readonly string[] = []): fc.Arbitrary<unknown> {
  const key = keys.length > 0 ? fc.oneof(fc.constantFrom(...keys), hostileText) : hostileText;
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map(objectOf),
    ),
  })).value;
}

/** An object with some of `keys`, each with any value. */
export function hostileObject(keys: readonly string[]): fc.Arbitrary<object> {
  const entry = fc.tuple(fc.constantFrom(...keys), hostileJson(keys));
  return fc.array(entry, { maxLength: keys.length + 2 }).map(objectOf);
}

type Change = readonly [kind: number, at: number, byte: number, count: number];

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.nat(4),
  fc.nat(2 ** 30),
  fc.nat(255),
  fc.integer({ min: 1, max: 40 }),
);

function changed(bytes: Buffer, [kind, at, byte, count]: Change): Buffer {
  const place = at % (bytes.length + 1);
  const before = bytes.subarray(0, place);
  const behind = bytes.subarray(place);
  switch (kind) {
    case 0: // another byte
      return Buffer.concat([before, Buffer.of(byte), behind.subarray(1)]);
    case 1: // some more
      return Buffer.concat([before, Buffer.alloc(count, byte), behind]);
    case 2: // some less
      return Buffer.concat([before, behind.subarray(count)]);
    case 3: // the end is missing
      return Buffer.from(before);
    default: // a part twice
      return Buffer.concat([before, behind.subarray(0, count), behind]);
  }
}

/** One of `originals` with some bytes changed, added, taken out or doubled. */
export function mutationsOf(originals: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...originals), fc.array(change, { minLength: 1, maxLength: 6 }))
    .map(([original, changes]) => changes.reduce(changed, Buffer.from(original)));
}

/** `bytes` in pieces that end at the given shares of its length. */
export function inPieces(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const ends = shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
