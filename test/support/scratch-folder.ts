import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const nobody = 65_534;
export const isRoot = process.geteuid?.() === 0;

/** A new folder that everybody may enter. */
export function makeScratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-scratch-'));
  chmodSync(folder, 0o755);
  return folder;
}

export function removeScratchFolder(folder: string): void {
  rmSync(folder, { recursive: true });
}

/** Runs `work` as a user to whom permissions matter: root may do everything. */
export async function withoutPrivileges<T>(work: () => Promise<T>): Promise<T> {
  if (!isRoot) return work();
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
