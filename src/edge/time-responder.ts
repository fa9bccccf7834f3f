import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Clock } from '../base/clock.ts';
import { decodeTimeQuestion, encodeTimeAnswer, timeKeyBytes } from './time-datagram.ts';

interface TimeResponderOptions {
  /** 0: one that is free. */
  readonly port: number;
  readonly addresses: readonly string[];
  readonly clock: Clock;
}

/** Tells edges the time by UDP, as answers by TCP wait behind audio. It is silent to who knows not the key. */
export class TimeResponder {
  readonly #key = randomBytes(timeKeyBytes);
  readonly #sockets: readonly Socket[];

  /** Failure: rejects when an address cannot be bound. */
  static async open({ port, addresses, clock }: TimeResponderOptions): Promise<TimeResponder> {
    const sockets: Socket[] = [];
    let chosen = port;
    try {
      for (const address of addresses) {
        const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
        sockets.push(socket);
        socket.bind({ address, port: chosen, exclusive: true });
        await once(socket, 'listening');
        chosen = socket.address().port;
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return new TimeResponder(sockets, clock);
  }

  private constructor(sockets: readonly Socket[], clock: Clock) {
    this.#sockets = sockets;
    for (const socket of sockets) {
      // What cannot be sent is asked for again.
      socket.on('error', () => undefined);
      socket.unref();
      socket.on('message', (datagram, { address, port }) => {
        const receivedUs = clock.nowUs();
        const question = decodeTimeQuestion(datagram, this.#key);
        if (!question) return;
        const answer = { ...question, receivedUs, answeredUs: clock.nowUs() };
        socket.send(encodeTimeAnswer(answer), port, address);
      });
    }
  }

  get facts(): { readonly port: number; readonly key: string } {
    const { port = 0 } = this.#sockets[0]?.address() ?? {};
    return { port, key: this.#key.toString('hex') };
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}
