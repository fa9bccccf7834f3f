import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf, messageOf } from '../base/errors.ts';
import { type Assignment, readIniText } from './ini-text.ts';
import type { Report } from './report.ts';

/** Real files have a few KiB; more is a wrong path. */
export const maxConfigBytes = 1024 * 1024;

/** Reads at most `maxBytes` of a file. *Failure:* throws what the file system says. */
export type ReadFile = (path: string, maxBytes: number) => Uint8Array;

export const readFromDisk: ReadFile = (path, maxBytes) => {
  const descriptor = openSync(path, 'r');
  try {
    return readAll(descriptor, maxBytes);
  } finally {
    closeSync(descriptor);
  }
};

/**
 * The same while audio plays: only from a regular file. A pipe would hold up everything until
 * a program writes, and one that was read at the start is empty by now.
 */
export const readAgainFromDisk: ReadFile = (path, maxBytes) => {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) {
      throw new Error('it is no regular file, so that it cannot be read again');
    }
    const bytes = readAll(descriptor, maxBytes);
    // An editor that saves a file empties it first: all streams would go.
    if (bytes.length === 0) throw new Error('it is empty, perhaps as it is just being saved');
    return bytes;
  } finally {
    closeSync(descriptor);
  }
};

function readAll(descriptor: number, maxBytes: number): Uint8Array {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const count = readSync(descriptor, bytes, length, maxBytes - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Finds and reads the configuration file; faults go to `report`. */
export function openConfigFile(
  search: {
    /** The file that was asked for; it must be there. */
    readonly file: string | undefined;
    /** Where to look otherwise; the first that is there counts, none is fine too. */
    readonly searchPaths: readonly string[];
    readonly readFile: ReadFile;
  },
  report: Report,
): { readonly path: string; readonly assignments: readonly Assignment[] } | undefined {
  const paths = search.file === undefined ? search.searchPaths : [search.file];
  for (const path of paths) {
    try {
      const bytes = search.readFile(path, maxConfigBytes + 1);
      return { path, assignments: readBytes(bytes, path, report) };
    } catch (thrown) {
      if (search.file === undefined && isMissing(thrown)) continue;
      report.fault(path, `the configuration file cannot be read: ${messageOf(thrown)}`);
      break;
    }
  }
  return undefined;
}

function readBytes(bytes: Uint8Array, path: string, report: Report): readonly Assignment[] {
  if (bytes.length > maxConfigBytes) {
    report.fault(path, `the file is too long; allowed: ${maxConfigBytes} bytes`);
    return [];
  }
  if (bytes.includes(0)) {
    report.fault(path, 'the file is binary: it has NUL bytes; allowed: UTF-8 text');
    return [];
  }
  // Other bytes that are no UTF-8 become U+FFFD and are refused by line, outside of comments.
  return readIniText(new TextDecoder().decode(bytes), path, report);
}

function isMissing(thrown: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(thrown));
}
