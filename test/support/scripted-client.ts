import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
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

/** A client that says exactly what a test tells it to, and keeps all that it hears. */
export class ScriptedClient {
  readonly socket: Socket;
  readonly received: Received[] = [];
  isClosed = false;
  readonly #waiters = new Set<() => void>();

  static async connect(port: number): Promise<ScriptedClient> {
    const client = new ScriptedClient(port);
    await once(client.socket, 'connect');
    return client;
  }

  /** Connects and says Hello. */
  static async greet(port: number, id: string, rest: Partial<Hello> = {}): Promise<ScriptedClient> {
    const client = await ScriptedClient.connect(port);
    client.send(encodeHello(helloOf(id, rest), 2));
    return client;
  }

  private constructor(port: number) {
    const reader = new MessageReader(clientPolicy, (message) => {
      this.received.push({ ...message, body: Buffer.from(message.body) });
    });
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('data', (data: Buffer) => {
      reader.feed(data, performance.now() * 1000);
      this.#wake();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
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

  async untilClosed(): Promise<void> {
    await this.until(() => this.isClosed, 'the server closes the connection');
  }

  close(): void {
    this.socket.destroy();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }
}
