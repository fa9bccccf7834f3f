import { splitCommandLine } from '../base/children/command-line.ts';

/** What is to be told of, and how: one line of `[hooks]`. */
export interface HookLine {
  /** Absent: all streams and groups. */
  readonly filter?: { readonly kind: 'stream' | 'group'; readonly name: string };
  readonly target:
    | { readonly kind: 'program'; readonly path: string; readonly args: readonly string[] }
    | { readonly kind: 'url'; readonly method: 'GET' | 'POST'; readonly url: string };
}

/** `[stream:NAME|group:NAME] (PROGRAM [ARGUMENTS…] | [GET|POST] URL)`; `undefined` for what is none. */
export function parseHookLine(text: string): HookLine | undefined {
  const words = wordsOf(text);
  const [, kind, name = ''] = /^(stream|group):(.+)$/.exec(words[0] ?? '') ?? [];
  if (kind !== undefined) words.shift();
  const target = targetOf(words);
  if (!target) return undefined;
  return kind === 'stream' || kind === 'group' ? { filter: { kind, name }, target } : { target };
}

function targetOf([first = '', ...rest]: readonly string[]): HookLine['target'] | undefined {
  const method = first === 'GET' || first === 'POST' ? first : undefined;
  const [url = '', ...more] = method ? rest : [first, ...rest];
  if (/^https?:\/\//i.test(url)) {
    if (more.length > 0 || !URL.canParse(url)) return undefined;
    return { kind: 'url', method: method ?? 'POST', url };
  }
  return method || first === '' ? undefined : { kind: 'program', path: first, args: rest };
}

function wordsOf(text: string): string[] {
  try {
    return splitCommandLine(text);
  } catch {
    return [];
  }
}
