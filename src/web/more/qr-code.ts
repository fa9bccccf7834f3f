/** Of a version at level M of error correction: bytes of it and blocks. Source: ISO/IEC 18004, table 9. */
const versions = [
  { dataBytes: 16, checkBytes: 10, blocks: 1 },
  { dataBytes: 28, checkBytes: 16, blocks: 1 },
  { dataBytes: 44, checkBytes: 26, blocks: 1 },
  { dataBytes: 64, checkBytes: 18, blocks: 2 },
  { dataBytes: 86, checkBytes: 24, blocks: 2 },
  { dataBytes: 108, checkBytes: 16, blocks: 4 },
];
const frameBytes = 2;
/** A light margin of so many modules belongs to the code. */
export const quietZone = 4;
const masks: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Rows of modules, true where it is dark. */
type Code = readonly (readonly boolean[])[];

/** A QR code of a text of up to 106 bytes; `undefined` for longer ones. Source: ISO/IEC 18004. */
export function qrCode(text: string): Code | undefined {
  const bytes = new TextEncoder().encode(text);
  const index = versions.findIndex(({ dataBytes }) => bytes.length + frameBytes <= dataBytes);
  const version = versions[index];
  if (!version) return undefined;
  const frame = frameOf(index);
  const words = codewords(bytes, version);
  const codes = masks.map((mask, number) => filled(frame, words, { mask, number }));
  const penalties = codes.map(penaltyOf);
  return codes[penalties.indexOf(Math.min(...penalties))];
}

function codewords(
  text: Uint8Array,
  { dataBytes, checkBytes, blocks }: (typeof versions)[number],
): readonly number[] {
  const hex = [text.length, ...text].map((byte) => byte.toString(16).padStart(2, '0'));
  // The mode, bytes, and the end, have half a byte each.
  const data = `4${hex.join('')}0`.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  for (let odd = 0; data.length < dataBytes; odd = 1 - odd) data.push(odd ? 0x11 : 0xec);
  const length = dataBytes / blocks;
  const parts = Array.from({ length: blocks }, (_, index) =>
    data.slice(index * length, (index + 1) * length),
  );
  const checks = parts.map((part) => remainder(part, checkBytes));
  const interleaved = (rows: readonly (readonly number[])[], count: number) =>
    Array.from({ length: count }, (_, at) => rows.map((row) => row[at] ?? 0)).flat();
  return [...interleaved(parts, length), ...interleaved(checks, checkBytes)];
}

/** In the field of 256 elements that the standard names. */
function product(a: number, b: number): number {
  let result = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    result = (result << 1) ^ (result >> 7 ? 0x11d : 0);
    if ((b >> bit) & 1) result ^= a;
  }
  return result;
}

/** The check bytes of Reed and Solomon. */
function remainder(data: readonly number[], count: number): readonly number[] {
  let generator = [1];
  for (let power = 0, root = 1; power < count; power += 1, root = product(root, 2)) {
    const shifted = [...generator, 0];
    generator = shifted.map((term, at) => term ^ product(generator[at - 1] ?? 0, root));
  }
  const rest = [...data, ...Array.from({ length: count }, () => 0)];
  for (let at = 0; at < data.length; at += 1) {
    const factor = rest[at] ?? 0;
    for (const [index, term] of generator.entries()) rest[at + index]! ^= product(term, factor);
  }
  return rest.slice(data.length);
}

/** What is the same whatever the text: `undefined` where its bits go. */
function frameOf(index: number): readonly (readonly (boolean | undefined)[])[] {
  const size = 21 + 4 * index;
  const ring = (x: number, y: number) => Math.max(Math.abs(x), Math.abs(y));
  return Array.from({ length: size }, (_, y) =>
    Array.from({ length: size }, (_, x) => {
      const [left, right] = [ring(x - 3, y - 3), ring(x - size + 4, y - 3)];
      const finder = Math.min(left, right, ring(x - 3, y - size + 4));
      if (finder <= 4) return finder !== 2 && finder !== 4;
      const alignment = index === 0 ? size : ring(x - size + 7, y - size + 7);
      if (alignment <= 2) return alignment !== 1;
      if (x === 6 || y === 6) return (x + y) % 2 === 0;
      if (x === 8 && y === size - 8) return true;
      const isFormat = (x === 8 && (y < 9 || y > size - 9)) || (y === 8 && (x < 9 || x > size - 9));
      return isFormat ? false : undefined;
    }),
  );
}

function filled(
  frame: ReturnType<typeof frameOf>,
  words: readonly number[],
  { mask, number }: { readonly mask: (x: number, y: number) => boolean; readonly number: number },
): Code {
  const size = frame.length;
  const code = frame.map((row) => row.map((module) => module ?? false));
  let next = 0;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
    const isUpward = ((right + 1) & 2) === 0;
    for (let step = 0; step < 2 * size; step += 1) {
      const x = right - (step & 1);
      const y = isUpward ? size - 1 - (step >> 1) : step >> 1;
      if (frame[y]?.[x] !== undefined) continue;
      const isSet = (((words[next >> 3] ?? 0) << (next & 7)) & 0x80) !== 0;
      code[y]![x] = isSet !== mask(x, y);
      next += 1;
    }
  }
  // Level M is 00. The polynomial and the pattern are those of the standard.
  let check = number << 10;
  for (let bit = 14; bit >= 10; bit -= 1) if ((check >> bit) & 1) check ^= 0x537 << (bit - 10);
  const format = ((number << 10) | check) ^ 0x5412;
  for (let bit = 0; bit < 15; bit += 1) {
    const isDark = ((format >> bit) & 1) === 1;
    if (bit < 8) code[8]![size - 1 - bit] = isDark;
    else code[size - 15 + bit]![8] = isDark;
    if (bit < 8) code[bit < 6 ? bit : bit + 1]![8] = isDark;
    else code[8]![bit === 8 ? 7 : 14 - bit] = isDark;
  }
  return code;
}

/** The less, the better it is read. */
function penaltyOf(code: Code): number {
  const columns = code.map((_, x) => code.map((row) => row[x] ?? false));
  const lines = [...code, ...columns].map((line) => line.map(Number).join(''));
  const runs = lines.flatMap((line) => line.match(/0{5,}|1{5,}/g) ?? []);
  const finders = lines.flatMap((line) => line.match(/(?=00001011101|10111010000)./g) ?? []);
  const squares = code.flatMap((row, y) =>
    row.filter((module, x) =>
      [row[x + 1], code[y + 1]?.[x], code[y + 1]?.[x + 1]].every((one) => one === module),
    ),
  );
  const share = code.flat().filter(Boolean).length / code.length ** 2;
  const lengths = runs.reduce((sum, run) => sum + run.length - 2, 0);
  const imbalance = Math.floor(Math.abs(share - 0.5) * 20);
  return lengths + 3 * squares.length + 40 * finders.length + 10 * imbalance;
}
