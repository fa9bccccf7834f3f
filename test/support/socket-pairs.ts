import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../src/clock.ts';
import { monotonicClock } from '../../src/clock.ts';
import { Connection } from '../../src/transport/connection.ts';

export interface Peer {
  readonly connection: Connection;
  readonly remote: Socket;
  /** All bytes that the remote side has read. */
  readonly heard: () => Buffer;
  readonly closedFor: () => string | undefined;
}

/** Real sockets over loopback: our `Connection` at one end, a plain socket at the other. */
export class SocketPairs {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #peers: Peer[] = [];

  static async open(clock: Clock = monotonicClock): Promise<SocketPairs> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SocketPairs(server, clock);
  }

  private constructor(server: Server, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  /** One more pair; with `reads` false the remote side never takes anything. */
  async join(reads = true): Promise<Peer> {
    const address = this.#server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const accepted = once(this.#server, 'connection');
    const remote = connect(port, '127.0.0.1');
    const [socket] = (await accepted) as [Socket];
    const pieces: Buffer[] = [];
    let reason: string | undefined;
    if (reads) remote.on('data', (data: Buffer) => pieces.push(data));
    remote.on('error', () => {});
    const connection = new Connection(
      { socket, clock: this.#clock },
      {
        onMessage: () => {},
        onClose: (why) => {
          reason = why;
        },
      },
    );
    const heard = () => Buffer.concat(pieces);
    const peer = { connection, remote, heard, closedFor: () => reason };
    this.#peers.push(peer);
    return peer;
  }

  async joinAll(count: number, reads = true): Promise<Peer[]> {
    const all = [];
    for (let index = 0; index < count; index += 1) all.push(await this.join(reads));
    return all;
  }

  close(): void {
    for (const { connection, remote } of this.#peers) {
      connection.close('end of test');
      remote.destroy();
    }
    this.#server.close();
  }
}

/** Type of each complete message in `bytes`. */
export function messageTypes(bytes: Buffer): number[] {
  const types = [];
  for (let offset = 0; offset + 26 <= bytes.length; ) {
    types.push(bytes.readUInt16LE(offset));
    offset += 26 + bytes.readUInt32LE(offset + 22);
  }
  return types;
}
