import { answer } from './answer.ts';
import { isClipPath } from './clip-route.ts';
import type { Answerer, Exchange, Route } from './exchange.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { isTapPath } from './tap-upgrade.ts';

const knownMethods: readonly string[] = ['GET', 'HEAD', 'POST', 'OPTIONS'];

/** Which part of the server answers which request. */
export class Routes {
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #clips: Route | undefined;
  readonly #files: Route;

  constructor({
    jsonRpc,
    announce,
    clips,
    images,
    metrics,
    health,
    authority,
    files,
  }: {
    readonly jsonRpc: Route;
    readonly announce: Route;
    readonly clips: Route | undefined;
    readonly images: Answerer;
    readonly metrics: Answerer;
    readonly health: Answerer;
    readonly authority: Answerer;
    readonly files: Answerer;
  }) {
    this.#routes = new Map([
      ['/jsonrpc', jsonRpc],
      ['/announce', announce],
      ['/stream', reading(askForWebSocket)],
      ['/healthz', reading(({ response }) => answer(response, 200, { body: 'ok' }))],
      ['/metrics', reading(metrics)],
      ['/health.json', reading(health)],
      ['/ca.crt', reading(authority)],
      ['/__image_cache', reading(images)],
    ]);
    this.#clips = clips;
    this.#files = reading(files);
  }

  /** Failure: rejects with a `RefusedRequestError`, or with whatever went wrong. */
  async answer(exchange: Exchange): Promise<void> {
    const found = this.#routeOf(exchange.target.path);
    const answerer = found.get(exchange.request.method ?? '');
    if (!answerer) throw refusalOf(exchange, found);
    await answerer(exchange);
  }

  #routeOf(path: string): Route {
    if (isTapPath(path)) return tapRoute;
    if (this.#clips && isClipPath(path)) return this.#clips;
    return this.#routes.get(path) ?? this.#files;
  }
}

/** Most is for reading only. */
function reading(get: Answerer): Route {
  return new Map<string, Answerer>([
    ['GET', get],
    ['HEAD', get],
    ['OPTIONS', ({ response }) => void response.writeHead(204, { Allow: readMethods }).end()],
  ]);
}

const readMethods = 'GET, HEAD, OPTIONS';

function askForWebSocket(): never {
  const headers = { Upgrade: 'websocket', Connection: 'Upgrade' };
  throw new RefusedRequestError(426, 'This is audio by WebSocket: ask for an upgrade', headers);
}

const tapRoute = reading(askForWebSocket);

function refusalOf({ request, target }: Exchange, found: Route): RefusedRequestError {
  const { method = '' } = request;
  if (method === 'POST') return notFound(target.text);
  const isKnown = knownMethods.includes(method);
  const headers = { Allow: (isKnown ? [...found.keys()] : knownMethods).join(', ') };
  return isKnown
    ? new RefusedRequestError(405, 'Requests are posted here, or sent by WebSocket', headers)
    : new RefusedRequestError(405, 'Unknown HTTP-method', headers);
}
