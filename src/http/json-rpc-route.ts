import { addressOf } from '../base/net/remote-address.ts';
import type { RpcHandler } from '../control/rpc.ts';
import { answer } from './answer.ts';
import type { BodyReader } from './body-reader.ts';
import type { Answerer, Exchange, Route } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import type { OriginCheck } from './origin-check.ts';

/** Browsers ask again after this time. */
const preflightMaxAgeS = 600;

/** `POST /jsonrpc`: one request or batch in, exactly one response out. */
export function jsonRpcRoute({
  handler,
  login,
  origins,
  bodies,
}: {
  readonly handler: RpcHandler;
  readonly login: HttpLogin;
  readonly origins: OriginCheck;
  readonly bodies: BodyReader;
}): Route {
  const post = async ({ request, response }: Exchange) => {
    origins.check(request);
    const caller = {
      login: await login.required(request),
      remoteAddress: addressOf(request.socket),
    };
    const reply = await handler.handle(await bodies.read(request), caller);
    answer(response, 200, {
      body: reply ?? '',
      type: 'application/json',
      headers: { 'Cache-Control': 'no-store', ...origins.headersFor(request) },
    });
  };
  return postingRoute(post, origins);
}

/** What is posted to, also by the pages that may. */
export function postingRoute(post: Answerer, origins: OriginCheck): Route {
  /** Browsers ask whether a page of another origin may post. */
  const preflight = ({ request, response }: Exchange) => {
    origins.check(request);
    response.writeHead(204, {
      Allow: 'POST, OPTIONS',
      'Access-Control-Allow-Methods': 'POST',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type',
      'Access-Control-Max-Age': preflightMaxAgeS,
      ...origins.headersFor(request),
    });
    response.end();
  };
  return new Map<string, Answerer>([
    ['POST', post],
    ['OPTIONS', preflight],
  ]);
}
