import { answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { ResponseCompression } from './response-compression.ts';

const permission = 'Metrics';

/** Figures of the server in the format of Prometheus. */
export interface MetricsText {
  /** Whether anybody may have them at present; absent: yes. */
  readonly isOn?: boolean;
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsRouteOptions {
  readonly login: HttpLogin;
  /** Absent when they are switched off. */
  readonly metrics: MetricsText | undefined;
}

/** `GET /metrics`. */
export class MetricsRoute {
  readonly #options: MetricsRouteOptions;
  readonly #compression = new ResponseCompression();

  constructor(options: MetricsRouteOptions) {
    this.#options = options;
  }

  async get({ request, response, target }: Exchange): Promise<void> {
    const { metrics } = this.#options;
    if (!metrics || metrics.isOn === false) throw notFound(target.text);
    const login = await this.#options.login.required(request);
    if (!login.permits(permission)) {
      throw new RefusedRequestError(403, `Forbidden: the role needs the permission ${permission}`);
    }
    const body = await metrics.text();
    this.#compression.apply(request, response);
    answer(response, 200, { body, type: metrics.contentType });
  }
}
