import { monotonicClock } from '../../../base/clock.ts';
import type { SourceError } from '../../../base/errors.ts';
import type { LogFields, Logger } from '../../../base/logger.ts';
import { LogLimiter } from '../../../base/time/log-limiter.ts';
import type { Reception } from '../../reception.ts';
import type { SampleFormat } from '../../sample-format.ts';
import type { SourceContext, SourceSink, StreamSource } from '../stream-source.ts';
import { DatagramInput, type DatagramPlace } from './datagram-input.ts';
import { misfitOf, type NetworkAddress, placeOf, readNetworkAddress } from './network-address.ts';
import { PacketIntake } from './packet-intake.ts';
import { SapAnnouncer } from './sap-announcer.ts';
import { SapListener } from './sap-listener.ts';
import type { RtpSession } from './session-description.ts';

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
  readonly #fields: LogFields;
  readonly #address: NetworkAddress;
  readonly #intake: PacketIntake;
  readonly #limiter = new LogLimiter();
  #input: DatagramInput | undefined;
  #listener: SapListener | undefined;
  #announcer: SapAnnouncer | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #sink: SourceSink | undefined;
  /** Datagrams since the timer looked. */
  #arrived = 0;
  #isSilent = false;
  #closing: Promise<unknown> = Promise.resolve();

  constructor(context: SourceContext, address: NetworkAddress) {
    this.#context = context;
    this.#logger = context.logger;
    this.#fields = { stream: context.uri.query.name };
    this.#address = address;
    this.format = address.format;
    this.packed24 = address.packed24;
    this.#intake = new PacketIntake(address, {
      onRefused: (reason) => this.#refused(reason),
      onSender: (from) => this.#logger.info('sender found', { ...this.#fields, from }),
    });
  }

  get reception(): Reception {
    return this.#intake.reception;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#intake.open(sink);
    const { sap, place } = this.#address;
    if (sap === 'listen') this.#listen();
    else this.#open(place);
    if (sap === 'announce') this.#announce();
    this.#silenceTimer = setInterval(() => this.#lookForSilence(), silenceMs);
  }

  read(target: Uint8Array): void {
    this.#intake.read(target);
  }

  takePartial(into: Uint8Array): number {
    return this.#intake.takePartial(into);
  }

  backlogBytes(): number {
    return this.#intake.backlogBytes;
  }

  capacityBytes(): number {
    return this.#intake.capacityBytes;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#intake.close();
    clearInterval(this.#silenceTimer);
    const parts = [this.#input, this.#listener, this.#announcer];
    this.#input = undefined;
    this.#closing = Promise.all([this.#closing, ...parts.map((part) => part?.close())]);
    await this.#closing;
  }

  #open(place: DatagramPlace): void {
    this.#input = new DatagramInput(place, {
      logger: this.#logger,
      fields: this.#fields,
      onDatagram: (datagram, sender) => {
        this.#arrived += 1;
        this.#intake.accept(datagram, monotonicClock.nowUs(), sender);
      },
      onFailure: (error) => this.#fail(error),
    });
    this.#input.open();
  }

  #listen(): void {
    const { sessionName, format, place } = this.#address;
    this.#logger.info('waiting for the announcement of a session', {
      ...this.#fields,
      session: sessionName,
    });
    this.#listener = new SapListener({
      iface: place.iface,
      logger: this.#logger,
      fields: this.#fields,
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
    this.#intake.turnTo(session);
    if (!session) {
      this.#logger.info('the session has ended', this.#fields);
      return;
    }
    const { name, address, port, encoding } = session;
    this.#logger.info('session found', { ...this.#fields, session: name, address, port, encoding });
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
      fields: this.#fields,
    });
    this.#announcer.open();
  }

  #lookForSilence(): void {
    const isSilent = this.#arrived === 0;
    this.#arrived = 0;
    const input = this.#input;
    if (isSilent && input) input.joinAgain();
    if (isSilent && !this.#isSilent && input) {
      const hint = input.isGroup ? { hint: 'see "zerocast doctor"' } : {};
      this.#logger.info('no packets come', { ...this.#fields, silenceMs, ...hint });
    }
    this.#isSilent = isSilent;
  }

  #refused(reason: string): void {
    if (this.#limiter.allows())
      this.#logger.warn('packets are not played', { ...this.#fields, reason });
  }

  #fail(error: SourceError): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(error);
  }
}
