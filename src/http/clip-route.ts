import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Login } from '../auth/access.ts';
import { ZerocastError } from '../base/errors.ts';
import type { Clip } from '../clips/clip-facts.ts';
import { jsonOfClip } from '../clips/clip-json.ts';
import type { ClipParts } from '../clips/open-clips.ts';
import { answer } from './answer.ts';
import type { Answerer, Exchange, Route } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import type { OriginCheck } from './origin-check.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';

const folder = '/clips';
const methods = 'GET, HEAD, PUT, POST, DELETE, OPTIONS';
const preflightMaxAgeS = 600;

/** Of a clip that is refused. */
const maxDiscardedBytes = 64 * 1024 * 1024;

/** Whatever else is called a sound goes out as bytes that no browser interprets. */
const typeOf: ReadonlyMap<string, string> = new Map([
  ['.wav', 'audio/wav'],
  ['.mp3', 'audio/mpeg'],
  ['.flac', 'audio/flac'],
  ['.ogg', 'audio/ogg'],
  ['.opus', 'audio/ogg'],
  ['.m4a', 'audio/mp4'],
  ['.aac', 'audio/aac'],
]);

/** By the codes of errors; all others are 400. */
const statusOf: ReadonlyMap<string, number> = new Map([
  ['unknown-clip', 404],
  ['no-library', 404],
  ['exists', 409],
  ['clip-too-large', 413],
  ['bad-clip', 415],
  ['folder-fault', 500],
  ['busy', 503],
  ['closing', 503],
  ['disk-full', 507],
  ['library-full', 507],
]);

interface ClipRouteOptions {
  readonly clips: () => Promise<ClipParts>;
  readonly login: HttpLogin;
  readonly origins: OriginCheck;
}

type Work = (exchange: Exchange, parts: ClipParts, name: string) => Promise<void>;

/** Whether a path, or a whole target, is that of the library or of a clip in it. */
export function isClipPath(target: string): boolean {
  return /^\/clips(?:[/?]|$)/.test(target);
}

/**
 * `/clips`: the library, as JSON. `/clips/<name>`: one clip, to be read, written and deleted, piece by
 * piece: no clip is ever held in memory as a whole.
 */
export function clipRoute(options: ClipRouteOptions): Route {
  const allowing = (permission: string, work: Work) => guarded(options, permission, work);
  const read = allowing('Clips.DownloadClip', download);
  const list = allowing('Clips.GetClips', answerList);
  const isFolder = ({ target }: Exchange) => nameIn(target.path) === '';
  const get: Answerer = (exchange) => (isFolder(exchange) ? list(exchange) : read(exchange));
  const put = allowing('Clips.UploadClip', (exchange, parts, name) =>
    upload(exchange, parts, { name, replace: true }),
  );
  const post = allowing('Clips.UploadClip', (exchange, parts, name) =>
    upload(exchange, parts, { name, replace: false }),
  );
  /** Browsers ask whether a page of another origin may do all this. */
  const preflight: Answerer = ({ request, response }) => {
    options.origins.check(request);
    response.writeHead(204, {
      Allow: methods,
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': 'Authorization, Content-Type',
      'Access-Control-Max-Age': preflightMaxAgeS,
      ...options.origins.headersFor(request),
    });
    response.end();
  };
  return new Map([
    ['GET', get],
    ['HEAD', get],
    ['PUT', put],
    ['POST', post],
    ['DELETE', allowing('Clips.DeleteClip', remove)],
    ['OPTIONS', preflight],
  ]);
}

function guarded({ clips, login, origins }: ClipRouteOptions, permission: string, work: Work) {
  return async (exchange: Exchange): Promise<void> => {
    const { request, response, target } = exchange;
    origins.checkName(request);
    checkPermission(await login.required(request), permission);
    response.setHeaders(new Map(Object.entries(origins.headersFor(request)).map(textHeader)));
    try {
      await work(exchange, await clips(), nameIn(target.path));
    } catch (error) {
      throw refusalOf(error);
    }
  };
}

function textHeader([name, value]: readonly [string, unknown]): [string, string] {
  return [name, String(value)];
}

function checkPermission({ permits }: Login, permission: string): void {
  if (permits(permission)) return;
  throw new RefusedRequestError(403, `Forbidden: the permission "${permission}" is missing`);
}

/** Empty for the library itself. */
function nameIn(path: string): string {
  const name = path.slice(folder.length).replace(/^\//, '');
  try {
    return decodeURIComponent(name);
  } catch {
    throw new RefusedRequestError(400, 'The name of the clip is not percent-encoded UTF-8');
  }
}

async function answerList({ response }: Exchange, { library }: ClipParts): Promise<void> {
  const clips = await library.list();
  answerJson(response, 200, { clips: clips.map(jsonOfClip) });
}

async function download(
  { request, response, target }: Exchange,
  { library }: ClipParts,
  name: string,
): Promise<void> {
  if (name === '') throw notFound(target.text);
  const file = await library.openFile(name);
  try {
    const { size } = await file.stat();
    response.writeHead(200, {
      'Content-Type': typeOf.get(extname(name).toLowerCase()) ?? 'application/octet-stream',
      'Content-Length': size,
      'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
      'Content-Security-Policy': "default-src 'none'",
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    });
    if (request.method === 'HEAD' || size === 0) response.end();
    // A file that grows meanwhile is not longer than was said.
    else
      await pipeline(
        file.createReadStream({ start: 0, end: size - 1, autoClose: false }),
        response,
      );
  } finally {
    await file.close();
  }
}

async function upload(
  { request, response }: Exchange,
  { library }: ClipParts,
  { name, replace }: { readonly name: string; readonly replace: boolean },
): Promise<void> {
  const said = request.headers['content-length'];
  const isAsked = request.headers.expect !== undefined;
  // Leaving the loop would end the connection, and no answer be read.
  const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  try {
    const incoming = await library.begin(name, { replace, bytes: Number(said ?? 0) });
    let clip: Clip;
    try {
      if (isAsked) response.writeContinue();
      for await (const piece of pieces) await incoming.append(piece);
      clip = await incoming.finish();
    } finally {
      await incoming.discard();
    }
    answerJson(response, 201, { clip: jsonOfClip(clip) });
  } catch (error) {
    // Most clients write all before they read.
    if (!isAsked) await discardRest(request);
    throw error;
  }
}

async function discardRest(request: Exchange['request']): Promise<void> {
  let bytes = 0;
  try {
    const rest: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const piece of rest) {
      bytes += piece.length;
      if (bytes > maxDiscardedBytes) return;
    }
  } catch {
    // The peer has gone.
  }
}

async function remove({ response }: Exchange, { library }: ClipParts, name: string): Promise<void> {
  await library.remove(name);
  response.writeHead(204).end();
}

function answerJson(response: Exchange['response'], status: number, value: object): void {
  answer(response, status, {
    body: JSON.stringify(value),
    type: 'application/json',
    headers: { 'Cache-Control': 'no-store' },
  });
}

/** What is left of a body that is refused is not read. */
function refusalOf(error: unknown): unknown {
  if (error instanceof RefusedRequestError || !(error instanceof ZerocastError)) return error;
  const status = statusOf.get(error.code) ?? 400;
  return new RefusedRequestError(status, `${error.code}: ${error.message}`, {
    Connection: 'close',
  });
}
