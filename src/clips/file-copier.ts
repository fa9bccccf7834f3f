import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { getSystemErrorName } from 'node:util';
import type { NativeAddon } from '../base/native/native-addon.ts';
import { ClipError } from './clip-error.ts';
import {
  type CopyFallback,
  type CopyReport,
  CopyStatistics,
  type CopyWay,
} from './copy-statistics.ts';

export interface CopySettings {
  /** Off: all is read and written. */
  readonly zeroCopy: boolean;
  /** Smaller files are read and written. */
  readonly minBytes: number;
  /** Whether both files are read again and compared by SHA-256. */
  readonly verify: boolean;
  /** The most that is copied by one call. */
  readonly chunkBytes: number;
}

interface CopyOptions {
  /** Called after each piece. */
  readonly onProgress?: ((bytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly verify?: boolean | undefined;
}

type CopyFunctions = Pick<NativeAddon, 'cloneFile' | 'copyRange' | 'sendRange'>;

/** At first, and how long a piece should take: what is told and cancelled in between shall be heard. */
const firstPieceBytes = 4 * 1024 * 1024;
const pieceMs = 50;
/** Read and written at a time; larger ones are not faster. */
const blockBytes = 1024 * 1024;
/** Pairs of file systems of which is known what they cannot do. */
const maxPairs = 64;
/** What says that this file system, or this kernel, does not do it; all else is a failure of the copy. */
const refusals: ReadonlySet<string> = new Set([
  'EACCES',
  'EBADF',
  'EINVAL',
  'ENOSYS',
  'ENOTSUP',
  'ENOTTY',
  'EOPNOTSUPP',
  'EPERM',
  'ETXTBSY',
  'EXDEV',
]);

interface Job extends CopyOptions {
  readonly from: FileHandle;
  readonly to: FileHandle;
  readonly bytes: number;
}

/**
 * Copies the content of files by the cheapest way that the system has for them: shared blocks, within
 * the kernel, or by reading and writing.
 */
export class FileCopier {
  readonly statistics = new CopyStatistics();
  readonly #native: CopyFunctions;
  readonly #settings: () => CopySettings;
  /** Ways that were refused, by the file systems that they were to lead from and to. */
  readonly #refused = new Map<string, Set<CopyWay>>();

  /** `native` may be empty, as it is on other systems than Linux. */
  constructor(native: CopyFunctions, settings: () => CopySettings) {
    this.#native = native;
    this.#settings = settings;
  }

  /**
   * Makes the empty file `to` one with the content of `from`, and waits until it is on the disk.
   *
   * Failure: rejects with a `ClipError` (`source-changed`, `copy-differs`), with the error of the
   * system, or by the reason of the signal; what is in `to` then is of no use.
   */
  async copy(from: FileHandle, to: FileHandle, options: CopyOptions = {}): Promise<CopyReport> {
    const startMs = performance.now();
    const before = await from.stat({ bigint: true });
    const target = await to.stat({ bigint: true });
    const job = { ...options, from, to, bytes: Number(before.size) };
    try {
      const { way, fallbacks } = await this.#move(job, this.#pairOf(before, target));
      await to.sync();
      const report = { way, bytes: job.bytes, ms: performance.now() - startMs, fallbacks };
      await this.#check(job, before);
      this.statistics.add(report);
      return report;
    } catch (error) {
      const isVerification = error instanceof ClipError && error.code === 'copy-differs';
      this.statistics.addFailure({ isVerification });
      throw error;
    }
  }

  async #move(job: Job, refused: Set<CopyWay>): Promise<Pick<CopyReport, 'way' | 'fallbacks'>> {
    const fallbacks: CopyFallback[] = [];
    for (const [way, move] of this.#waysFor(job)) {
      if (refused.has(way)) continue;
      const reason = await move();
      if (reason === undefined) return { way, fallbacks };
      refused.add(way);
      fallbacks.push({ way, reason });
    }
    await this.#readAndWrite(job);
    return { way: 'read_write', fallbacks };
  }

  /** The ways within the kernel, best first; each says why it was refused. */
  *#waysFor(job: Job): Iterable<readonly [CopyWay, () => Promise<string | undefined>]> {
    const { zeroCopy, minBytes } = this.#settings();
    const { cloneFile, copyRange, sendRange } = this.#native;
    if (!zeroCopy || job.bytes < minBytes || job.bytes === 0) return;
    if (cloneFile) yield ['reflink', () => clone(cloneFile, job)];
    if (copyRange) yield ['copy_file_range', () => this.#inPieces(copyRange, job)];
    if (sendRange) yield ['sendfile', () => this.#inPieces(sendRange, job)];
  }

  async #inPieces(
    copyPiece: NonNullable<CopyFunctions['copyRange']>,
    { from, to, bytes, onProgress, signal }: Job,
  ): Promise<string | undefined> {
    const { chunkBytes } = this.#settings();
    let pieceBytes = Math.min(firstPieceBytes, chunkBytes);
    for (let at = 0; at < bytes; ) {
      signal?.throwIfAborted();
      const startMs = performance.now();
      const copied = await copyPiece(from.fd, to.fd, at, Math.min(pieceBytes, bytes - at));
      if (copied < 0) return refusalOf(copied);
      // Some file systems of the kernel itself say so of all their files.
      if (copied === 0 && at === 0) return 'no-bytes';
      if (copied === 0) throw changed();
      at += copied;
      onProgress?.(at, bytes);
      const isQuick = performance.now() - startMs < pieceMs;
      if (isQuick) pieceBytes = Math.min(2 * pieceBytes, chunkBytes);
    }
    return undefined;
  }

  async #readAndWrite({ from, to, bytes, onProgress, signal }: Job): Promise<void> {
    const block = Buffer.allocUnsafe(Math.min(blockBytes, Math.max(1, bytes)));
    for (let at = 0; at < bytes; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await from.read(block, 0, Math.min(block.length, bytes - at), at);
      if (bytesRead === 0) throw changed();
      await writeAll(to, block.subarray(0, bytesRead), at);
      at += bytesRead;
      onProgress?.(at, bytes);
    }
  }

  async #check({ from, to, bytes, verify, signal }: Job, before: BigIntStats): Promise<void> {
    const after = await from.stat({ bigint: true });
    const isSame =
      after.size === before.size &&
      after.mtimeNs === before.mtimeNs &&
      after.ctimeNs === before.ctimeNs;
    if (!isSame) throw changed();
    const { size } = await to.stat();
    if (size !== bytes) throw differs(`has ${size} bytes instead of ${bytes}`);
    if (!(verify ?? this.#settings().verify)) return;
    const wanted = await hashOf(from, signal);
    if (wanted !== (await hashOf(to, signal))) throw differs('has another SHA-256');
  }

  #pairOf(from: BigIntStats, to: BigIntStats): Set<CopyWay> {
    const key = `${from.dev} ${to.dev}`;
    const known = this.#refused.get(key) ?? new Set();
    if (this.#refused.size >= maxPairs) this.#refused.clear();
    this.#refused.set(key, known);
    return known;
  }
}

async function clone(
  cloneFile: NonNullable<CopyFunctions['cloneFile']>,
  { from, to, bytes, onProgress, signal }: Job,
): Promise<string | undefined> {
  signal?.throwIfAborted();
  const result = await cloneFile(from.fd, to.fd);
  if (result < 0) return refusalOf(result);
  onProgress?.(bytes, bytes);
  return undefined;
}

/** The name of an error that means "not by this way". Failure: throws all others. */
function refusalOf(result: number): string {
  const name = getSystemErrorName(result);
  if (refusals.has(name)) return name;
  throw Object.assign(new Error(`${name}: copying failed`), { code: name, errno: result });
}

/** Failure: rejects with the error of the system. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

async function hashOf(file: FileHandle, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  const block = Buffer.allocUnsafe(blockBytes);
  for (let at = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(block.subarray(0, bytesRead));
    at += bytesRead;
  }
}

function changed(): ClipError {
  return new ClipError('source-changed', 'the file was changed while it was copied: try again');
}

function differs(fault: string): ClipError {
  return new ClipError('copy-differs', `the copy ${fault}: the disk may be broken`);
}
