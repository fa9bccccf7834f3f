import type { Reception } from '../../reception.ts';
import type { SampleFormat } from '../../sample-format.ts';
import { addressText } from '../tcp-address.ts';
import { type DatagramReceiver, type Sender, SenderChoice } from './datagram-receiver.ts';
import type { JitterBuffer, PacketAudio } from './jitter-buffer.ts';
import { type PacketWindow, windowPackets } from './packet-window.ts';
import { emptyRtpPacket, type RtpPacket, readRtpPacket } from './rtp-packet.ts';
import { encodedSampleBytes, type RtpEncoding, unpackingOf } from './sample-unpacking.ts';
import type { RtpSession } from './session-description.ts';

export interface RtpReceiverOptions {
  readonly format: SampleFormat;
  readonly encoding: RtpEncoding;
  /** Absent: that of the first packet which can be played. */
  readonly payloadType?: number | undefined;
  /** Absent: one sender at a time. */
  readonly ssrc?: number | undefined;
  /** Is told why packets are not played, the same sentence for each of them. */
  readonly onRefused: (reason: string) => void;
  readonly onSender: (sender: string) => void;
}

/** What lies farther from its run is of another one. */
const jumpMs = 1000;
/** Sequence numbers have 16 bits. */
const sequenceRange = 0x1_0000;
/** Control packets that share the port look like these types. Source: RFC 5761, 4. */
const firstControlType = 72;
const lastControlType = 76;
const firstDynamicType = 96;
/** Source: RFC 3551, table 4. */
const staticTypes: ReadonlyMap<number, string> = new Map([
  [10, '44100:16:2'],
  [11, '44100:16:1'],
]);

/** Puts the audio of RTP packets where their timestamps say. */
export class RtpReceiver implements DatagramReceiver {
  readonly #options: RtpReceiverOptions;
  readonly #buffer: JitterBuffer;
  readonly #window: PacketWindow;
  #senders: SenderChoice<number>;
  readonly #packet: RtpPacket = emptyRtpPacket();
  #encoding: RtpEncoding;
  #payloadType: number | undefined;
  readonly #audio: PacketAudio;
  readonly #jumpFrames: number;
  #isRunning = false;
  /** The newest packet ends at this timestamp, which is this position. */
  #endTimestamp = 0;
  #endPosition = 0;
  /** What would follow a packet that lies far away: only a second one proves another run. */
  #farSequence = -1;
  #farTimestamp = -1;
  #packets = 0;
  #latePackets = 0;
  #duplicatePackets = 0;
  #ignoredPackets = 0;
  #transitUs = 0;
  #jitterUs = 0;

  /** `window` counts what the buffer has given up. */
  constructor(buffer: JitterBuffer, window: PacketWindow, options: RtpReceiverOptions) {
    const { format, encoding, ssrc, payloadType } = options;
    this.#encoding = encoding;
    this.#payloadType = payloadType;
    this.#options = options;
    this.#buffer = buffer;
    this.#window = window;
    this.#senders = new SenderChoice(ssrc);
    this.#jumpFrames = format.framesIn(jumpMs);
    this.#audio = {
      bytes: new Uint8Array(),
      at: 0,
      frames: 0,
      frameBytes: encodedSampleBytes[encoding] * format.channels,
      unpack: unpackingOf(encoding, format.bits === 16 ? 16 : 24),
    };
  }

  get reception(): Reception {
    return {
      packets: this.#packets,
      lostPackets: this.#window.lostPackets,
      latePackets: this.#latePackets,
      duplicatePackets: this.#duplicatePackets,
      ignoredPackets: this.#ignoredPackets,
      concealedMs: this.#options.format.durationUs(this.#buffer.concealedFrames) / 1000,
      jitterMs: this.#jitterUs / 1000,
    };
  }

  restart(): void {
    this.#window.settle();
    this.#isRunning = false;
  }

  /** Another session is received from now on. */
  follow({ encoding, payloadType }: Pick<RtpSession, 'encoding' | 'payloadType'>): void {
    const { format, ssrc } = this.#options;
    this.#encoding = encoding;
    this.#payloadType = payloadType;
    this.#audio.frameBytes = encodedSampleBytes[encoding] * format.channels;
    this.#audio.unpack = unpackingOf(encoding, format.bits === 16 ? 16 : 24);
    this.#senders = new SenderChoice(ssrc);
    this.#breakRun();
  }

  accept(datagram: Uint8Array, nowUs: number, sender: Sender): void {
    const packet = this.#packet;
    if (!readRtpPacket(datagram, packet) || !this.#isOfKnownType(packet.payloadType)) {
      this.#ignoredPackets += 1;
      return;
    }
    const payloadBytes = packet.payloadEnd - packet.payloadStart;
    const audio = this.#audio;
    audio.bytes = datagram;
    audio.at = packet.payloadStart;
    audio.frames = payloadBytes / audio.frameBytes;
    if (!Number.isInteger(audio.frames)) {
      const { format } = this.#options;
      const expected = `${this.#encoding} of ${format.channels} channels`;
      this.#refuse(
        `its packets of ${payloadBytes} bytes are not ${expected}: see encoding and sampleformat`,
      );
      return;
    }
    const judged = this.#senders.judge(packet.ssrc, nowUs);
    if (judged === 'other') {
      this.#refuse(`another one sends, too, and only one is played: ${addressOf(sender)} is not`);
      return;
    }
    if (judged === 'next') this.#turnTo(sender);
    this.#packets += 1;
    if (audio.frames > 0) this.#place(nowUs);
  }

  #isOfKnownType(type: number): boolean {
    const { format, onRefused } = this.#options;
    const payloadType = this.#payloadType;
    if (type === payloadType) return true;
    if (type >= firstControlType && type <= lastControlType) return false;
    const text = staticTypes.get(type);
    if (payloadType !== undefined) onRefused(`the payload type is ${type} and not ${payloadType}`);
    else if (text !== undefined && text !== `${format}`) {
      onRefused(`it sends ${text}: write sampleformat=${text}`);
    } else if (text === undefined && type < firstDynamicType) {
      onRefused(`payload type ${type} is neither L16 nor L24: choose one of them at the sender`);
    } else return true;
    return false;
  }

  #refuse(reason: string): void {
    this.#ignoredPackets += 1;
    this.#options.onRefused(reason);
  }

  #turnTo(sender: Sender): void {
    this.#options.onSender(addressOf(sender));
    this.#breakRun();
  }

  #breakRun(): void {
    if (this.#isRunning) this.#buffer.breakRun();
    this.#isRunning = false;
  }

  #place(nowUs: number): void {
    const { sequence, timestamp } = this.#packet;
    if (!this.#isRunning) this.#begin(sequence, timestamp);
    const ahead = signed16(sequence - this.#window.newest);
    const aheadFrames = (timestamp - this.#endTimestamp) | 0;
    if (Math.abs(ahead) >= windowPackets || Math.abs(aheadFrames) > this.#jumpFrames) {
      this.#noteFar(nowUs);
      return;
    }
    this.#farSequence = -1;
    const number = this.#window.newest + ahead;
    if (ahead <= 0 && this.#window.has(number)) {
      this.#duplicatePackets += 1;
      return;
    }
    // A sender that was silent leaves out time, but no number.
    if (ahead === 1 && aheadFrames > 0) this.#buffer.writeSilence(this.#endPosition, aheadFrames);
    const position = this.#endPosition + aheadFrames;
    const { frames } = this.#audio;
    const placement = this.#buffer.write(position, this.#audio);
    if (placement === 'late') this.#latePackets += 1;
    else if (placement === 'duplicate') this.#duplicatePackets += 1;
    if (placement !== 'full') this.#window.add(number, position);
    this.#noteJitter(nowUs, position);
    if (aheadFrames + frames <= 0) return;
    this.#endTimestamp = timestamp + frames;
    this.#endPosition = position + frames;
  }

  #begin(sequence: number, timestamp: number): void {
    this.#isRunning = true;
    const rounds = Math.floor(Math.max(0, this.#window.newest) / sequenceRange) + 2;
    this.#window.restart(rounds * sequenceRange + sequence);
    this.#endTimestamp = timestamp;
    this.#endPosition = this.#buffer.endPosition;
    this.#transitUs = Number.NaN;
  }

  /** Two in a row that lie elsewhere are the beginning of another run; one was late, or is hostile. */
  #noteFar(nowUs: number): void {
    const { sequence, timestamp } = this.#packet;
    const isProven = sequence === this.#farSequence && timestamp === this.#farTimestamp;
    this.#farSequence = (sequence + 1) % sequenceRange;
    this.#farTimestamp = (timestamp + this.#audio.frames) % 2 ** 32;
    if (!isProven) return;
    this.#breakRun();
    this.#place(nowUs);
  }

  #noteJitter(nowUs: number, position: number): void {
    const transitUs = nowUs - this.#options.format.durationUs(position);
    const differenceUs = Math.abs(transitUs - this.#transitUs);
    this.#transitUs = transitUs;
    if (!Number.isNaN(differenceUs)) this.#jitterUs += (differenceUs - this.#jitterUs) / 16;
  }
}

function addressOf({ address, port }: Sender): string {
  return addressText({ hostname: address, port });
}

function signed16(difference: number): number {
  return (difference << 16) >> 16;
}
