import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { codeOf, type SourceError } from '../../../base/errors.ts';
import type { LogFields, Logger } from '../../../base/logger.ts';
import { listenFault } from '../listen-fault.ts';
import { addressText } from '../tcp-address.ts';
import { isMulticast } from './session-description.ts';

export interface DatagramPlace {
  /** A group, an address of this machine, or empty for every IPv4 address. */
  readonly address: string;
  readonly port: number;
  /** Who sends; absent: anyone. */
  readonly source?: string | undefined;
  /** Name or address of the network interface of a group; absent: the one of the route. */
  readonly iface?: string | undefined;
}

interface DatagramInputContext {
  readonly logger: Logger;
  /** What every line of the log says. */
  readonly fields: LogFields;
  readonly onDatagram: (datagram: Buffer, sender: { address: string; port: number }) => void;
  readonly onFailure: (error: SourceError) => void;
}

/** What the kernel keeps while this server is busy, if it lets us. */
const receiveBufferBytes = 1_048_576;
const retryMs = 1000;
/** The network may come later than this server. */
const passing = new Set(['ENODEV', 'EADDRNOTAVAIL', 'ENETUNREACH', 'ENETDOWN']);

/** A socket that datagrams come to, also as a member of a group. */
export class DatagramInput {
  readonly #place: DatagramPlace;
  readonly #context: DatagramInputContext;
  readonly #isGroup: boolean;
  #socket: Socket | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #loggedFault = '';

  constructor(place: DatagramPlace, context: DatagramInputContext) {
    this.#place = place;
    this.#context = context;
    this.#isGroup = isMulticast(place.address);
  }

  get isGroup(): boolean {
    return this.#isGroup;
  }

  open(): void {
    const { address, port, source } = this.#place;
    const type = isIPv6(address) ? 'udp6' : 'udp4';
    // A group has many members, also on one machine.
    const socket = createSocket({ type, reuseAddr: this.#isGroup });
    this.#socket = socket;
    const { onDatagram } = this.#context;
    socket.on('message', (datagram, sender) => {
      if (source === undefined || sender.address === source) onDatagram(datagram, sender);
    });
    socket.on('error', (error) => this.#fail(socket, error));
    socket.bind({ port, address: address || '0.0.0.0', exclusive: true }, () => {
      // It was closed meanwhile.
      if (this.#socket !== socket) return;
      try {
        widen(socket);
        if (this.#isGroup) this.#join(socket);
      } catch (error) {
        this.#fail(socket, error as NodeJS.ErrnoException);
        return;
      }
      this.#loggedFault = '';
      const bound = socket.address();
      const at = addressText({ hostname: bound.address, port: bound.port });
      this.#context.logger.info('waiting for a sender', { ...this.#context.fields, address: at });
    });
  }

  /** Tells the switches once more that a group is wanted: some forget it. */
  joinAgain(): void {
    const socket = this.#socket;
    if (!socket || !this.#isGroup) return;
    try {
      this.#leave(socket);
    } catch {
      // The interface has gone, and with it the membership.
    }
    try {
      this.#join(socket);
    } catch (error) {
      this.#fail(socket, error as NodeJS.ErrnoException);
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await closed(socket);
  }

  #join(socket: Socket): void {
    const { address, source } = this.#place;
    const at = interfaceAddress(this.#place);
    if (source === undefined) socket.addMembership(address, at);
    else socket.addSourceSpecificMembership(source, address, at);
  }

  #leave(socket: Socket): void {
    const { address, source } = this.#place;
    const at = interfaceAddress(this.#place);
    if (source === undefined) socket.dropMembership(address, at);
    else socket.dropSourceSpecificMembership(source, address, at);
  }

  #fail(socket: Socket, error: NodeJS.ErrnoException): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    void closed(socket);
    const { address, port } = this.#place;
    const where = addressText({ hostname: address, port });
    if (!this.#isGroup || !passing.has(codeOf(error))) {
      this.#context.onFailure(listenFault(where, error));
      return;
    }
    if (error.message !== this.#loggedFault) {
      const fields = { ...this.#context.fields, group: where, reason: error.message, retryMs };
      this.#context.logger.warn('the group cannot be joined yet', fields);
    }
    this.#loggedFault = error.message;
    this.#retryTimer = setTimeout(() => this.open(), retryMs);
  }
}

export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(resolve);
    } catch {
      resolve();
    }
  });
}

/** Best effort: how much is allowed is a setting of the kernel. */
function widen(socket: Socket): void {
  try {
    socket.setRecvBufferSize(receiveBufferBytes);
  } catch {
    // It stays what it was.
  }
}

/** As Node wants it: an address for IPv4, a scope for IPv6. */
export function interfaceAddress({
  address,
  iface,
}: Pick<DatagramPlace, 'address' | 'iface'>): string | undefined {
  if (iface === undefined) return undefined;
  const addresses = networkInterfaces()[iface];
  if (isIPv6(address)) return `::%${iface}`;
  const own = addresses?.find(({ family }) => family === 'IPv4')?.address;
  if (addresses && own === undefined) {
    throw Object.assign(new Error(`${iface} has no IPv4 address`), { code: 'ENODEV' });
  }
  if (own === undefined && !/^[\d.]+$/.test(iface)) {
    throw Object.assign(new Error(`there is no network interface ${iface}`), { code: 'ENODEV' });
  }
  return own ?? iface;
}
