import { answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { ResponseCompression } from './response-compression.ts';

const permission = 'Metrics';
/** Figures that are not older are told again: measuring them costs more than any other answer. */
export const metricsAgeMs = 250;

/** Figures of the server in the format of Prometheus. */
export interface MetricsText {
  /** Whether peers may have them at present; absent: yes. */
  readonly isOn?: boolean;
  readonly contentType: string;
  text(): Promise<string>;
}

/** `GET /metrics`. */
export class MetricsRoute {
  readonly #login: HttpLogin;
  readonly #metrics: MetricsText | undefined;
  readonly #compression = new ResponseCompression();
  #measured: { readonly text: Promise<string>; readonly atMs: number } | undefined;

  /** Without `metrics` they are switched off. */
  constructor(login: HttpLogin, metrics: MetricsText | undefined) {
    this.#login = login;
    this.#metrics = metrics;
  }

  async get({ request, response, target }: Exchange): Promise<void> {
    const metrics = this.#metrics;
    if (!metrics || metrics.isOn === false) throw notFound(target.text);
    const login = await this.#login.required(request);
    if (!login.permits(permission)) {
      throw new RefusedRequestError(403, `Forbidden: the role needs the permission ${permission}`);
    }
    const body = await this.#textOf(metrics);
    this.#compression.apply(request, response);
    answer(response, 200, { body, type: metrics.contentType });
  }

  /** The next request gets new figures. */
  forget(): void {
    this.#measured = undefined;
  }

  #textOf(metrics: MetricsText): Promise<string> {
    const nowMs = performance.now();
    if (!this.#measured || nowMs - this.#measured.atMs >= metricsAgeMs) {
      this.#measured = { text: metrics.text(), atMs: nowMs };
    }
    return this.#measured.text;
  }
}
