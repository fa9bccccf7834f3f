import { copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadNativeAddon, type NativeAddon } from '../../src/base/native/native-addon.ts';
import type { CopyWay } from '../../src/clips/copy-statistics.ts';
import { FileCopier } from '../../src/clips/file-copier.ts';
import { mountMemory, mountSharing, unmount } from '../support/mounts.ts';
import type { BenchContext, BenchOptions, BenchReport } from './run-cases.ts';
import { decimals, groupBy, markdownTable, median } from './table.ts';

const mebibyte = 1024 * 1024;
const sizes = { full: [1, 10, 100, 1000], short: [1, 10] } as const;
/** Of the usual loop of a program, and of a stream of Node. */
const loopBytes = 64 * 1024;

const loaded = loadNativeAddon();
const native: Partial<NativeAddon> = 'addon' in loaded ? loaded.addon : {};
const { cloneFile, copyRange, sendRange } = native;

type Copy = (from: string, to: string) => Promise<void>;

/** One way of ours, and no other. */
function ours(way: CopyWay, functions: Partial<NativeAddon>): Copy {
  const settings = { zeroCopy: true, minBytes: 0, verify: false, chunkBytes: 64 * mebibyte };
  const copier = new FileCopier(functions, () => settings);
  return async (from, to) => {
    const source = await open(from);
    const target = await open(to, 'wx+');
    try {
      const report = await copier.copy(source, target);
      if (report.way !== way) throw new Error(`${way} is refused here`);
    } finally {
      await source.close();
      await target.close();
    }
  };
}

/** Until the copy is on the disk, as ours are. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync();
  await file.close();
}

async function copyInLoop(from: string, to: string): Promise<void> {
  const source = await open(from);
  const target = await open(to, 'wx+');
  const block = Buffer.alloc(loopBytes);
  for (;;) {
    const { bytesRead } = await source.read(block, 0, block.length);
    if (bytesRead === 0) break;
    await target.write(block, 0, bytesRead);
  }
  await target.sync();
  await source.close();
  await target.close();
}

const ways: Readonly<Record<string, Copy>> = {
  ...(cloneFile && { 'ours: reflink': ours('reflink', { cloneFile }) }),
  ...(copyRange && { 'ours: copy_file_range': ours('copy_file_range', { copyRange }) }),
  ...(sendRange && { 'ours: sendfile': ours('sendfile', { sendRange }) }),
  'ours: read and write': ours('read_write', {}),
  'fs.copyFile': async (from, to) => {
    await copyFile(from, to);
    await syncFile(to);
  },
  'loop of 64 KiB': copyInLoop,
};

interface CopyCase {
  readonly place: string;
  readonly way: string;
  readonly megabytes: number;
  readonly ms: number;
  readonly cpuMs: number;
}

/** The ways in turn, so that a drift of the machine hits all of them. */
async function measurePlace(
  place: string,
  folder: string,
  { isShort, rounds }: BenchOptions,
): Promise<CopyCase[]> {
  const cases: CopyCase[] = [];
  const refused = new Set<string>();
  for (const megabytes of isShort ? sizes.short : sizes.full) {
    const from = join(folder, 'source');
    await writeSource(from, megabytes);
    // The first round is only to let V8 compile and the kernel read the file.
    for (let round = 0; round <= rounds; round++) {
      for (const [way, copy] of Object.entries(ways)) {
        if (refused.has(way)) continue;
        try {
          const figures = await timeOf(copy, from, join(folder, 'copy'));
          if (round > 0) cases.push({ place, way, megabytes, ...figures });
        } catch {
          refused.add(way);
        } finally {
          await rm(join(folder, 'copy'), { force: true });
        }
      }
    }
    await rm(from);
  }
  return cases;
}

async function writeSource(path: string, megabytes: number): Promise<void> {
  const block = Buffer.alloc(mebibyte, 'noise, but not much of it; ');
  await writeFile(
    path,
    (function* () {
      for (let count = 0; count < megabytes; count++) yield block;
    })(),
  );
  await syncFile(path);
}

async function timeOf(copy: Copy, from: string, to: string) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await copy(from, to);
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000 };
}

function describe(cases: readonly CopyCase[]): string {
  return groupBy(cases, ({ place }) => place)
    .map((here) => {
      const each = [...new Set(here.map(({ megabytes }) => megabytes))];
      const body = groupBy(here, ({ way }) => way).map((own) => [
        own[0]?.way ?? '',
        ...each.map((megabytes) => cellOf(own.filter((one) => one.megabytes === megabytes))),
      ]);
      const head = each.map((megabytes) => `${megabytes} MiB: ms / CPU ms`);
      return markdownTable([[here[0]?.place ?? '', ...head], ...body]);
    })
    .join('\n\n');
}

function cellOf(cases: readonly CopyCase[]): string {
  const ms = median(cases.map((one) => one.ms));
  return `${decimals(ms, 1)} / ${decimals(median(cases.map((one) => one.cpuMs)), 1)}`;
}

/** Copying whole files: each way that this machine has, by what the clips use and by Node itself. */
export async function runCopy(
  options: BenchOptions,
  { workDir, progress }: BenchContext,
): Promise<BenchReport> {
  const cases: CopyCase[] = [];
  const mounts = {
    'btrfs in a file': (folder: string) => mountSharing(folder, 4096 * mebibyte),
    tmpfs: (folder: string) => mountMemory(folder, 2500 * mebibyte),
  };
  const disk = join(workDir, 'disk');
  await mkdir(disk);
  progress('disk');
  cases.push(...(await measurePlace('disk', disk, options)));
  for (const [place, mount] of Object.entries(mounts)) {
    progress(place);
    const folder = join(workDir, place.replaceAll(' ', '-'));
    if (!mount(folder)) continue;
    try {
      cases.push(...(await measurePlace(place, folder, options)));
    } finally {
      unmount(folder);
    }
  }
  return {
    options,
    cases,
    text: describe(cases),
    failures: [],
    path: 'no network',
    method:
      `Until the copy is on the disk, its source in the page cache; CPU of the process and of the ` +
      `kernel for it, without what writes back. Median of ${options.rounds} rounds in turns.`,
  };
}
