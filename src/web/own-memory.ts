/** What this browser remembers of itself; only for as long as the page lives where that is forbidden. */
const prefix = 'zerocast.';
const instead = new Map<string, string>();

export function remembered(name: string): string | undefined {
  try {
    return localStorage.getItem(prefix + name) ?? undefined;
  } catch {
    return instead.get(name);
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    instead.set(name, value);
  }
}

/** The id under which the server knows this browser, made when it first listens. */
export function ownClientId(): string {
  const known = remembered('clientId');
  if (known) return known;
  // Not `randomUUID`, which plain HTTP has not.
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const id = `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  remember('clientId', id);
  return id;
}
