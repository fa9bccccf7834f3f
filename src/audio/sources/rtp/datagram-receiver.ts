import type { Reception } from '../../reception.ts';

export interface Sender {
  readonly address: string;
  readonly port: number;
}

/** Understands the datagrams of one kind of sender and puts their audio into a jitter buffer. */
export interface DatagramReceiver {
  readonly reception: Reception;
  /** Ownership: `datagram` is the caller's again when this returns. */
  accept(datagram: Uint8Array, nowUs: number, sender: Sender): void;
  /** What waited was forgotten: the next packet begins a run. */
  restart(): void;
}

/** A sender is followed by another one when it was silent for so long. */
const takeoverMs = 2000;

/** One sender at a time, by what tells them apart. */
export class SenderChoice<Key extends string | number> {
  #key: Key | undefined;
  #heardUs = Number.NEGATIVE_INFINITY;

  constructor(only?: Key) {
    this.#key = only;
    if (only !== undefined) this.#heardUs = Number.POSITIVE_INFINITY;
  }

  /** Whether a packet is from the sender that is listened to now, from one who follows it, or neither. */
  judge(key: Key, nowUs: number): 'same' | 'next' | 'other' {
    const isSame = key === this.#key;
    if (!isSame && nowUs - this.#heardUs < takeoverMs * 1000) return 'other';
    this.#key = key;
    this.#heardUs = Math.max(this.#heardUs, nowUs);
    return isSame ? 'same' : 'next';
  }
}
