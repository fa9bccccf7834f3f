import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { StreamOptions } from '../audio/stream-options.ts';

export const sharedFifoAdvice = 'give each a fifo of its own';

/** Streams that read one fifo, however it is named: each of them gets only a part of the audio. */
export function sharedFifos(streams: readonly Pick<StreamOptions, 'name' | 'uri'>[]): readonly {
  /** Of the streams. */
  readonly names: readonly string[];
  readonly fault: string;
}[] {
  const readers = new Map<string, { readonly path: string; readonly names: string[] }>();
  for (const { name, uri } of streams) {
    if (uri.scheme !== 'pipe') continue;
    const identity = identityOf(uri.path);
    const known = readers.get(identity);
    if (known) known.names.push(name);
    else readers.set(identity, { path: uri.path, names: [name] });
  }
  return [...readers.values()]
    .filter(({ names }) => names.length > 1)
    .map(({ path, names }) => {
      const all = names.map((name) => `"${name}"`).join(' and ');
      const fault = `the streams ${all} read one fifo, ${path}, and each gets a part of the audio`;
      return { names, fault };
    });
}

/** The same for two names of one fifo; one that is not there yet is known by its folder. */
function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return placeOf(path);
  }
}

function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
