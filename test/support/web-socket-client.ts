import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { clientPolicy, MessageReader } from '../../src/protocol/message-reader.ts';
import { encodeHello } from '../../src/protocol/messages.ts';
import { helloOf, type Received } from './scripted-client.ts';
import { until } from './waiting.ts';

/** A client over WebSocket that says what a test tells it to, and keeps all that it hears. */
export class WebSocketClient {
  readonly webSocket: WebSocket;
  /** The socket below, for what no WebSocket would send. */
  readonly socket: Socket;
  /** The binary frames, as they came. */
  readonly frames: Buffer[] = [];
  readonly received: Received[] = [];
  readonly pongs: string[] = [];
  /** The code with which the connection was closed. */
  closeCode: number | undefined;

  static async connect(port: number): Promise<WebSocketClient> {
    const client = new WebSocketClient(port);
    await once(client.webSocket, 'open');
    return client;
  }

  /** Connects and says Hello. */
  static async greet(port: number, id: string): Promise<WebSocketClient> {
    const client = await WebSocketClient.connect(port);
    client.send(encodeHello(helloOf(id), 2));
    return client;
  }

  private constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.webSocket = new WebSocket(`ws://127.0.0.1:${port}/stream`, {
      createConnection: () => this.socket,
    });
    this.webSocket.on('message', (frame, isBinary) => this.#onMessage(frame, isBinary));
    this.webSocket.on('pong', (data) => this.pongs.push(data.toString()));
    this.webSocket.on('error', () => {});
    this.webSocket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  send(message: Uint8Array): void {
    this.webSocket.send(message);
  }

  of(type: number): Received[] {
    return this.received.filter((message) => message.type === type);
  }

  async untilCount(type: number, count: number): Promise<Received[]> {
    await until(() => this.of(type).length >= count, `${count} messages of type ${type}`);
    return this.of(type);
  }

  /** Resolves with the code of the close frame; 1006 without one. */
  async untilClosed(): Promise<number | undefined> {
    await until(() => this.closeCode !== undefined, 'the server closes the connection');
    return this.closeCode;
  }

  close(): void {
    this.socket.destroy();
  }

  #onMessage(frame: unknown, isBinary: boolean): void {
    if (!isBinary || !Buffer.isBuffer(frame)) throw new Error('a frame that is not binary');
    this.frames.push(frame);
    const before = this.received.length;
    const reader = new MessageReader(clientPolicy, (message) => {
      this.received.push({ ...message, body: Buffer.from(message.body) });
    });
    reader.feed(frame, performance.now() * 1000);
    if (this.received.length !== before + 1 || reader.isMidMessage) {
      throw new Error(`a frame of ${frame.length} bytes that is not exactly one message`);
    }
  }
}
