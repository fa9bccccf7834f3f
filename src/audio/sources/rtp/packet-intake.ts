import { assert } from '../../../base/errors.ts';
import { arrivingFrameBytes } from '../../int24.ts';
import type { Reception } from '../../reception.ts';
import type { SourceSink } from '../stream-source.ts';
import type { Sender } from './datagram-receiver.ts';
import { JitterBuffer } from './jitter-buffer.ts';
import type { NetworkAddress } from './network-address.ts';
import { PacketWindow } from './packet-window.ts';
import { RawReceiver } from './raw-receiver.ts';
import { RtpReceiver } from './rtp-receiver.ts';
import type { RtpSession } from './session-description.ts';

/** What is kept beyond what is held back for jitter. */
const capacityMs = 2000;
const fadeMs = 10;

type IntakeAddress = Pick<
  NetworkAddress,
  'mode' | 'format' | 'packed24' | 'encoding' | 'payloadType' | 'ssrc' | 'jitterMs'
>;

interface PacketIntakeContext {
  /** Is told why packets are not played, the same sentence for each of them. */
  readonly onRefused: (reason: string) => void;
  readonly onSender: (sender: string) => void;
}

/** Fills the target of the outstanding read from packets, and tells the sink of its source what came of it. */
export class PacketIntake {
  readonly #buffer: JitterBuffer;
  readonly #receiver: RtpReceiver | RawReceiver;
  readonly #frameBytes: number;
  readonly #capacityBytes: number;
  #sink: SourceSink | undefined;
  #target: Uint8Array | undefined;

  constructor(address: IntakeAddress, context: PacketIntakeContext) {
    const { mode, format, packed24, jitterMs } = address;
    const frameBytes = arrivingFrameBytes(format, packed24);
    const sampleBytes = frameBytes / format.channels;
    const capacityFrames = format.framesIn(capacityMs);
    const holdFrames = jitterMs === 0 ? 0 : format.framesIn(jitterMs);
    const window = new PacketWindow();
    this.#frameBytes = frameBytes;
    this.#capacityBytes = capacityFrames * frameBytes;
    this.#buffer = new JitterBuffer(
      {
        frameBytes,
        sampleBytes,
        capacityFrames: capacityFrames + holdFrames,
        holdFrames,
        fadeFrames: format.framesIn(fadeMs),
      },
      (position) => window.settle(position),
    );
    this.#receiver =
      mode === 'raw'
        ? new RawReceiver(this.#buffer, { frameBytes, sampleBytes, ...context })
        : new RtpReceiver(this.#buffer, window, { ...address, ...context });
  }

  get reception(): Reception {
    return this.#receiver.reception;
  }

  /** What has arrived behind the target that was filled last. */
  get backlogBytes(): number {
    return this.#buffer.waitingFrames * this.#frameBytes;
  }

  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  open(sink: SourceSink): void {
    this.#sink = sink;
  }

  close(): void {
    this.#sink = undefined;
    this.#target = undefined;
  }

  read(target: Uint8Array): void {
    assert(this.#target === undefined, 'a source was asked for a chunk while it filled another');
    assert(target.length > 0, 'a source was asked to fill an empty target');
    if (!this.#sink) return;
    this.#target = target;
    this.#serve();
  }

  takePartial(into: Uint8Array): number {
    if (!this.#target) return 0;
    this.#receiver.restart();
    return this.#buffer.takeRest(into);
  }

  accept(datagram: Uint8Array, nowUs: number, sender: Sender): void {
    this.#receiver.accept(datagram, nowUs, sender);
    this.#serve();
  }

  /** Packets of another session come from now on, or none; what is there is still read. */
  turnTo(session: RtpSession | undefined): void {
    if (session && this.#receiver instanceof RtpReceiver) this.#receiver.follow(session);
    else this.#buffer.breakRun();
    this.#serve();
  }

  /** Fills the target if it can be filled by now. */
  #serve(): void {
    const target = this.#target;
    if (!target) return;
    if (this.#buffer.isAtNextRun) {
      this.#buffer.enterNextRun();
      this.#sink?.interrupted('another run of the sender begins');
    }
    if (!this.#buffer.fill(target)) return;
    this.#target = undefined;
    this.#sink?.filled();
  }
}
