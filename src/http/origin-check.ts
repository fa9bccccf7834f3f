import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Logger } from '../base/logger.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import { RefusedRequestError } from './refused-request-error.ts';

export interface OriginSettings {
  /** Shape: lower case, as `http://host:port`; `*` allows all. */
  readonly allowedOrigins: readonly string[];
  /** Further names of this server, under which its own pages may be asked for. */
  readonly ownNames?: readonly string[] | undefined;
}

/**
 * Endings of names that cannot be registered to point at this server: of any other name a page may
 * come from elsewhere although the browser asked for it here ("DNS rebinding").
 */
const localName =
  /^[^.]+$|\.(?:local|lan|home|home\.arpa|internal|localdomain|localhost|fritz\.box)$/;

/**
 * Keeps web pages of others away: a browser opens WebSockets and posts for every page that its
 * user looks at. Programs that are no browsers send no `Origin` and are not concerned.
 */
export class OriginCheck {
  readonly #settings: () => OriginSettings;
  readonly #logger: Logger;
  readonly #refusalLog = new LogLimiter();

  constructor(settings: () => OriginSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  /** Failure: throws a `RefusedRequestError` that names the setting. */
  check({ headers }: Pick<IncomingMessage, 'headers'>): void {
    const { origin, host } = headers;
    if (origin === undefined || this.#permits(origin, host)) return;
    this.#refuse(origin);
  }

  /**
   * The same for what a browser asks for without an `Origin`: by the name under which it asks, as a
   * page from elsewhere may have made that point here.
   */
  checkName(request: Pick<IncomingMessage, 'headers'>): void {
    const { origin, host } = request.headers;
    if (origin !== undefined) this.check(request);
    if (host === undefined || this.#permits(`http://${host}`, host)) return;
    if (!this.#isAllowed(`https://${host.toLowerCase()}`)) this.#refuse(`http://${host}`);
  }

  /** What allows a permitted origin to read the answer. Source: Fetch standard, "CORS protocol". */
  headersFor({ headers }: Pick<IncomingMessage, 'headers'>): OutgoingHttpHeaders {
    const { origin, host } = headers;
    if (this.#isAllowed('*')) return { 'Access-Control-Allow-Origin': '*' };
    if (origin === undefined || !this.#permits(origin, host)) return { Vary: 'Origin' };
    return { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
  }

  #permits(origin: string, host: string | undefined): boolean {
    if (this.#isAllowed('*')) return true;
    // `null` is whatever hides its origin: a sandboxed frame, a file, a redirect.
    if (origin === 'null') return false;
    return this.#isAllowed(origin.toLowerCase()) || this.#isOfHost(origin, host);
  }

  #isAllowed(origin: string): boolean {
    const { allowedOrigins } = this.#settings();
    return allowedOrigins.some((allowed) => allowed.toLowerCase() === origin);
  }

  /** Whether a page comes from the name under which this server was asked, on any port. */
  #isOfHost(origin: string, host = ''): boolean {
    const page = /^https?:\/\/[^/?#@\\\s]+$/i.test(origin) ? hostNameOf(origin) : undefined;
    const own = /^[^/?#@\\\s]+$/.test(host) ? hostNameOf(`http://${host}`) : undefined;
    if (page === undefined || page !== own) return false;
    if (isAddress(page) || localName.test(page)) return true;
    const { ownNames = [] } = this.#settings();
    return [hostname(), ...ownNames].some((name) => name.toLowerCase() === page);
  }

  #refuse(origin: string): never {
    this.#log(origin);
    throw new RefusedRequestError(
      403,
      `Pages of ${origin} may not control this server: add the origin to [http] allowed_origin`,
    );
  }

  #log(origin: string): void {
    if (!this.#refusalLog.allows()) return;
    const remedy = 'add it to [http] allowed_origin if it may control this server';
    this.#logger.warn('a web page of another origin was refused', { origin, remedy });
  }
}

function hostNameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

/** IPv6 addresses stand in brackets. */
function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}
