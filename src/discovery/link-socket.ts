import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { LocalLink } from './local-links.ts';

/** Source: RFC 6762, 3. */
export const multicastPort = 5353;
const groups = { IPv4: '224.0.0.251', IPv6: 'ff02::fb' } as const;
/** Receivers may take a lower value for a sign of a router in between. */
const hops = 255;

interface LinkSocketOptions {
  readonly link: LocalLink;
  readonly port: number;
  readonly onMessage: (bytes: Buffer, from: RemoteInfo) => void;
  /** The socket cannot be used any more, and is closed. */
  readonly onError: (error: Error) => void;
}

/** Talks to all peers on one network. */
export class LinkSocket {
  readonly #options: LinkSocketOptions;
  readonly #socket: Socket;
  readonly #group: string;
  #isClosed = false;

  /** Failure: rejects with the error of the system; nothing stays open. */
  static async open(options: LinkSocketOptions): Promise<LinkSocket> {
    const { link, port } = options;
    const type = link.family === 'IPv6' ? 'udp6' : 'udp4';
    // Other programs of this machine listen on the port, too.
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: type === 'udp6' });
    try {
      socket.bind({ port, address: bindAddress(link) });
      await once(socket, 'listening');
      joinGroup(socket, link);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new LinkSocket(options, socket);
  }

  private constructor(options: LinkSocketOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    this.#group = groupOf(options.link);
    socket.on('message', options.onMessage);
    socket.on('error', (error) => this.#fail(error));
  }

  /** To all peers, or to one; resolves when the system has taken it or refused it. */
  send(bytes: Buffer, to?: { readonly address: string; readonly port: number }): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const { address, port } = to ?? { address: this.#group, port: this.#options.port };
    return new Promise((resolve) => {
      this.#socket.send(bytes, port, address, (error) => {
        // That one neighbour cannot be reached says nothing about the network.
        if (error && !to) this.#fail(error);
        resolve();
      });
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#options.onError(error);
  }
}

function groupOf({ family, interfaceName }: LocalLink): string {
  return family === 'IPv6' ? `${groups.IPv6}%${interfaceName}` : groups.IPv4;
}

/** Bound to the group, it takes no datagram that is meant for another program. */
function bindAddress(link: LocalLink): string {
  if (process.platform !== 'win32') return groupOf(link);
  return link.family === 'IPv6' ? '::' : '0.0.0.0';
}

function joinGroup(socket: Socket, { family, address, interfaceName }: LocalLink): void {
  const own = family === 'IPv6' ? `::%${interfaceName}` : address;
  socket.addMembership(groups[family], own);
  socket.setMulticastInterface(own);
  socket.setMulticastTTL(hops);
  if (family === 'IPv4') socket.setTTL(hops);
  // Programs of this machine look for services, too.
  socket.setMulticastLoopback(true);
}
