import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { NetworkInterfaceInfo } from 'node:os';
import {
  type DnsMessage,
  type DnsRecord,
  decodeMessage,
  encodeMessage,
} from '../../src/discovery/dns.ts';

const group = '224.0.0.251';

/** The loopback interface as if it were a network with neighbours. */
export const loopbackAsNetwork: NetworkInterfaceInfo = {
  address: '127.0.0.1',
  netmask: '255.0.0.0',
  cidr: '127.0.0.1/8',
  family: 'IPv4',
  mac: '02:00:00:00:00:01',
  internal: false,
};

/** Somebody else who speaks multicast DNS on the loopback interface. */
export class MdnsPeer {
  /** All that was heard, but for what it said itself. */
  readonly heard: DnsMessage[] = [];
  /** Is told of each message that is heard. */
  onMessage: (message: DnsMessage) => void = () => {};
  readonly #socket: Socket;
  readonly #port: number;
  readonly #said = new Set<string>();

  static async open(port: number, ownPort = port): Promise<MdnsPeer> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    // Who asks from a port of its own hears only what is sent to it alone.
    socket.bind(ownPort, ownPort === port ? group : '127.0.0.1');
    await once(socket, 'listening');
    if (ownPort === port) socket.addMembership(group, '127.0.0.1');
    socket.setMulticastInterface('127.0.0.1');
    return new MdnsPeer(socket, port);
  }

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on('message', (bytes: Buffer, _from: RemoteInfo) => {
      const message = decodeMessage(bytes);
      if (!message || this.#said.has(bytes.toString('hex'))) return;
      this.heard.push(message);
      this.onMessage(message);
    });
  }

  get responses(): DnsMessage[] {
    return this.heard.filter(({ isResponse }) => isResponse);
  }

  /** Every record that others told. */
  get records(): DnsRecord[] {
    return this.responses.flatMap(({ answers, additionals }) => [...answers, ...additionals]);
  }

  say(message: Partial<DnsMessage>): void {
    this.sayBytes(encodeMessage(message));
  }

  ask(name: string, type: string, known: readonly DnsRecord[] = []): void {
    this.say({ questions: [{ name, type }], answers: known });
  }

  sayBytes(bytes: Buffer): void {
    this.#said.add(bytes.toString('hex'));
    this.#socket.send(bytes, this.#port, group);
  }

  close(): void {
    this.#socket.close();
  }
}
