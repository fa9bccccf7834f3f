import { addressOf } from '../base/net/remote-address.ts';
import type { RpcHandler } from '../control/rpc.ts';
import { answer } from './answer.ts';
import type { BodyReader } from './body-reader.ts';
import type { Exchange } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import type { OriginCheck } from './origin-check.ts';

/** Browsers ask again after this time. */
const preflightMaxAgeS = 600;

interface JsonRpcRouteOptions {
  readonly handler: RpcHandler;
  readonly login: HttpLogin;
  readonly origins: OriginCheck;
  readonly bodies: BodyReader;
}

/** `POST /jsonrpc`: one request or batch in, exactly one response out. */
export class JsonRpcRoute {
  readonly #options: JsonRpcRouteOptions;

  constructor(options: JsonRpcRouteOptions) {
    this.#options = options;
  }

  async post({ request, response }: Exchange): Promise<void> {
    const { handler, origins, bodies } = this.#options;
    origins.check(request);
    const login = await this.#options.login.required(request);
    const text = await bodies.read(request);
    const caller = { login, remoteAddress: addressOf(request.socket) };
    const reply = await handler.handle(text, caller);
    answer(response, 200, {
      body: reply ?? '',
      type: 'application/json',
      headers: { 'Cache-Control': 'no-store', ...origins.headersFor(request) },
    });
  }

  /** Browsers ask whether a page of another origin may post. */
  preflight({ request, response }: Exchange): void {
    const { origins } = this.#options;
    origins.check(request);
    response.writeHead(204, {
      Allow: 'POST, OPTIONS',
      'Access-Control-Allow-Methods': 'POST',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type',
      'Access-Control-Max-Age': preflightMaxAgeS,
      ...origins.headersFor(request),
    });
    response.end();
  }
}
