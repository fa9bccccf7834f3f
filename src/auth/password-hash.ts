import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

/**
 * A password as `zerocast hash-password` prints it:
 * `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, with salt and hash in base64 without padding.
 *
 * Units: `ln` is the logarithm of the cost N to the base 2.
 * Source: RFC 7914; the layout is the PHC string format, as other tools write it.
 */
export interface PasswordHash {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** A password that begins with this is a hash. */
export const hashPrefix = '$scrypt$';

// About 50 ms and 32 MiB per login on a small server.
const usualCost = { ln: 15, r: 8, p: 1 } as const;
const saltBytes = 16;
const hashBytes = 32;
/** Of one computation; a mistyped cost must not take all memory of the machine. */
const maxHashMemoryBytes = 256 * 1024 * 1024;
const maxBlockFactor = 32;
const maxParallelFactor = 16;

// 8 to 64 bytes of salt and 16 to 64 bytes of hash.
const shape =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Nothing for what is no hash, or one that costs too much. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = shape.exec(text);
  if (!match) return undefined;
  const [ln = 0, r = 0, p = 0] = match.slice(1, 4).map(Number);
  if (ln < 1 || r < 1 || r > maxBlockFactor || p < 1 || p > maxParallelFactor) return undefined;
  if (memoryBytes({ ln, r }) > maxHashMemoryBytes) return undefined;
  const [salt = '', hash = ''] = match.slice(4);
  return { ln, r, p, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

/** Whether two entries of the configuration are the same password, written in the same way. */
export function isSamePassword(a: string | PasswordHash, b: string | PasswordHash): boolean {
  return isDeepStrictEqual(a, b);
}

/** A hash of the usual cost with a salt of its own. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, { ...usualCost, salt }, hashBytes);
  const { ln, r, p } = usualCost;
  return `${hashPrefix}ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Computes in a thread of libuv's pool, not on the event loop. */
export async function matchesHash(password: string, expected: PasswordHash): Promise<boolean> {
  const hash = await derive(password, expected, expected.hash.length);
  return timingSafeEqual(hash, expected.hash);
}

/** A hash that costs as much as `model` and that no password matches. */
export function decoyOf(model: PasswordHash): PasswordHash {
  const { salt, hash } = model;
  return { ...model, salt: randomBytes(salt.length), hash: randomBytes(hash.length) };
}

/** Whether two hashes take the same time. */
export function costsTheSame(a: PasswordHash, b: PasswordHash): boolean {
  return a.ln === b.ln && a.r === b.r && a.p === b.p;
}

function derive(
  password: string,
  { ln, r, p, salt }: Omit<PasswordHash, 'hash'>,
  hashBytes: number,
): Promise<Buffer> {
  // Besides the table of N blocks, p blocks and a few more are needed.
  const maxmem = memoryBytes({ ln, r }) + 128 * r * (p + 2) + 1024;
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashBytes, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function memoryBytes({ ln, r }: Pick<PasswordHash, 'ln' | 'r'>): number {
  return 128 * r * 2 ** ln;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
