import { createSocket, type Socket } from 'node:dgram';
import { messageOf } from '../../../base/errors.ts';
import type { LogFields, Logger } from '../../../base/logger.ts';
import { LogLimiter } from '../../../base/time/log-limiter.ts';
import { closed, interfaceAddress } from './datagram-input.ts';
import { readSapPacket, type SapPacket, sapGroups, sapPort } from './sap-packet.ts';
import {
  maxDescriptionBytes,
  type RtpSession,
  readSessionDescription,
} from './session-description.ts';

interface SapListenerContext {
  /** Name or address of the network interface; absent: that of the route. */
  readonly iface?: string | undefined;
  readonly logger: Logger;
  /** What every line of the log says. */
  readonly fields: LogFields;
  /** Whether this is the session that is looked for. */
  readonly isWanted: (session: RtpSession) => boolean;
  /** It was announced, is another one now, or has ended. */
  readonly onSession: (session: RtpSession | undefined) => void;
}

const retryMs = 5000;
/** A session of which nothing was heard for so long is over, or for ten of its intervals. Source: RFC 2974, 4. */
const forgottenMs = 300_000;
const forgottenIntervals = 10;
const lookMs = 10_000;
/** Descriptions are read one after another; a flood of them is not. */
const maxWaiting = 16;
/** Sessions that are named in the log because they were not the right one. */
const maxNamed = 32;

/** Waits for the announcement of one session and follows what becomes of it. Source: RFC 2974. */
export class SapListener {
  readonly #context: SapListenerContext;
  readonly #limiter = new LogLimiter();
  readonly #named = new Set<string>();
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #chosen:
    | { readonly key: string; readonly text: string; heardMs: number; intervalMs: number }
    | undefined;
  #waiting = 0;
  #isClosed = false;

  constructor(context: SapListenerContext) {
    this.#context = context;
  }

  open(): void {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#socket = socket;
    socket.on('message', (datagram) => this.#take(datagram));
    socket.on('error', (error) => this.#retry(socket, error));
    socket.bind({ port: sapPort, exclusive: true }, () => {
      if (this.#socket !== socket) return;
      try {
        const { iface } = this.#context;
        const at = interfaceAddress({ address: sapGroups[0], iface });
        for (const group of sapGroups) socket.addMembership(group, at);
        this.#timer = setInterval(() => this.#forget(), lookMs);
      } catch (error) {
        this.#retry(socket, error);
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await closed(socket);
  }

  #retry(socket: Socket, error: unknown): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    clearTimeout(this.#timer);
    void closed(socket);
    if (this.#limiter.allows()) {
      const fields = { ...this.#context.fields, reason: messageOf(error), retryMs };
      this.#context.logger.warn('announcements of sessions cannot be heard', fields);
    }
    this.#timer = setTimeout(() => this.open(), retryMs);
  }

  #take(datagram: Buffer): void {
    const packet = readSapPacket(datagram);
    if (!packet || this.#waiting >= maxWaiting) return;
    const key = `${packet.origin} ${packet.hash}`;
    const chosen = this.#chosen;
    if (packet.isDeletion) {
      if (chosen?.key === key) this.#choose(undefined);
    } else if (chosen?.key === key && chosen.text === packet.description) {
      const nowMs = performance.now();
      chosen.intervalMs = nowMs - chosen.heardMs;
      chosen.heardMs = nowMs;
    } else if (packet.description.length <= maxDescriptionBytes) {
      this.#waiting += 1;
      void this.#read(key, packet).finally(() => {
        this.#waiting -= 1;
      });
    }
  }

  async #read(key: string, { description: text }: SapPacket): Promise<void> {
    let session: RtpSession;
    try {
      session = await readSessionDescription(text);
    } catch (error) {
      this.#context.logger.debug('announcement of a session not read', {
        ...this.#context.fields,
        reason: messageOf(error),
      });
      return;
    }
    if (this.#isClosed) return;
    if (!this.#context.isWanted(session)) {
      this.#name(session);
      return;
    }
    // Another announcement of it has another hash; another sender has to wait for the end of this one.
    const chosen = this.#chosen;
    if (chosen && chosen.key.split(' ', 1)[0] !== key.split(' ', 1)[0]) return;
    this.#chosen = { key, text, heardMs: performance.now(), intervalMs: 0 };
    this.#context.onSession(session);
  }

  #name({ name, address, port }: RtpSession): void {
    if (this.#named.has(name) || this.#named.size >= maxNamed) return;
    this.#named.add(name);
    const fields = { ...this.#context.fields, session: name, address, port };
    this.#context.logger.info('another session is announced', fields);
  }

  #choose(chosen: undefined): void {
    this.#chosen = chosen;
    this.#context.onSession(undefined);
  }

  #forget(): void {
    const chosen = this.#chosen;
    if (!chosen) return;
    const patienceMs = Math.max(forgottenMs, forgottenIntervals * chosen.intervalMs);
    if (performance.now() - chosen.heardMs > patienceMs) this.#choose(undefined);
  }
}
