import net from 'node:net';
import { SourceError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { SampleFormat } from '../sample-format.ts';
import { Intake } from './intake.ts';
import { rawShapeOf } from './source-parameters.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';
import { addressText, keepAliveMs, type TcpAddress } from './tcp-address.ts';

const retryMs = 1000;
const connectTimeoutMs = 5000;

export function createTcpClientSource(context: SourceContext, address: TcpAddress): StreamSource {
  if (address.hostname === '' || address.port === 0) {
    throw new SourceError(
      'no-producer-address',
      'mode=client needs to know whom to connect to: write tcp://host:port?mode=client',
    );
  }
  return new TcpClientSource(context, address);
}

/** Connects to a producer that listens, again and again. */
class TcpClientSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #address: TcpAddress;
  readonly #logger: Logger;
  readonly #intake: Intake;
  #sink: SourceSink | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #isConnected = false;
  /** The fault that was logged last: the same one is not logged each second. */
  #loggedFault = '';

  constructor(context: SourceContext, address: TcpAddress) {
    const shape = rawShapeOf(context);
    this.format = context.format;
    this.packed24 = shape.packed24;
    this.#address = address;
    this.#logger = context.logger;
    this.#intake = new Intake({
      frameBytes: shape.frameBytes,
      filled: () => this.#sink?.filled(),
    });
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#connect();
  }

  read(target: Uint8Array): void {
    this.#intake.read(target);
  }

  discardPartial(): void {
    this.#intake.discardPartial();
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#connectTimer);
    await this.#intake.close();
  }

  #connect(): void {
    const { hostname: host, port } = this.#address;
    const keepAlive = { keepAlive: true, keepAliveInitialDelay: keepAliveMs };
    const socket = this.#intake.connect(
      (onread) => net.connect({ host, port, onread, ...keepAlive }, () => this.#connected()),
      (error) => this.#lost(error),
    );
    this.#connectTimer = setTimeout(
      () => socket.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
      connectTimeoutMs,
    );
  }

  #connected(): void {
    clearTimeout(this.#connectTimer);
    this.#isConnected = true;
    this.#loggedFault = '';
    this.#logger.info('connected to producer', { address: addressText(this.#address) });
  }

  #lost(error: NodeJS.ErrnoException | undefined): void {
    clearTimeout(this.#connectTimer);
    // When every address of a name refuses, the error has a code but no message.
    const reason = error
      ? error.message || (error.code ?? '')
      : 'the producer closed the connection';
    const fields = { address: addressText(this.#address), reason, retryMs };
    if (this.#isConnected) this.#logger.info('producer left', fields);
    else if (reason !== this.#loggedFault) this.#logger.warn('producer not reachable', fields);
    if (!this.#isConnected) this.#loggedFault = reason;
    this.#isConnected = false;
    if (this.#intake.disconnect()) this.#sink?.interrupted(reason);
    if (this.#sink) this.#retryTimer = setTimeout(() => this.#connect(), retryMs);
  }
}
