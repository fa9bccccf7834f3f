import type { Reception } from '../../reception.ts';
import { addressText } from '../tcp-address.ts';
import { type DatagramReceiver, type Sender, SenderChoice } from './datagram-receiver.ts';
import type { JitterBuffer, PacketAudio } from './jitter-buffer.ts';
import type { UnpackSamples } from './sample-unpacking.ts';

interface RawReceiverOptions {
  /** As they arrive. */
  readonly frameBytes: number;
  readonly sampleBytes: number;
  readonly onRefused: (reason: string) => void;
  readonly onSender: (sender: string) => void;
}

const copySamples =
  (sampleBytes: number): UnpackSamples =>
  ({ bytes, at }, into, samples) => {
    into.bytes.set(bytes.subarray(at, at + samples * sampleBytes), into.at);
  };

/** Strings the audio of datagrams together that hold nothing else: what is lost is not noticed. */
export class RawReceiver implements DatagramReceiver {
  readonly #options: RawReceiverOptions;
  readonly #buffer: JitterBuffer;
  readonly #senders = new SenderChoice<string>();
  readonly #audio: PacketAudio;
  #packets = 0;
  #ignoredPackets = 0;

  constructor(buffer: JitterBuffer, options: RawReceiverOptions) {
    this.#options = options;
    this.#buffer = buffer;
    const { frameBytes, sampleBytes } = options;
    const unpack = copySamples(sampleBytes);
    this.#audio = { bytes: new Uint8Array(), at: 0, frames: 0, frameBytes, unpack };
  }

  get reception(): Reception {
    return {
      packets: this.#packets,
      lostPackets: 0,
      latePackets: 0,
      duplicatePackets: 0,
      ignoredPackets: this.#ignoredPackets,
      concealedMs: 0,
      jitterMs: 0,
    };
  }

  restart(): void {
    // Each datagram goes behind the one before it, whatever that was.
  }

  accept(datagram: Uint8Array, nowUs: number, sender: Sender): void {
    const { frameBytes, onRefused, onSender } = this.#options;
    const from = addressText({ hostname: sender.address, port: sender.port });
    const judged = this.#senders.judge(from, nowUs);
    if (judged === 'other') {
      this.#ignoredPackets += 1;
      onRefused(`another one sends, too, and only one is played: ${from} is not`);
      return;
    }
    if (judged === 'next') {
      onSender(from);
      this.#buffer.breakRun();
    }
    this.#packets += 1;
    const audio = this.#audio;
    audio.bytes = datagram;
    audio.frames = Math.floor(datagram.length / frameBytes);
    // The rest of a cut frame would put all that follows a lost datagram out of step.
    if (datagram.length % frameBytes !== 0) {
      onRefused(`its datagrams of ${datagram.length} bytes end within a frame of ${frameBytes}`);
    }
    if (audio.frames === 0) return;
    const placement = this.#buffer.write(this.#buffer.endPosition, audio);
    if (placement === 'full') this.#ignoredPackets += 1;
  }
}
