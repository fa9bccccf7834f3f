/** More of a list is not looked at. */
const maxEntries = 10;

type ListKind = 'pls' | 'm3u' | 'asx' | 'xspf';

const kindsByType: readonly (readonly [RegExp, ListKind])[] = [
  [/^(?:audio\/x-scpls|application\/pls)/i, 'pls'],
  [/^(?:audio\/(?:x-)?mpegurl|application\/(?:x-mpegurl|vnd\.apple\.mpegurl))/i, 'm3u'],
  [/^(?:video\/x-ms-(?:asx|wvx)|audio\/x-ms-wax)/i, 'asx'],
  [/^application\/xspf/i, 'xspf'],
];
/** What servers call lists that they do not know, and what they call sounds. */
const vagueType = /^(?:$|text\/|application\/(?:octet-stream|xml)|video\/x-ms-asf)/i;
const kindsByEnding: ReadonlyMap<string, ListKind> = new Map([
  ['pls', 'pls'],
  ['m3u', 'm3u'],
  ['m3u8', 'm3u'],
  ['asx', 'asx'],
  ['wax', 'asx'],
  ['wvx', 'asx'],
  ['xspf', 'xspf'],
]);

const entryPatterns: Readonly<Record<ListKind, RegExp>> = {
  pls: /^[ \t]*File\d+[ \t]*=[ \t]*(\S.*?)[ \t\r]*$/gim,
  m3u: /^[ \t]*([^#\s].*?)[ \t\r]*$/gm,
  asx: /<ref\b[^>]*?\bhref\s*=\s*["']([^"']+)["']/gi,
  xspf: /<location>\s*([^<]+?)\s*<\/location>/gi,
};

/** Which list of stations this is; `undefined` for audio. */
export function listKindOf(type: string, path: string): ListKind | undefined {
  const byType = kindsByType.find(([pattern]) => pattern.test(type))?.[1];
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return byType ?? (vagueType.test(type) ? kindsByEnding.get(ending) : undefined);
}

/** A list of pieces of one station (HLS), not of stations. */
export function isHls(text: string): boolean {
  return /^#EXT-X-/m.test(text);
}

/** The addresses in a list, the first ones. */
export function entriesOf(text: string, kind: ListKind): readonly string[] {
  const found = [...text.replace(/^\ufeff/, '').matchAll(entryPatterns[kind])];
  const addresses = found.slice(0, maxEntries).map(([, address = '']) => address);
  const isXml = kind === 'asx' || kind === 'xspf';
  return isXml ? addresses.map((address) => address.replaceAll('&amp;', '&')) : addresses;
}
