import { createSocket, type Socket } from 'node:dgram';
import { messageOf } from '../../../base/errors.ts';
import type { LogFields, Logger } from '../../../base/logger.ts';
import { lanAddresses } from '../../../base/net/lan-addresses.ts';
import { closed, interfaceAddress } from './datagram-input.ts';
import { sapPort, writeSapPacket } from './sap-packet.ts';
import { isMulticast, type RtpSession, writeSessionDescription } from './session-description.ts';

interface SapAnnouncerContext {
  readonly session: Omit<RtpSession, 'id' | 'source'>;
  readonly iface?: string | undefined;
  readonly logger: Logger;
  /** What every line of the log says. */
  readonly fields: LogFields;
}

const intervalMs = 30_000;
const globalGroup = '224.2.127.254';
const siteGroup = '239.255.255.255';
/** A session stays within the site. */
const timeToLive = 32;

/** Tells the network where this server waits for a sender, until it is closed. Source: RFC 2974. */
export class SapAnnouncer {
  readonly #context: SapAnnouncerContext;
  readonly #sessionId = Math.floor(Date.now() / 1000);
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loggedFault = '';

  constructor(context: SapAnnouncerContext) {
    this.#context = context;
  }

  open(): void {
    const socket = createSocket('udp4');
    this.#socket = socket;
    socket.on('error', (error) => this.#tell(error));
    socket.bind({ port: 0, exclusive: true }, () => {
      void this.#announce(false);
      this.#timer = setInterval(() => void this.#announce(false), intervalMs);
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const socket = this.#socket;
    if (!socket) return;
    await this.#announce(true);
    this.#socket = undefined;
    await closed(socket);
  }

  /** Once more each time, as addresses of this machine change. */
  async #announce(isDeletion: boolean): Promise<void> {
    const socket = this.#socket;
    if (!socket) return;
    try {
      const { session, iface } = this.#context;
      const own = interfaceAddress({ address: siteGroup, iface });
      if (own !== undefined) socket.setMulticastInterface(own);
      socket.setMulticastTTL(timeToLive);
      const ownAddress =
        own ?? lanAddresses().find((address) => !address.includes(':')) ?? '127.0.0.1';
      const isOpenToAll = ['', '0.0.0.0', '::'].includes(session.address);
      const address = isOpenToAll ? ownAddress : session.address;
      const description = writeSessionDescription(
        { ...session, address },
        { sessionId: this.#sessionId, ownAddress },
      );
      const hash = (this.#sessionId ^ session.port) & 0xffff;
      const packet = writeSapPacket({ isDeletion, hash, ownAddress, description });
      const isSiteLocal = /^239\./.test(address) || !isMulticast(address);
      await sent(socket, packet, isSiteLocal ? siteGroup : globalGroup);
      this.#loggedFault = '';
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const reason = messageOf(error);
    if (reason === this.#loggedFault) return;
    this.#loggedFault = reason;
    this.#context.logger.warn('the session cannot be announced', {
      ...this.#context.fields,
      reason,
    });
  }
}

function sent(socket: Socket, packet: Buffer, group: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, sapPort, group, (error) => (error ? reject(error) : resolve()));
  });
}
