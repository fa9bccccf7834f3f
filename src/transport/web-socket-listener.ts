import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { WebSocketServer } from 'ws';
import { baseHeaderBytes } from '../protocol/layout.ts';
import { maxJsonBodyBytes } from '../protocol/message-reader.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { WebSocketLink } from './web-socket-link.ts';

/** Time for the headers of a request, and for all of it. */
const requestTimeoutMs = 5000;
const timeoutCheckMs = 1000;
const maxHeaderBytes = 16 * 1024;
/** What a client says beyond a Hello is smaller; a frame waits in memory until it is complete. */
export const maxFrameBytes = baseHeaderBytes + maxJsonBodyBytes;
/** No client splits its messages. */
const maxFragments = 64;

const streamPath = '/stream';
const healthPath = '/healthz';
const nothingHere = `nothing here: ${streamPath} is audio by WebSocket, ${healthPath} a check of health\n`;

export interface WebSocketListenerOptions extends Omit<ListenerOptions, 'createServer'> {
  /** Takes each new WebSocket on `/stream`. */
  readonly onLink: (link: WebSocketLink) => void;
}

/** The HTTP port: audio by WebSocket for browsers. */
export class WebSocketListener {
  readonly #options: WebSocketListenerOptions;
  readonly #servers: Server[] = [];
  readonly #webSocketServer = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    handleProtocols: () => false,
    maxPayload: maxFrameBytes,
    maxFragments,
  });
  #listener: Listener | undefined;

  /** Failure: rejects with a `ConfigError` when an address cannot be bound; nothing stays open. */
  static async open(options: WebSocketListenerOptions): Promise<WebSocketListener> {
    const opened = new WebSocketListener(options);
    opened.#listener = await Listener.open({
      ...options,
      createServer: (serverOptions) => opened.#createServer(serverOptions),
    });
    return opened;
  }

  private constructor(options: WebSocketListenerOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Ends all but the links, which have their owners. */
  async close(): Promise<void> {
    await this.#listener?.close();
    for (const server of this.#servers.splice(0)) server.closeAllConnections();
  }

  #createServer(options: Parameters<ListenerOptions['createServer']>[0]): Server {
    const limits = {
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: timeoutCheckMs,
      maxHeaderSize: maxHeaderBytes,
    };
    const server = createServer({ ...options, ...limits }, answer);
    server.on('upgrade', (request: IncomingMessage, _, head) => this.#upgrade(request, head));
    this.#servers.push(server);
    return server;
  }

  #upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    // Only until `ws` takes over: a refusal that is not taken does not stay for ever.
    socket.setTimeout(requestTimeoutMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    if (request.url === streamPath) {
      this.#webSocketServer.handleUpgrade(request, socket, head, (webSocket) =>
        this.#options.onLink(new WebSocketLink(webSocket, socket)),
      );
    } else {
      socket.end(refusal(), () => socket.destroy());
    }
  }
}

const answer: RequestListener = (request: IncomingMessage, response: ServerResponse) => {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const isHealthy = isRead && request.url === healthPath;
  // Nobody asks twice; and nothing is left to be written when an upgrade follows.
  const headers = { 'Content-Type': 'text/plain', Connection: 'close' };
  response.writeHead(isHealthy ? 200 : 404, headers).end(isHealthy ? 'ok' : nothingHere);
};

function refusal(): string {
  return [
    'HTTP/1.1 404 Not Found',
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${nothingHere.length}`,
    '',
    nothingHere,
  ].join('\r\n');
}
