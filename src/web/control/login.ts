import { computed, signal } from '@preact/signals';
import { texts } from '../text/texts.ts';
import { AwayError, RefusedError } from './control-link.ts';

/** Longer would be a forgotten browser. Units: hours. */
const lifetimes = { usual: 10, kept: 720 };
const name = 'zerocast.token';

/** Why a login is asked for: there was none, the one at hand has ended, or it may not even look. */
type LoginReason = 'none' | 'ended' | 'forbidden';

/** Set while a login is asked for. */
export const loginReason = signal<LoginReason | undefined>(undefined);
const token = signal(storedToken());
/** Methods that may be called; `undefined`: all. */
const permitted = signal<ReadonlySet<string> | undefined>(undefined);

/** Who is logged in, if one has to. */
export const loggedInUser = computed(() => {
  const { sub } = claimsOf(token.value);
  return permitted.value && typeof sub === 'string' ? sub : undefined;
});

/** What shows the server who uses the page: to `Server.Authenticate`, and as `Auth` of a Hello. */
export function credentials(): { readonly scheme: string; readonly param: string } | undefined {
  const param = token.peek();
  return param === undefined ? undefined : { scheme: 'Bearer', param };
}

/** `fetch` from this server, logged in. Failure: rejects with an `AwayError`. */
export async function fetchAsUser(path: string, options: RequestInit = {}): Promise<Response> {
  const shown = credentials();
  if (!shown) return reach(path, options);
  const response = await reach(path, withCredentials(options, shown));
  if (response.status === 401) loginReason.value = 'ended';
  return response;
}

async function reach(path: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw new AwayError(String(error));
  }
}

function withCredentials(
  options: RequestInit,
  { scheme, param }: { readonly scheme: string; readonly param: string },
): RequestInit {
  const headers = new Headers(options.headers);
  headers.set('Authorization', `${scheme} ${param}`);
  // Or the browser would ask for a password in a window of its own.
  return { ...options, headers, credentials: 'omit' };
}

/** Failure: rejects with an `AwayError`, or with an `Error` that says why, for people. */
export async function logIn({
  user,
  password,
  isKept,
}: {
  readonly user: string;
  readonly password: string;
  /** Beyond the end of the browser. */
  readonly isKept: boolean;
}): Promise<void> {
  const hours = isKept ? lifetimes.kept : lifetimes.usual;
  const request = { id: 1, jsonrpc: '2.0', method: 'Login.GetToken', params: { hours } };
  const options = { method: 'POST', body: JSON.stringify(request) };
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  const shown = { scheme: 'Basic', param: btoa(String.fromCharCode(...bytes)) };
  const response = await reach('jsonrpc', withCredentials(options, shown));
  if (response.status === 401) throw new Error(texts.value.login.refused);
  if (!response.ok) throw new Error(await response.text());
  const { result, error } = (await response.json()) as {
    readonly result?: { readonly token: string };
    readonly error?: { readonly message: string; readonly data?: string };
  };
  if (!result) throw new Error(error?.data ?? error?.message);
  keepToken(result.token, isKept);
}

export function logOut(): void {
  forgetToken();
  // Nothing of what was shown is left.
  location.reload();
}

/** The server does not take the token any more. */
export function forgetToken(): void {
  token.value = undefined;
  for (const storage of storages()) storage.removeItem(name);
}

export function takePermissions(methods: Iterable<string>): void {
  permitted.value = new Set(methods);
}

function may(method: string): boolean {
  return permitted.value?.has(method) ?? true;
}

/** Of what calls these methods: disabled, with the reason, while the role forbids one of them. */
export function permit(...methods: readonly string[]): {
  readonly disabled: boolean;
  readonly title?: string;
} {
  if (methods.every(may)) return { disabled: false };
  return { disabled: true, title: texts.value.login.forbidden };
}

/** Why the server refused: it wants a login, or one that may do more. */
export function loginFault(error: unknown): LoginReason | undefined {
  if (!(error instanceof RefusedError)) return undefined;
  if (error.code === 401) return 'none';
  return error.code === 403 ? 'forbidden' : undefined;
}

function keepToken(value: string, isKept: boolean): void {
  forgetToken();
  token.value = value;
  const [ofTab, ofBrowser] = storages();
  (isKept ? ofBrowser : ofTab)?.setItem(name, value);
}

function storedToken(): string | undefined {
  for (const storage of storages()) {
    const value = storage.getItem(name);
    if (value !== null) return value;
  }
  return undefined;
}

/** None where the browser forbids them: then a login lasts as long as the page. */
function storages(): readonly Storage[] {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}

/** What a token says of itself; the server alone knows whether it is true. */
function claimsOf(value = ''): { readonly sub?: unknown } {
  try {
    const [, claims = ''] = value.split('.');
    const bytes = atob(claims.replaceAll('-', '+').replaceAll('_', '/'));
    const text = new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt(0)));
    return JSON.parse(text);
  } catch {
    return {};
  }
}
