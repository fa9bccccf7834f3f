import type { IncomingMessage } from 'node:http';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './waiting.ts';

export interface HeardFrame {
  readonly kind: number;
  readonly version: number;
  readonly startsRun: boolean;
  readonly count: number;
  readonly heardUs: number;
  /** In memory of its own, so that it is aligned. */
  readonly data: Buffer;
}

type Told = Readonly<Record<string, unknown>>;

/** A program that listens to a stream, and keeps all that it gets. */
export class TapClient {
  readonly webSocket: WebSocket;
  readonly texts: Told[] = [];
  readonly frames: HeardFrame[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  refusal: { readonly status: number; readonly text: string } | undefined;

  constructor(port: number, path: string, headers: ClientOptions['headers'] = {}) {
    this.webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    this.webSocket.on('error', () => undefined);
    this.webSocket.on('unexpected-response', (_, response) => void this.#onRefusal(response));
    this.webSocket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.frames.push(frameOf(data));
      else this.texts.push(JSON.parse(String(data)) as Told);
    });
    this.webSocket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
  }

  /** Resolves with what is told first. */
  static async open(port: number, path: string, headers?: ClientOptions['headers']) {
    const client = new TapClient(port, path, headers);
    await until(() => client.texts.length > 0, 'the tap says what it gives');
    return client;
  }

  /** Resolves with status and text of an answer that says no. */
  static async refused(port: number, path: string, headers?: ClientOptions['headers']) {
    const client = new TapClient(port, path, headers);
    await until(() => client.refusal !== undefined, 'the tap is refused');
    return client.refusal!;
  }

  get audio(): Buffer {
    return Buffer.concat(this.frames.map(({ data }) => data));
  }

  async #onRefusal(response: IncomingMessage): Promise<void> {
    let text = '';
    for await (const part of response) text += String(part);
    this.refusal = { status: response.statusCode ?? 0, text };
  }
}

/** As docs/protocol.md has it. */
function frameOf(message: Buffer): HeardFrame {
  return {
    kind: message.readUInt8(0),
    version: message.readUInt8(1),
    startsRun: (message.readUInt16LE(2) & 1) === 1,
    count: message.readUInt32LE(4),
    heardUs: message.readDoubleLE(8),
    data: Buffer.concat([message.subarray(16)]),
  };
}
