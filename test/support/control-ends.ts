import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';
import { ControlPeer, type ControlPeerContext } from '../../src/control/control-peer.ts';
import { TcpControlWire } from '../../src/control/tcp-control-wire.ts';
import { WebSocketControlWire } from '../../src/control/web-socket-control-wire.ts';
import { controlPeerContext } from './control-limits.ts';

export type ControlTransport = ControlPeer['transport'];

/** A controller: the far end of a `ControlPeer`. */
export interface Controller {
  /** What it was told, without line endings. */
  readonly texts: string[];
  /** The socket below, for what no well-behaved controller does. */
  readonly socket: Socket;
  readonly isClosed: () => boolean;
  ask(text: string): void;
  /** Stops and resumes reading. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface ControlEndsOptions {
  readonly transport: ControlTransport;
  readonly onPeer: (peer: ControlPeer) => void;
  /** Absent: the usual limits. */
  readonly context?: ControlPeerContext;
}

/** A port to which controllers connect, and the controllers. */
export class ControlEnds {
  readonly #transport: ControlTransport;
  readonly #server: Server;
  readonly #controllers: Controller[] = [];

  static async open(options: ControlEndsOptions): Promise<ControlEnds> {
    const server = options.transport === 'TCP' ? tcpServer(options) : webServer(options);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new ControlEnds(options.transport, server);
  }

  private constructor(transport: ControlTransport, server: Server) {
    this.#transport = transport;
    this.#server = server;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Connections that have not ended on our side. */
  connections(): Promise<number> {
    return promisify(this.#server.getConnections.bind(this.#server))();
  }

  async connect(): Promise<Controller> {
    const { port } = this;
    const controller = await (this.#transport === 'TCP' ? byTcp(port) : byWebSocket(port));
    this.#controllers.push(controller);
    return controller;
  }

  close(): void {
    for (const { socket } of this.#controllers) socket.destroy();
    this.#server.close();
  }
}

function tcpServer({ onPeer, context = controlPeerContext() }: ControlEndsOptions): Server {
  return createServer({ pauseOnConnect: true, noDelay: true }, (socket) =>
    onPeer(new ControlPeer((peer) => new TcpControlWire(socket, peer), context)),
  );
}

function webServer({ onPeer, context = controlPeerContext() }: ControlEndsOptions): Server {
  const webSockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
  const server = createHttpServer();
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (webSocket) =>
      onPeer(
        new ControlPeer(
          (peer) => new WebSocketControlWire(webSocket, request.socket, peer),
          context,
        ),
      ),
    );
  });
  return server;
}

async function byTcp(port: number): Promise<Controller> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const texts: string[] = [];
  const rest: Buffer[] = [];
  socket.on('data', (data: Buffer) => {
    rest.push(data);
    if (data.at(-1) !== 0x0a) return;
    const lines = Buffer.concat(rest.splice(0)).toString().split('\r\n');
    if (lines.pop() !== '') throw new Error('a message that does not end in CR LF');
    texts.push(...lines);
  });
  return {
    texts,
    socket,
    isClosed: () => socket.closed,
    ask: (text) => void socket.write(`${text}\n`),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => socket.destroy(),
  };
}

async function byWebSocket(port: number): Promise<Controller> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/jsonrpc`, {
    createConnection: () => socket,
    perMessageDeflate: false,
  });
  const texts: string[] = [];
  webSocket.on('message', (data, isBinary) => {
    if (isBinary || !Buffer.isBuffer(data)) throw new Error('a frame that is not text');
    texts.push(data.toString());
  });
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  return {
    texts,
    socket,
    isClosed: () => socket.closed,
    ask: (text) => webSocket.send(text),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    close: () => socket.destroy(),
  };
}
