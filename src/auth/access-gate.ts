import type { Credentials } from '../protocol/messages.ts';
import type { Access, AccessEntries, Login } from './access.ts';
import { wrongCredentials } from './login-errors.ts';

/**
 * Who may do what by the present configuration, whose entries others can replace at any time.
 *
 * The logins that it grants outlive their entries: what one of them permits is what the present
 * entries say of its user, and nothing once the user is gone or has another password.
 */
export class AccessGate implements Access {
  #entries: AccessEntries;
  #anonymous: Login | undefined;
  /** What each login is worth, and by which entries. */
  readonly #grants = new WeakMap<Login, { by: AccessEntries; inner: Login | undefined }>();

  constructor(entries: AccessEntries) {
    this.#entries = entries;
    this.#anonymous = this.#grant(entries.anonymous);
  }

  get entries(): AccessEntries {
    return this.#entries;
  }

  get anonymous(): Login | undefined {
    return this.#anonymous;
  }

  async login(credentials: Credentials, address?: string): Promise<Login> {
    const entries = this.#entries;
    const login = this.#grant(await entries.login(credentials, address), entries);
    // The entries may have been replaced while the password was looked at.
    if (!this.holds(login)) throw wrongCredentials('unknown user');
    return login;
  }

  async issueToken(login: Login, lifetimeSeconds: number): Promise<string | undefined> {
    const inner = this.#present(login);
    return inner && this.#entries.issueToken(inner, lifetimeSeconds);
  }

  /** Puts other entries in place of the present ones; all logins follow them at once. */
  replace(entries: AccessEntries): void {
    this.#entries = entries;
    this.#anonymous = this.#grant(entries.anonymous);
  }

  /** Whether this login, which was granted here, would be granted by the present entries too. */
  holds(login: Login): boolean {
    return this.#present(login) !== undefined;
  }

  #grant(inner: Login, entries?: AccessEntries): Login;
  #grant(inner: Login | undefined): Login | undefined;
  #grant(inner: Login | undefined, by = this.#entries): Login | undefined {
    if (!inner) return undefined;
    const login: Login = {
      user: inner.user,
      permits: (permission) => this.#present(login)?.permits(permission) ?? false,
    };
    this.#grants.set(login, { by, inner });
    return login;
  }

  /** A login that has been refused once stays refused. */
  #present(login: Login): Login | undefined {
    const grant = this.#grants.get(login);
    if (!grant || grant.by === this.#entries) return grant?.inner;
    const inner = grant.inner && this.#entries.renew(grant.inner);
    this.#grants.set(login, { by: this.#entries, inner });
    return inner;
  }
}
