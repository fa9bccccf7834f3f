import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { WebSocket } from 'ws';
import { messageType } from '../../src/protocol/layout.ts';
import {
  clientPolicy,
  type IncomingMessage,
  MessageReader,
} from '../../src/protocol/message-reader.ts';
import { encodeHello, encodeTimeRequest, type Hello } from '../../src/protocol/messages.ts';

export type Received = Omit<IncomingMessage, 'body'> & { readonly body: Buffer };

export function helloOf(id: string, rest: Partial<Hello> = {}): Hello {
  return {
    mac: '00:11:22:33:44:55',
    hostName: 'host',
    version: '0.34.0',
    clientName: 'Snapclient',
    os: 'test',
    arch: 'x86_64',
    instance: 1,
    id,
    protocolVersion: 2,
    ...rest,
  };
}

export interface ScriptedClientOptions {
  readonly host?: string;
  readonly localAddress?: string;
  /** The last one is a WebSocket by TLS. */
  readonly transport?: 'TCP' | 'WebSocket' | 'TLS';
  readonly onOpen?: () => void;
  /** Takes what comes, which is valid during the call; absent: it is kept. */
  readonly onMessage?: (message: IncomingMessage) => void;
  /** What came is no message. Absent: the test fails. */
  readonly onError?: (error: Error) => void;
}

/** A player that says exactly what a test tells it to, and keeps all that it hears. */
export class ScriptedClient {
  /** The socket below, for what no player would do. */
  readonly socket: Socket;
  readonly webSocket: WebSocket | undefined;
  readonly received: Received[] = [];
  /** Of a WebSocket: the frames as they came, the pongs, and the code with which it was closed. */
  readonly frames: Buffer[] = [];
  readonly pongs: string[] = [];
  closeCode: number | undefined;
  isClosed = false;
  readonly #options: ScriptedClientOptions;
  readonly #reader: MessageReader;
  #messages = 0;
  readonly #waiters = new Set<() => void>();

  static async connect(port: number, options?: ScriptedClientOptions): Promise<ScriptedClient> {
    const client = new ScriptedClient(port, options);
    await (client.webSocket ? once(client.webSocket, 'open') : once(client.socket, 'connect'));
    return client;
  }

  /** Connects and says Hello. */
  static async greet(
    port: number,
    id: string,
    rest: Partial<Hello> & Pick<ScriptedClientOptions, 'transport'> = {},
  ): Promise<ScriptedClient> {
    const { transport = 'TCP', ...hello } = rest;
    const client = await ScriptedClient.connect(port, { transport });
    client.send(encodeHello(helloOf(id, hello), 2));
    return client;
  }

  /** Begins to connect. */
  constructor(port: number, options: ScriptedClientOptions = {}) {
    const { host = '127.0.0.1', localAddress, transport = 'TCP' } = options;
    this.#options = options;
    const take =
      options.onMessage ??
      ((message) => this.received.push({ ...message, body: Buffer.from(message.body) }));
    this.#reader = new MessageReader(clientPolicy, (message) => {
      this.#messages += 1;
      take(message);
    });
    this.socket = connect({ host, port, noDelay: true, ...(localAddress && { localAddress }) });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
    if (transport === 'TCP') {
      this.socket.on('connect', () => options.onOpen?.());
      this.socket.on('data', (data: Buffer) => this.#feed(data));
    } else {
      const scheme = transport === 'TLS' ? 'wss' : 'ws';
      this.webSocket = this.#openWebSocket(`${scheme}://${host}:${port}/stream`);
    }
  }

  send(bytes: Uint8Array): void {
    if (!this.webSocket && this.socket.writable) this.socket.write(bytes);
    else if (this.webSocket?.readyState === WebSocket.OPEN) this.webSocket.send(bytes);
  }

  requestTime(id: number): void {
    this.send(encodeTimeRequest(id));
  }

  of(type: number): Received[] {
    return this.received.filter((message) => message.type === type);
  }

  get chunks(): Received[] {
    return this.of(messageType.wireChunk);
  }

  /** Resolves when `condition` holds, which is looked at whenever something arrives. */
  async until(condition: () => boolean, what: string, timeoutMs = 25_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      const remaining = deadline - performance.now();
      if (remaining <= 0) throw new Error(`waited in vain: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, Math.min(remaining, 50));
        const waiters = this.#waiters;
        function wake(): void {
          clearTimeout(timer);
          waiters.delete(wake);
          resolve();
        }
        waiters.add(wake);
      });
    }
  }

  async untilCount(type: number, count: number): Promise<Received[]> {
    await this.until(() => this.of(type).length >= count, `${count} messages of type ${type}`);
    return this.of(type);
  }

  /** Resolves with the code of the close frame of a WebSocket; 1006 without one. */
  async untilClosed(): Promise<number | undefined> {
    await this.until(
      () => (this.webSocket ? this.closeCode !== undefined : this.isClosed),
      'the server closes the connection',
    );
    return this.closeCode;
  }

  close(): void {
    this.socket.destroy();
  }

  #openWebSocket(url: string): WebSocket {
    const { socket } = this;
    const isSecure = url.startsWith('wss:');
    const webSocket = new WebSocket(url, {
      createConnection: () =>
        isSecure ? connectSecurely({ socket, rejectUnauthorized: false }) : socket,
    });
    webSocket.on('open', () => this.#options.onOpen?.());
    webSocket.on('message', (frame, isBinary) => {
      if (!isBinary || !Buffer.isBuffer(frame)) throw new Error('a frame that is not binary');
      if (!this.#options.onMessage) this.frames.push(frame);
      this.#feed(frame, { isOneMessage: true });
    });
    webSocket.on('pong', (data) => this.pongs.push(data.toString()));
    webSocket.on('error', () => {});
    webSocket.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
    return webSocket;
  }

  #feed(data: Buffer, { isOneMessage = false } = {}): void {
    const before = this.#messages;
    try {
      this.#reader.feed(data, performance.now() * 1000);
      const isOne = this.#messages === before + 1 && !this.#reader.isMidMessage;
      if (isOneMessage && !isOne) {
        throw new Error(`a frame of ${data.length} bytes that is not exactly one message`);
      }
    } catch (error) {
      if (!this.#options.onError || !(error instanceof Error)) throw error;
      this.#options.onError(error);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }
}
