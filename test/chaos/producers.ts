import { createSocket } from 'node:dgram';
import { closeSync, constants, openSync, write } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Random } from '../support/random.ts';
import { RtpSender } from '../support/rtp-packets.ts';
import { frameBytes, Pattern } from './pattern.ts';
import type { Places } from './places.ts';

const periodMs = 50;

export const producerNames = ['pipe', 'net', 'packets'] as const;
type ProducerName = (typeof producerNames)[number];

interface ProducerRates {
  readonly pipeRateHz: number;
  readonly netRateHz: number;
  readonly packetRateHz: number;
}

/**
 * Programs that feed the fifo, the TCP and the RTP source, and behave as badly as they are told.
 *
 * Each writes at real time unless it vanishes; what is not taken is dropped here.
 */
export class Producers {
  readonly #pipe: Producer;
  readonly #net: Producer;
  readonly #packets: Producer;
  readonly #network = new LossyNetwork();

  constructor(
    { fifo, producerPort, packetPort }: Places,
    { pipeRateHz, netRateHz, packetRateHz }: ProducerRates,
  ) {
    this.#pipe = new Producer(pipeRateHz, () => openFifo(fifo));
    this.#net = new Producer(netRateHz, () => openSocket(producerPort));
    this.#packets = new Producer(packetRateHz, () => this.#network.open(packetPort));
  }

  start(): void {
    for (const producer of this.#all) producer.appear();
  }

  named(name: ProducerName): Producer {
    return { pipe: this.#pipe, net: this.#net, packets: this.#packets }[name];
  }

  /** From now on packets are lost, doubled and swapped, each with this probability; 0: none. */
  losePackets(random: Random, share: number): void {
    this.#network.random = random;
    this.#network.share = share;
  }

  get #all(): readonly Producer[] {
    return [this.#pipe, this.#net, this.#packets];
  }

  stop(): void {
    for (const producer of this.#all) producer.vanish();
  }
}

/** Where a producer writes. What it cannot take at the moment is lost. */
interface Outlet {
  write(bytes: Buffer): void;
  close(): void;
}

class Producer {
  readonly #pattern: Pattern;
  readonly #rateHz: number;
  readonly #open: () => Outlet;
  #outlet: Outlet | undefined;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;
  #startMs = 0;
  #sentFrames = 0;

  constructor(rateHz: number, open: () => Outlet) {
    this.#rateHz = rateHz;
    this.#pattern = new Pattern(rateHz);
    this.#open = open;
  }

  /** Connects anew; an older connection of the same producer is left open until `vanish`. */
  appear(): void {
    this.vanish();
    this.#outlet = this.#open();
    this.#startMs = performance.now();
    this.#sentFrames = 0;
    this.#timer = setInterval(() => this.#feed(), periodMs);
  }

  vanish(): void {
    clearInterval(this.#timer);
    this.#outlet?.close();
    this.#outlet = undefined;
  }

  /** Bytes that are no whole frame, so that all later ones are out of place. */
  writeOdd(bytes: Buffer): void {
    this.#outlet?.write(bytes);
  }

  /** Much more than real time wants. */
  burst(frames: number): void {
    for (let left = frames; left > 0; left -= 4000) this.#send(Math.min(left, 4000));
  }

  #feed(): void {
    const dueFrames = Math.floor(((performance.now() - this.#startMs) * this.#rateHz) / 1000);
    this.#send(Math.min(dueFrames - this.#sentFrames, 4 * this.#rateHz * (periodMs / 1000)));
    this.#sentFrames = dueFrames;
  }

  #send(frames: number): void {
    const whole = Math.floor(frames);
    this.#outlet?.write(this.#pattern.piece(this.#frame, whole));
    this.#frame = this.#pattern.after(this.#frame, whole);
  }
}

const packetFrames = 80;

/** Carries RTP from a new sender each time it is opened. */
class LossyNetwork {
  random: Random | undefined;
  share = 0;
  #senders = 0;

  open(port: number): Outlet {
    const socket = createSocket('udp4');
    // While the stream is away, packets are refused.
    socket.on('error', () => {});
    this.#senders += 1;
    const sender = new RtpSender({ ssrc: this.#senders });
    const send = (packet: Buffer) => socket.send(packet, port, '127.0.0.1');
    let held: Buffer | undefined;
    return {
      write: (bytes) => {
        for (const packet of sender.packets(bytes, packetFrames)) {
          const before = held;
          held = undefined;
          if (this.#strikes()) continue;
          if (!before && this.#strikes()) held = packet;
          else send(packet);
          if (this.#strikes()) send(packet);
          if (before) send(before);
        }
      },
      close: () => socket.close(),
    };
  }

  #strikes(): boolean {
    return this.random?.chance(this.share) ?? false;
  }
}

/** A fifo that nobody reads is tried again. */
function openFifo(path: string): Outlet {
  let fd: number | undefined;
  let isBusy = false;
  let isClosed = false;
  const end = () => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write(bytes) {
      if (isBusy || bytes.length === 0) return;
      fd ??= tryOpen(path);
      if (fd === undefined) return;
      isBusy = true;
      write(fd, bytes, (error) => {
        isBusy = false;
        if (isClosed || (error && error.code !== 'EAGAIN')) end();
      });
    },
    close() {
      isClosed = true;
      if (!isBusy) end();
    },
  };
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

const maxQueuedBytes = 64 * 1024;

function openSocket(port: number): Outlet {
  const begin = (): Socket => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    // What the server says to a producer is nothing.
    return socket.resume();
  };
  let socket = begin();
  return {
    write(bytes) {
      if (socket.destroyed) socket = begin();
      if (bytes.length > 0 && socket.writableLength < maxQueuedBytes) socket.write(bytes);
    },
    close: () => void socket.destroy(),
  };
}

export const oddBytes = (count: number) => Buffer.alloc(count - (count % frameBytes) + 1, 0x55);
