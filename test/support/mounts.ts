import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';

/** Mounts a file system of its own at `folder`; false when this user or system cannot. */
export function mountMemory(folder: string, bytes: number): boolean {
  mkdirSync(folder, { recursive: true });
  return succeeds('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'zerocast-test', folder]);
}

/** The least that such a file system needs. */
const usualImageBytes = 128 * 1024 * 1024;

/** The same with one that can share blocks, in the file `${folder}.image`. */
export function mountSharing(folder: string, imageBytes = usualImageBytes): boolean {
  const image = `${folder}.image`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(image, '');
  truncateSync(image, imageBytes);
  return succeeds('mkfs.btrfs', ['-q', image]) && succeeds('mount', ['-o', 'loop', image, folder]);
}

export function unmount(folder: string): void {
  succeeds('umount', [folder]);
}

function succeeds(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
