import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { sapPort, writeSapPacket } from '../../src/audio/sources/rtp/sap-packet.ts';
import { writeSessionDescription } from '../../src/audio/sources/rtp/session-description.ts';

const ownAddress = '127.0.0.1';
const siteGroup = '239.255.255.255';

export interface AnnouncedSession {
  readonly name: string;
  readonly port: number;
  readonly address?: string;
  readonly encoding?: 'L16' | 'L24';
  readonly rateHz?: number;
  readonly hash?: number;
}

/** Announces a session of two channels by SAP, on the loopback device alone. */
export class LoopbackAnnouncer {
  readonly #socket: Socket = createSocket('udp4');
  readonly #session: AnnouncedSession;
  #isBound = false;

  constructor(session: AnnouncedSession) {
    this.#session = session;
  }

  async announce({ isDeletion = false } = {}): Promise<void> {
    const { hash = 1, address = ownAddress, encoding = 'L16', rateHz = 48_000 } = this.#session;
    const stream = { ...this.#session, address, encoding, rateHz, payloadType: 98, channels: 2 };
    const description = writeSessionDescription(stream, { sessionId: hash, ownAddress });
    await this.send(writeSapPacket({ isDeletion, hash, ownAddress, description }));
  }

  async send(packet: Buffer): Promise<void> {
    if (!this.#isBound) {
      this.#socket.bind(0, ownAddress);
      await once(this.#socket, 'listening');
      this.#socket.setMulticastInterface(ownAddress);
      this.#isBound = true;
    }
    await new Promise<void>((resolve) =>
      this.#socket.send(packet, sapPort, siteGroup, () => resolve()),
    );
  }

  close(): void {
    this.#socket.close();
  }
}
