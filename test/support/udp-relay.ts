import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Random } from './random.ts';

/** What a relay does to packets, each as a probability. */
export interface RelayFaults {
  readonly drop?: number;
  readonly duplicate?: number;
  /** Is sent behind the one that follows it. */
  readonly swap?: number;
}

/** A bad network between a sender and a receiver on this machine, the same for the same seed. */
export class UdpRelay {
  /** Where the sender sends to. */
  readonly port: number;
  dropped = 0;
  passed = 0;
  readonly #socket: Socket;
  readonly #random: Random;
  readonly #targetPort: number;
  #faults: RelayFaults = {};
  #held: Buffer | undefined;

  static async open(targetPort: number, seed = 1): Promise<UdpRelay> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new UdpRelay(socket, targetPort, seed);
  }

  private constructor(socket: Socket, targetPort: number, seed: number) {
    this.#socket = socket;
    this.#targetPort = targetPort;
    this.#random = new Random(seed);
    this.port = socket.address().port;
    socket.on('message', (datagram) => this.#pass(datagram));
  }

  misbehave(faults: RelayFaults): void {
    this.#faults = faults;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  #pass(datagram: Buffer): void {
    const { drop = 0, duplicate = 0, swap = 0 } = this.#faults;
    const held = this.#held;
    this.#held = undefined;
    if (this.#random.chance(drop)) this.dropped += 1;
    else if (!held && this.#random.chance(swap)) this.#held = datagram;
    else {
      this.#send(datagram);
      if (this.#random.chance(duplicate)) this.#send(datagram);
    }
    if (held) this.#send(held);
  }

  #send(datagram: Buffer): void {
    this.passed += 1;
    this.#socket.send(datagram, this.#targetPort, '127.0.0.1');
  }
}
