import type { Socket } from 'node:net';
import { encodeHello, encodeTimeRequest } from '../../src/protocol/messages.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { Listening, type ListeningOptions } from './listening.ts';

const timeIntervalMs = 1000;

/** Of every player of a run. */
export interface CommonPlayerOptions extends Pick<ListeningOptions, 'truths' | 'isExcused'> {
  readonly host?: string;
  readonly port: number;
  readonly webSocketPort?: number;
  readonly securePort?: number;
  /** Is told of each broken rule. */
  onProblem(text: string): void;
}

export interface PlayerOptions extends CommonPlayerOptions, ListeningOptions {
  readonly id: string;
  readonly isBrowser?: boolean;
  readonly isSecure?: boolean;
  readonly localAddress?: string;
  /** The connection is gone, whoever ended it. */
  onClosed?(): void;
}

/** One scripted player, over TCP or as a browser, by TLS or without, that checks all that it hears. */
export class Player {
  readonly id: string;
  readonly listening: Listening;
  readonly socket: Socket;
  readonly #client: ScriptedClient;
  #timer: NodeJS.Timeout | undefined;
  #messageId = 1;

  constructor(options: PlayerOptions) {
    this.id = options.id;
    this.listening = new Listening(options);
    const { host = '127.0.0.1', port, webSocketPort, securePort, localAddress } = options;
    const { isBrowser = false, isSecure = false, onProblem } = options;
    const browserPort = isSecure ? securePort : webSocketPort;
    this.#client = new ScriptedClient(isBrowser ? (browserPort ?? 0) : port, {
      host,
      transport: isSecure ? 'TLS' : isBrowser ? 'WebSocket' : 'TCP',
      ...(localAddress && { localAddress }),
      onOpen: () => this.#greet(),
      onMessage: (message) => this.listening.take(message),
      onError: (error) => {
        onProblem(`player ${this.id}: ${error.message}`);
        this.close();
      },
    });
    this.socket = this.#client.socket;
    this.socket.once('close', () => {
      clearInterval(this.#timer);
      options.onClosed?.();
    });
  }

  get isClosed(): boolean {
    return this.#client.isClosed;
  }

  /** Sends a message of the protocol. */
  send(bytes: Uint8Array): void {
    this.#client.send(bytes);
  }

  /** Ends without a word: the server gets a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  halfClose(): void {
    this.socket.end();
  }

  /** Asks for nothing any more, as one that has lost its network. */
  fallSilent(): void {
    clearInterval(this.#timer);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (!this.isClosed) this.socket.resume();
  }

  #greet(): void {
    this.send(encodeHello(helloOf(this.id), this.#messageId));
    this.#timer = setInterval(() => {
      this.#messageId = (this.#messageId % 60_000) + 1;
      this.send(encodeTimeRequest(this.#messageId));
    }, timeIntervalMs);
  }
}
