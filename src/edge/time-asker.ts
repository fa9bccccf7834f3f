import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../base/clock.ts';
import type { ClockExchange } from './clock-discipline.ts';
import { decodeTimeAnswer, encodeTimeQuestion } from './time-datagram.ts';

const firstQuestions = 20;
const firstIntervalMs = 50;
const intervalMs = 1000;
/** So that edges do not ask in step. */
const intervalSpread = 0.2;
/** With so many in a row unanswered the way by UDP is closed; now and then it is tried all the same. */
const maxUnanswered = 4;
const retryEvery = 10;
/** Answers that come later than that tell nothing. */
const maxOpenQuestions = 16;

interface TimePlace {
  readonly address: string;
  readonly port: number;
  /** As hex. */
  readonly key: string;
}

interface TimeAskerOptions {
  /** That of this machine. */
  readonly clock: Clock;
  /** Asks by a message, where UDP does not pass. */
  readonly askByMessage: () => void;
  readonly onExchange: (exchange: ClockExchange) => void;
}

/** Asks an origin for the time: by UDP where that passes, 20 times at first and then once per second. */
export class TimeAsker {
  readonly #options: TimeAskerOptions;
  readonly #open = new Map<number, number>();
  #socket: Socket | undefined;
  #place: TimePlace | undefined;
  #key = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  #number = 0;
  #unanswered = 0;

  constructor(options: TimeAskerOptions) {
    this.#options = options;
  }

  /** Answers come by UDP. */
  get isByUdp(): boolean {
    return this.#place !== undefined && this.#unanswered < maxUnanswered;
  }

  /** Begins to ask, as often as at first; where nothing is told by UDP, by messages alone. */
  start(place: TimePlace | undefined): void {
    this.stop();
    this.#asked = 0;
    this.#unanswered = 0;
    this.#place = place;
    if (place) {
      this.#key = Buffer.from(place.key, 'hex');
      const socket = createSocket(place.address.includes(':') ? 'udp6' : 'udp4');
      socket.on('message', (datagram) => this.#take(datagram));
      // A port that is closed says so: it counts as no answer.
      socket.on('error', () => undefined);
      this.#socket = socket;
    }
    this.#ask();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
    this.#open.clear();
  }

  #ask(): void {
    this.#asked += 1;
    if (this.#socket && (this.isByUdp || this.#asked % retryEvery === 0)) this.#askByUdp();
    if (!this.isByUdp) this.#options.askByMessage();
    const spread = 1 + intervalSpread * (Math.random() - 0.5);
    const pauseMs = this.#asked < firstQuestions ? firstIntervalMs : intervalMs * spread;
    this.#timer = setTimeout(() => this.#ask(), pauseMs);
  }

  #askByUdp(): void {
    const { address, port } = this.#place!;
    this.#number = (this.#number + 1) >>> 0;
    this.#unanswered += 1;
    for (const number of this.#open.keys()) {
      if (this.#open.size < maxOpenQuestions) break;
      this.#open.delete(number);
    }
    const question = encodeTimeQuestion({ number: this.#number, key: this.#key });
    this.#open.set(this.#number, this.#options.clock.nowUs());
    this.#socket?.send(question, port, address, () => undefined);
  }

  #take(datagram: Buffer): void {
    const arrivedUs = this.#options.clock.nowUs();
    const answer = decodeTimeAnswer(datagram, this.#key);
    const askedUs = answer && this.#open.get(answer.number);
    if (askedUs === undefined) return;
    this.#open.delete(answer!.number);
    this.#unanswered = 0;
    const { receivedUs, answeredUs } = answer!;
    this.#options.onExchange({ askedUs, receivedUs, answeredUs, arrivedUs });
  }
}
