import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder } from '../package-folder.ts';

/** The addon that was built on this machine. */
export const ownBuildPath = join(packageFolder, 'build', 'Release', 'zerocast.node');

/** The addon of a release for a platform. */
export function prebuiltPath(tag: string = platformTag()): string {
  return join(packageFolder, 'dist', 'prebuilt', tag, 'zerocast.node');
}

/**
 * The platform of this process as release archives name it: `linux-x64`, `linux-arm64`,
 * `linux-x64-musl`, `darwin-arm64`. Without a name of the C library it is glibc.
 */
export function platformTag({
  platform,
  arch,
  execPath,
}: Readonly<Pick<NodeJS.Process, 'platform' | 'arch' | 'execPath'>> = process): string {
  const libc = platform === 'linux' && isMuslProgram(execPath) ? '-musl' : '';
  return `${platform}-${arch}${libc}`;
}

/** Program headers and the name of the loader lie at the beginning of every ELF program. */
const headBytes = 4096;

/** Asks the program file which loader it needs; `process.report` would take far longer. */
function isMuslProgram(file: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const head = Buffer.alloc(headBytes);
    readSync(descriptor, head, 0, headBytes, 0);
    return head.includes('/ld-musl-');
  } catch {
    // A program that cannot be read: loading the addon will tell.
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
