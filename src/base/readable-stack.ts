import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFolder } from './package-folder.ts';

/** Source maps are read by what only prints: Node's own way reads all of them at each start. */
export function readableStack(error: Error): string {
  const maps = new Map<string, SourceMap | undefined>();
  const stack = error.stack ?? String(error);
  return stack.replaceAll(/(file:[^\s()]+\.js):(\d+):(\d+)/g, (place, url, line, column) => {
    if (!maps.has(url)) maps.set(url, readMap(url));
    return sourcePlace(maps.get(url), { url, line: Number(line), column: Number(column) }) ?? place;
  });
}

function readMap(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
  } catch {
    // There is none, as for what was not bundled.
    return undefined;
  }
}

interface Place {
  readonly url: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

/** For example `src/app/serve.ts:54:3`. */
function sourcePlace(map: SourceMap | undefined, { url, line, column }: Place): string | undefined {
  const entry = map?.findEntry(line - 1, column - 1);
  if (!entry || !('originalSource' in entry)) return undefined;
  const { originalSource, originalLine, originalColumn } = entry;
  try {
    const file = relative(packageFolder, fileURLToPath(new URL(originalSource, url)));
    return `${file}:${originalLine + 1}:${originalColumn + 1}`;
  } catch {
    // Maps of others, as of what was loaded by `--import`, may name what is no file here.
    return undefined;
  }
}
