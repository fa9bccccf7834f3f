import { answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { ImageRoute } from './image-route.ts';
import type { JsonRpcRoute } from './json-rpc-route.ts';
import type { MetricsRoute } from './metrics-route.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import type { StaticFiles } from './static-files.ts';

type Answerer = (exchange: Exchange) => void | Promise<void>;
/** Who answers which method. */
type Route = ReadonlyMap<string, Answerer>;

const knownMethods: readonly string[] = ['GET', 'HEAD', 'POST', 'OPTIONS'];

interface RoutesOptions {
  readonly jsonRpc: JsonRpcRoute;
  readonly images: ImageRoute;
  readonly metrics: MetricsRoute;
  readonly files: Pick<StaticFiles, 'answer'>;
}

/** Which part of the server answers which request. */
export class Routes {
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #files: Route;

  constructor({ jsonRpc, images, metrics, files }: RoutesOptions) {
    this.#routes = new Map([
      [
        '/jsonrpc',
        route([
          ['POST', (exchange) => jsonRpc.post(exchange)],
          ['OPTIONS', (exchange) => jsonRpc.preflight(exchange)],
        ]),
      ],
      ['/stream', reading(askForWebSocket)],
      ['/healthz', reading(({ response }) => answer(response, 200, { body: 'ok' }))],
      ['/metrics', reading((exchange) => metrics.get(exchange))],
      ['/__image_cache', reading((exchange) => images.get(exchange))],
    ]);
    this.#files = reading((exchange) => files.answer(exchange));
  }

  /** Failure: rejects with a `RefusedRequestError`, or with whatever went wrong. */
  async answer(exchange: Exchange): Promise<void> {
    const found = this.#routes.get(exchange.target.path) ?? this.#files;
    const answerer = found.get(exchange.request.method ?? '');
    if (!answerer) throw refusalOf(exchange, found);
    await answerer(exchange);
  }
}

function route(answerers: readonly (readonly [string, Answerer])[]): Route {
  return new Map(answerers);
}

/** Everything but `/jsonrpc` is for reading only. */
function reading(get: Answerer): Route {
  return route([
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

function refusalOf({ request, target }: Exchange, found: Route): RefusedRequestError {
  const { method = '' } = request;
  if (method === 'POST') return notFound(target.text);
  const isKnown = knownMethods.includes(method);
  const headers = { Allow: (isKnown ? [...found.keys()] : knownMethods).join(', ') };
  return isKnown
    ? new RefusedRequestError(405, 'Requests are posted here, or sent by WebSocket', headers)
    : new RefusedRequestError(405, 'Unknown HTTP-method', headers);
}
