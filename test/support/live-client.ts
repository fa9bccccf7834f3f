import type { IncomingMessage } from 'node:http';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './waiting.ts';

type Told = Readonly<Record<string, unknown>>;

/** A viewer on `/live`, which keeps all that it gets. */
export class LiveClient {
  readonly webSocket: WebSocket;
  readonly texts: Told[] = [];
  readonly frames: Buffer[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** Status of an answer that says no. */
  refusal: number | undefined;

  constructor(port: number, headers: ClientOptions['headers'] = {}) {
    this.webSocket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers });
    this.webSocket.on('error', () => undefined);
    this.webSocket.on('unexpected-response', (_, response: IncomingMessage) => {
      this.refusal = response.statusCode ?? 0;
    });
    this.webSocket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.frames.push(data);
      else this.texts.push(JSON.parse(String(data)) as Told);
    });
    this.webSocket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
  }

  static async open(port: number, headers?: ClientOptions['headers']): Promise<LiveClient> {
    const client = new LiveClient(port, headers);
    await until(() => client.webSocket.readyState === WebSocket.OPEN, 'the viewer is let in');
    return client;
  }

  /** Resolves with the next text. */
  async ask(request: unknown): Promise<Told> {
    const { length } = this.texts;
    this.webSocket.send(typeof request === 'string' ? request : JSON.stringify(request));
    await until(() => this.texts.length > length, 'the viewer is answered');
    return this.texts[length]!;
  }
}
