import { codeOf } from '../base/errors.ts';
import { ClipError } from './clip-error.ts';

const full: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** The error of the system about the folder of clips, without the names of paths on this machine. */
export function folderFault(error: unknown): unknown {
  const code = codeOf(error);
  const isOfSystem = error instanceof Error && 'errno' in error;
  if (error instanceof ClipError || !isOfSystem) return error;
  if (full.includes(code)) return new ClipError('disk-full', `no room on the disk: ${code}`);
  return new ClipError('folder-fault', `the folder of clips cannot be used: ${code}`);
}

/** Failure: rejects with a `ClipError` instead of the error of the system. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw folderFault(error);
  }
}
