import { answer } from './answer.ts';
import type { Answerer } from './exchange.ts';
import { notFound } from './refused-request-error.ts';

/** `GET /ca.crt`: what a device has to trust to trust this server; nothing of it is secret. */
export function authorityRoute(authority: () => string | undefined): Answerer {
  return ({ response, target }) => {
    const body = authority();
    if (body === undefined) throw notFound(target.text);
    // By this type phones offer to install it.
    answer(response, 200, { body, type: 'application/x-x509-ca-cert' });
  };
}
