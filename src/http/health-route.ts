import { answer } from './answer.ts';
import type { Answerer, Exchange } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import type { OriginCheck } from './origin-check.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { ResponseCompression } from './response-compression.ts';

const permission = 'Health';
/** For the warnings of the log besides. */
const logPermission = 'Health.Log';

/** How the server is, as JSON. */
export interface HealthText {
  text(options: { readonly withLog: boolean }): Promise<string>;
}

/** `GET /health.json`. */
export function healthRoute({
  health,
  login,
  origins,
}: {
  readonly health: HealthText | undefined;
  readonly login: HttpLogin;
  readonly origins: OriginCheck;
}): Answerer {
  const compression = new ResponseCompression();
  return async ({ request, response, target }: Exchange) => {
    if (!health) throw notFound(target.text);
    origins.checkName(request);
    const { permits } = await login.required(request);
    if (!permits(permission)) {
      throw new RefusedRequestError(403, `Forbidden: the role needs the permission ${permission}`);
    }
    const body = await health.text({ withLog: permits(logPermission) });
    compression.apply(request, response);
    answer(response, 200, {
      body,
      type: 'application/json',
      headers: { 'Cache-Control': 'no-store', ...origins.headersFor(request) },
    });
  };
}
