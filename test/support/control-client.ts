import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ControlInbox } from './control-inbox.ts';

const messageEnd = '\r\n';

/**
 * A controller over TCP that says exactly what a test tells it to.
 *
 * It reads as python-snapcast does, which is the strictest of all: only when what has come ends in
 * CR LF does it look at it, so that a message with any other ending is never understood.
 */
export class ControlClient {
  readonly socket: Socket;
  readonly inbox = new ControlInbox();
  /** Every byte that came. */
  readonly raw: Buffer[] = [];
  hasEnded = false;
  isClosed = false;
  #waiting = '';

  static async connect(port: number): Promise<ControlClient> {
    const client = new ControlClient(port);
    await once(client.socket, 'connect');
    return client;
  }

  private constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    this.socket.on('data', (data: Buffer) => this.#receive(data));
    this.socket.on('error', () => {});
    this.socket.on('end', () => {
      this.hasEnded = true;
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Sends these bytes and no others. */
  send(text: string): void {
    this.socket.write(text);
  }

  /** Says that nothing more will come, and goes on listening. */
  end(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  #receive(data: Buffer): void {
    this.raw.push(data);
    this.#waiting += data.toString('latin1');
    if (!this.#waiting.endsWith(messageEnd)) return;
    const text = Buffer.from(this.#waiting, 'latin1').toString();
    this.#waiting = '';
    for (const message of text.slice(0, -messageEnd.length).split(messageEnd)) {
      this.inbox.add(message);
    }
  }
}
