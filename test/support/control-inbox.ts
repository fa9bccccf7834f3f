import type { ServerStatus } from './server-status.ts';
import { until } from './waiting.ts';

/** An answer or a notification, as it came. */
export interface ControlMessage {
  readonly id?: unknown;
  readonly jsonrpc?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** What a controller was told, in order. */
export class ControlInbox {
  /** One JSON text each. */
  readonly texts: string[] = [];
  /** The same parsed; of an array each message on its own. */
  readonly messages: ControlMessage[] = [];

  add(text: string): void {
    this.texts.push(text);
    const parsed: ControlMessage | ControlMessage[] = JSON.parse(text);
    this.messages.push(...(Array.isArray(parsed) ? parsed : [parsed]));
  }

  answers(): ControlMessage[] {
    return this.messages.filter((message) => 'id' in message);
  }

  /** All notifications, or those of one method. */
  notifications(method?: string): ControlMessage[] {
    return this.messages.filter(
      (message) => !('id' in message) && (method === undefined || message.method === method),
    );
  }

  async until(isIt: (message: ControlMessage) => boolean, what: string): Promise<ControlMessage> {
    await until(() => this.messages.some(isIt), what);
    return this.messages.find(isIt)!;
  }

  /** The answer with this very id. */
  answer(id: unknown): Promise<ControlMessage> {
    return this.until((message) => message.id === id, `the answer to ${JSON.stringify(id)}`);
  }

  /** What the request with this id resulted in. Failure: rejects when that was an error. */
  async result(id: unknown): Promise<unknown> {
    const { result, error } = await this.answer(id);
    if (error) throw new Error(`request ${String(id)} failed: ${JSON.stringify(error)}`);
    return result;
  }

  /** The complete status that a request resulted in. */
  async status(id: unknown): Promise<ServerStatus> {
    const { server } = (await this.result(id)) as { readonly server: ServerStatus };
    return server;
  }

  /** The parameters of the first notification of `method`, now or soon. */
  async told(method: string): Promise<Readonly<Record<string, unknown>>> {
    const { params } = await this.until((message) => message.method === method, method);
    return params ?? {};
  }
}
