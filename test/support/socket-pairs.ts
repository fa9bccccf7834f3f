import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../src/base/clock.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import type { AudioPath } from '../../src/transport/audio-path.ts';
import { Connection } from '../../src/transport/connection.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import type { Framing, Link } from '../../src/transport/link.ts';
import { TcpLink } from '../../src/transport/tcp-link.ts';
import { HttpRig } from './http-rig.ts';
import { type RemoteEnd, tcpEnd, webSocketEnd } from './remote-ends.ts';
import { until } from './waiting.ts';

export interface Peer {
  readonly connection: Connection;
  readonly path: AudioPath;
  readonly remote: Socket;
  /** All messages that the remote side has read, without what stands around them. */
  readonly heard: () => Buffer;
  /** The same in pieces: of a WebSocket, the frames. */
  readonly pieces: readonly Buffer[];
  /** The contents of the pongs that a WebSocket has read. */
  readonly pongs: readonly string[];
  /** Makes a remote side read that did not. */
  readonly read: () => void;
  readonly closedFor: () => string | undefined;
}

interface PairSetup {
  readonly fanOut: FanOut;
  readonly clock: Clock;
  readonly framing: Framing;
}

/** Real sockets over loopback: our `Connection` at one end, a plain client at the other. */
export class SocketPairs {
  readonly #setup: PairSetup;
  readonly #server: Server;
  readonly #http: HttpRig;
  readonly #accepted: Link[];
  readonly #peers: Peer[] = [];

  /** Pairs of `framing`, unless another one is asked for. */
  static async open(
    fanOut: FanOut,
    clock: Clock = monotonicClock,
    framing: Framing = 'tcp',
  ): Promise<SocketPairs> {
    const accepted: Link[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      accepted.push(new TcpLink(socket));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const http = await HttpRig.open({ onStream: (link) => accepted.push(link) });
    return new SocketPairs({ fanOut, clock, framing }, { server, http, accepted });
  }

  private constructor(setup: PairSetup, ends: { server: Server; http: HttpRig; accepted: Link[] }) {
    this.#setup = setup;
    this.#server = ends.server;
    this.#http = ends.http;
    this.#accepted = ends.accepted;
  }

  /** One more pair; with `reads` false the remote side takes nothing until it is told to. */
  async join(reads = true, framing = this.#setup.framing): Promise<Peer> {
    const end = await this.#connect(framing);
    await until(() => this.#accepted.length > 0);
    const [link] = this.#accepted.splice(0);
    if (!link) throw new Error('nobody was accepted');
    const peer = this.#wire(link, end);
    if (reads) peer.read();
    this.#peers.push(peer);
    return peer;
  }

  #connect(framing: Framing): RemoteEnd | Promise<RemoteEnd> {
    if (framing === 'websocket') return webSocketEnd(this.#http.port);
    const address = this.#server.address();
    return tcpEnd(typeof address === 'object' && address ? address.port : 0);
  }

  #wire(link: Link, { socket: remote, ...end }: RemoteEnd): Peer {
    const { clock, fanOut } = this.#setup;
    let reason: string | undefined;
    const connection = new Connection(
      { link, clock },
      {
        onMessage: () => {},
        onClose: (why) => {
          reason = why;
          path.detach();
        },
      },
    );
    const path = fanOut.attach(connection);
    connection.open();
    const heard = () => Buffer.concat(end.pieces);
    return { ...end, connection, path, remote, heard, closedFor: () => reason };
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
    void this.#http.close();
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
