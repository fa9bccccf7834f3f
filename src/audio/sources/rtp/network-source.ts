import { monotonicClock } from '../../../base/clock.ts';
import { assert, type SourceError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { LogLimiter } from '../../../base/time/log-limiter.ts';
import { arrivingFrameBytes } from '../../int24.ts';
import type { Reception } from '../../reception.ts';
import type { SampleFormat } from '../../sample-format.ts';
import type { SourceContext, SourceSink, StreamSource } from '../stream-source.ts';
import { DatagramInput, type DatagramPlace } from './datagram-input.ts';
import type { DatagramReceiver } from './datagram-receiver.ts';
import { JitterBuffer } from './jitter-buffer.ts';
import { misfitOf, type NetworkAddress, placeOf, readNetworkAddress } from './network-address.ts';
import { PacketWindow } from './packet-window.ts';
import { RawReceiver } from './raw-receiver.ts';
import { RtpReceiver } from './rtp-receiver.ts';
import { SapAnnouncer } from './sap-announcer.ts';
import { SapListener } from './sap-listener.ts';
import type { RtpSession } from './session-description.ts';

/** What is kept beyond what is held back for jitter. */
const capacityMs = 2000;
const fadeMs = 10;
/** Nothing has come for so long: the log says so, and a group is joined again. */
const silenceMs = 5000;
const dynamicType = 97;

/** Receives RTP, or PCM alone, by UDP: `rtp://[host]:port?…`, `udp://[host]:port?mode=raw|rtp`. */
export function createNetworkSource(context: SourceContext): StreamSource {
  return new NetworkSource(context, readNetworkAddress(context));
}

class NetworkSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #context: SourceContext;
  readonly #logger: Logger;
  readonly #address: NetworkAddress;
  readonly #buffer: JitterBuffer;
  readonly #window = new PacketWindow();
  readonly #frameBytes: number;
  readonly #capacityBytes: number;
  readonly #limiter = new LogLimiter();
  readonly #receiver: DatagramReceiver;
  #input: DatagramInput | undefined;
  #listener: SapListener | undefined;
  #announcer: SapAnnouncer | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #sink: SourceSink | undefined;
  #target: Uint8Array | undefined;
  /** Datagrams since the timer looked. */
  #arrived = 0;
  #isSilent = false;
  #closing: Promise<unknown> = Promise.resolve();

  constructor(context: SourceContext, address: NetworkAddress) {
    const { format, mode, jitterMs } = address;
    this.#context = context;
    this.#logger = context.logger;
    this.#address = address;
    this.format = format;
    this.packed24 = mode === 'rtp' ? format.bits === 24 : context.packed24;
    this.#frameBytes = arrivingFrameBytes(format, this.packed24);
    const capacityFrames = format.framesIn(capacityMs);
    this.#capacityBytes = capacityFrames * this.#frameBytes;
    const holdFrames = jitterMs === 0 ? 0 : format.framesIn(jitterMs);
    this.#buffer = new JitterBuffer(
      {
        frameBytes: this.#frameBytes,
        sampleBytes: this.#frameBytes / format.channels,
        capacityFrames: capacityFrames + holdFrames,
        holdFrames,
        fadeFrames: format.framesIn(fadeMs),
      },
      (position) => this.#window.settle(position),
    );
    this.#receiver = this.#receiverFor(address);
  }

  get reception(): Reception {
    return this.#receiver.reception;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    const { sap, place } = this.#address;
    if (sap === 'listen') this.#listen();
    else this.#open(place);
    if (sap === 'announce') this.#announce();
    this.#silenceTimer = setInterval(() => this.#lookForSilence(), silenceMs);
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

  backlogBytes(): number {
    return this.#buffer.waitingFrames * this.#frameBytes;
  }

  capacityBytes(): number {
    return this.#capacityBytes;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#target = undefined;
    clearInterval(this.#silenceTimer);
    const parts = [this.#input, this.#listener, this.#announcer];
    this.#input = undefined;
    this.#closing = Promise.all([this.#closing, ...parts.map((part) => part?.close())]);
    await this.#closing;
  }

  #receiverFor({ mode, format, encoding, payloadType, ssrc }: NetworkAddress): DatagramReceiver {
    const onRefused = (reason: string) => this.#refused(reason);
    const onSender = (from: string) => this.#logger.info('sender found', { from });
    const frameBytes = this.#frameBytes;
    const sampleBytes = frameBytes / format.channels;
    return mode === 'raw'
      ? new RawReceiver(this.#buffer, { frameBytes, sampleBytes, onRefused, onSender })
      : new RtpReceiver(this.#buffer, this.#window, {
          ...{ format, encoding, payloadType, ssrc, onRefused, onSender },
        });
  }

  #open(place: DatagramPlace): void {
    this.#input = new DatagramInput(place, {
      logger: this.#logger,
      onDatagram: (datagram, sender) => {
        this.#arrived += 1;
        this.#receiver.accept(datagram, monotonicClock.nowUs(), sender);
        this.#serve();
      },
      onFailure: (error) => this.#fail(error),
    });
    this.#input.open();
  }

  #listen(): void {
    const { sessionName, format, place } = this.#address;
    this.#logger.info('waiting for the announcement of a session', { session: sessionName });
    this.#listener = new SapListener({
      iface: place.iface,
      logger: this.#logger,
      isWanted: (session) => {
        if (sessionName !== undefined && session.name !== sessionName) return false;
        const misfit = misfitOf(session, format);
        if (misfit && sessionName !== undefined) this.#refused(misfit.message);
        return !misfit;
      },
      onSession: (session) => this.#turnTo(session),
    });
    this.#listener.open();
  }

  /** The session was announced, is elsewhere now, or has ended. */
  #turnTo(session: RtpSession | undefined): void {
    const former = this.#input;
    this.#input = undefined;
    this.#closing = Promise.all([this.#closing, former?.close()]);
    if (!session) {
      this.#buffer.breakRun();
      this.#logger.info('the session has ended', {});
      return;
    }
    const { name, address, port, encoding } = session;
    this.#logger.info('session found', { session: name, address, port, encoding });
    if (this.#receiver instanceof RtpReceiver) this.#receiver.follow(session);
    const place = placeOf(this.#context.uri, session);
    void this.#closing.then(() => {
      if (this.#sink && !this.#input) this.#open(place);
    });
  }

  #announce(): void {
    const { place, format, encoding, payloadType = dynamicType } = this.#address;
    const { address, port, iface } = place;
    const { rateHz, channels } = format;
    const name = this.#context.uri.query.name ?? '';
    this.#announcer = new SapAnnouncer({
      session: { name, address, port, payloadType, encoding, rateHz, channels },
      iface,
      logger: this.#logger,
    });
    this.#announcer.open();
  }

  /** Fills the target if it can be filled by now. */
  #serve(): void {
    const target = this.#target;
    if (!target) return;
    if (this.#buffer.isAtNextRun) this.#enterNextRun();
    if (!this.#buffer.fill(target)) return;
    this.#target = undefined;
    this.#sink?.filled();
  }

  #enterNextRun(): void {
    this.#buffer.enterNextRun();
    this.#sink?.interrupted('another run of the sender begins');
  }

  #lookForSilence(): void {
    const isSilent = this.#arrived === 0;
    this.#arrived = 0;
    const input = this.#input;
    if (isSilent && input) input.joinAgain();
    if (isSilent && !this.#isSilent && input) {
      const hint = input.isGroup ? { hint: 'see "zerocast doctor"' } : {};
      this.#logger.info('no packets come', { silenceMs, ...hint });
    }
    this.#isSilent = isSilent;
  }

  #refused(reason: string): void {
    if (this.#limiter.allows()) this.#logger.warn('packets are not played', { reason });
  }

  #fail(error: SourceError): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(error);
  }
}
