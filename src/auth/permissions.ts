/** Whether a role grants the permission of this name. */
export type Permits = (permission: string) => boolean;

/** What one entry of a role may look like; `*` stands for any characters, a leading `-` denies. */
export const permissionShape = /^-?[\w.*]+$/;

/** What a user without a role may do. */
export const permitsNothing: Permits = () => false;

/** Names are case-sensitive, and a denial wins over any grant. Source: protocol reference, 13. */
export function compilePermissions(entries: readonly string[]): Permits {
  const denials = entries.filter((entry) => entry.startsWith('-'));
  const grants = entries.filter((entry) => !entry.startsWith('-'));
  const grantsAny = matcherOfAny(grants);
  const deniesAny = matcherOfAny(denials.map((entry) => entry.slice(1)));
  return (permission) => grantsAny(permission) && !deniesAny(permission);
}

function matcherOfAny(patterns: readonly string[]): Permits {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const wild = patterns.filter((pattern) => pattern.includes('*')).map(matcherOf);
  return (name) => exact.has(name) || wild.some((matches) => matches(name));
}

/** Not a regular expression: several wildcards would make it slow for names that peers choose. */
function matcherOf(pattern: string): Permits {
  const [head = '', ...pieces] = pattern.split('*');
  const tail = pieces.pop() ?? '';
  return (name) => {
    if (!name.startsWith(head) || !name.endsWith(tail)) return false;
    let position = head.length;
    for (const piece of pieces) {
      const found = name.indexOf(piece, position);
      if (found < 0) return false;
      position = found + piece.length;
    }
    return position <= name.length - tail.length;
  };
}
