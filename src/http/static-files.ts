import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { STATUS_CODES } from 'node:http';
import { dirname, extname, join, relative, sep } from 'node:path';
import send from 'send';
import { codeOf, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { packageFolder } from '../base/package-folder.ts';
import { answer, answerFailure } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { ResponseCompression } from './response-compression.ts';

/** Pages are asked for again each time, so that an update is seen; what they load, after an hour. */
const pageCaching = 'no-cache';
const assetCaching = 'max-age=3600';
/** The built-in page gives a file here another name when its content changes. */
const hashedFolder = 'assets';
const hashedCaching = 'max-age=31536000, immutable';
const builtInRoot = join(packageFolder, 'dist/web');
const notBuilt = 'The web page is not built: run "npm run build" in the folder of the server';
const switchedOff = 'The web page is switched off: set web = true in [http]';

/** What the built-in page may do: it needs nothing from elsewhere but cover art. */
const builtInHeaders = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    'img-src * data:',
    "connect-src 'self'",
    "media-src 'self' blob: data:",
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'microphone=(self), screen-wake-lock=(self)',
};

/** What the table of types does not know, or not by its registered name. Source: RFC 9639, 11. */
const typeOf = new Map([['.flac', 'audio/flac']]);
/** Faults of the file system that mean that a request names nothing. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

/**
 * The web pages: the files below `docRoot`, or the built-in page.
 *
 * A user who replaces a file by a link between its check and its opening can show any file; but
 * that takes the right to write to the folder of pages, and such a user is trusted.
 */
export class StaticFiles {
  readonly #docRoot: string | undefined;
  /** What stands at `/` instead of pages. */
  readonly #absence: string;
  readonly #isBuiltIn: boolean;
  readonly #compression = new ResponseCompression();

  /**
   * Shape: `docRoot` is empty for the built-in page, which there is if `web` is true.
   * Failure: a folder that cannot be served is a warning in the log, and the built-in page.
   */
  static async open({
    docRoot,
    web,
    logger,
  }: {
    readonly docRoot: string;
    readonly web: boolean;
    readonly logger: Logger;
  }): Promise<StaticFiles> {
    const fault = docRoot === '' ? undefined : await faultOf(docRoot);
    if (docRoot !== '' && fault === undefined) return new StaticFiles({ docRoot });
    if (fault !== undefined) {
      const remedy = 'correct [http] doc_root, or leave it empty';
      logger.warn('no web pages, only the built-in one', { docRoot, reason: fault, remedy });
    }
    if (!web) return new StaticFiles({ absence: switchedOff });
    // There is none where the server runs from its sources and nothing was built.
    const isBuilt = (await faultOf(builtInRoot)) === undefined;
    return new StaticFiles(isBuilt ? { docRoot: builtInRoot } : { absence: notBuilt });
  }

  private constructor({
    docRoot,
    absence = '',
  }: {
    readonly docRoot?: string;
    readonly absence?: string;
  }) {
    this.#docRoot = docRoot;
    this.#absence = absence;
    this.#isBuiltIn = docRoot === builtInRoot;
  }

  /** Failure: rejects with a `RefusedRequestError` when there is no such file. */
  async answer(exchange: Exchange): Promise<void> {
    if (this.#docRoot !== undefined) await this.#answerFrom(this.#docRoot, exchange);
    else if (exchange.target.path === '/') throw new RefusedRequestError(404, this.#absence);
    else throw notFound(exchange.target.text);
  }

  async #answerFrom(docRoot: string, exchange: Exchange): Promise<void> {
    const { path, text } = exchange.target;
    const names = namesIn(path);
    if (!names) throw notFound(text);
    const isFolder = path.endsWith('/');
    try {
      const found = await find(docRoot, isFolder ? [...names, 'index.html'] : names);
      if (found?.stats.isFile()) this.#send(exchange, found);
      else if (found?.stats.isDirectory() && !isFolder) redirect(exchange, names);
      else throw notFound(text);
    } catch (error) {
      throw absent.has(codeOf(error)) ? notFound(text) : error;
    }
  }

  #send({ request, response, target }: Exchange, { root, file, stats }: Found): void {
    const type = typeOf.get(extname(target.path).toLowerCase());
    if (type !== undefined) response.setHeader('Content-Type', type);
    const isPage = /\.html?$/i.test(file);
    const isHashed = this.#isBuiltIn && dirname(file) === hashedFolder;
    const caching = isHashed ? hashedCaching : assetCaching;
    response.setHeader('Cache-Control', isPage ? pageCaching : caching);
    if (this.#isBuiltIn && isPage) {
      for (const [name, value] of Object.entries(builtInHeaders)) response.setHeader(name, value);
      // Over plain HTTP browsers complain of it, and do nothing.
      const isSecure = 'encrypted' in request.socket;
      if (isSecure) response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    }
    response.setHeader('X-Content-Type-Options', 'nosniff');
    // Packages of some systems give all files the same date; the time of the change differs.
    const version = [stats.size, stats.mtimeMs, stats.ctimeMs];
    response.setHeader(
      'ETag',
      `W/"${version.map((part) => Math.floor(part).toString(36)).join('-')}"`,
    );
    // A weak validator never allows to go on with a part. Source: RFC 9110, 13.1.5.
    if (request.headers['if-range']?.includes('"')) delete request.headers.range;
    this.#compression.apply(request, response);
    const address = file.split(sep).map(encodeURIComponent).join('/');
    send(request, `/${address}`, { root, index: false, dotfiles: 'ignore', cacheControl: false })
      .on('error', (error: unknown) => answerFailure(response, refusalOf(error, target.text)))
      .pipe(response);
  }
}

/** A file below a folder, both without any links. */
interface Found {
  readonly root: string;
  /** From `root` on. */
  readonly file: string;
  readonly stats: Stats;
}

/**
 * The names along a path, each decoded once; `undefined` when one of them is none, or hidden.
 *
 * Decoded one by one, a name that contains a separator shows itself.
 */
function namesIn(path: string): readonly string[] | undefined {
  const parts = path.split('/').slice(1);
  if (parts.at(-1) === '') parts.pop();
  const names = parts.map(decode);
  return names.every(isPlain) ? names : undefined;
}

function isPlain(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[/\\]/.test(name) && !name.includes('\0');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

/** Looks up `names` below `docRoot`; `undefined` when links lead out of it. */
async function find(docRoot: string, names: readonly string[]): Promise<Found | undefined> {
  // The folder itself may be a link, and be replaced while the server runs.
  const [root, path] = await Promise.all([realpath(docRoot), realpath(join(docRoot, ...names))]);
  const file = relative(root, path);
  if (file.startsWith('..')) return undefined;
  return { root, file, stats: await stat(path) };
}

async function faultOf(docRoot: string): Promise<string | undefined> {
  try {
    return (await stat(docRoot)).isDirectory() ? undefined : 'not a folder';
  } catch (error) {
    return messageOf(error);
  }
}

/** Relative, so that it holds behind a proxy that adds a prefix, and names no other host. */
function redirect({ response }: Exchange, names: readonly string[]): void {
  const address = `./${encodeURIComponent(names.at(-1) ?? '')}/`;
  answer(response, 302, { body: `See ${address}`, headers: { Location: address } });
}

function refusalOf(error: unknown, target: string): unknown {
  const status: unknown = error instanceof Error && Reflect.get(error, 'status');
  if (status === 404) return notFound(target);
  if (status !== 412 && status !== 416) return error;
  return new RefusedRequestError(status, STATUS_CODES[status] ?? '');
}
