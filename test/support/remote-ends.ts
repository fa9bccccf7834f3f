import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';

/** The client's end of a connection. */
export interface RemoteEnd {
  readonly socket: Socket;
  /** The payload of each piece that was read: a frame, or whatever came at once over TCP. */
  readonly pieces: Buffer[];
  /** The contents of the pongs that were read. */
  readonly pongs: string[];
  /** Begins to read, if it does not yet. */
  read(): void;
}

export function tcpEnd(port: number): RemoteEnd {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const pieces: Buffer[] = [];
  const read = () => void socket.on('data', (data) => pieces.push(data));
  return { socket, pieces, pongs: [], read };
}

/** A real WebSocket client, which has got as far as the upgrade and reads nothing yet. */
export async function webSocketEnd(port: number): Promise<RemoteEnd> {
  const socket = connect(port, '127.0.0.1');
  const client = new WebSocket(`ws://127.0.0.1:${port}/stream`, {
    perMessageDeflate: false,
    createConnection: () => socket,
  });
  const pieces: Buffer[] = [];
  client.on('error', () => {});
  client.on('message', (data, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(data)) throw new Error('a frame that is not binary');
    pieces.push(data);
  });
  const pongs: string[] = [];
  client.on('pong', (data) => pongs.push(data.toString()));
  await once(client, 'open');
  client.pause();
  return { socket, pieces, pongs, read: () => client.resume() };
}
