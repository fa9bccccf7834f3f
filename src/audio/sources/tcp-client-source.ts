import net from 'node:net';
import { SourceError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Intake } from './intake.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';
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
  const { logger } = context;
  return new SocketSource(context, (intake) => new TcpClientConnector(intake, address, logger));
}

/** Connects to a producer that listens, again and again. */
class TcpClientConnector implements Connector {
  readonly #intake: Intake;
  readonly #address: TcpAddress;
  readonly #logger: Logger;
  #retryTimer: NodeJS.Timeout | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #isConnected = false;
  /** The fault that was logged last: the same one is not logged each second. */
  #loggedFault = '';

  constructor(intake: Intake, address: TcpAddress, logger: Logger) {
    this.#intake = intake;
    this.#address = address;
    this.#logger = logger;
  }

  start(): void {
    this.#connect();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#connectTimer);
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
    this.#intake.interrupt(reason);
    if (this.#intake.isOpen) this.#retryTimer = setTimeout(() => this.#connect(), retryMs);
  }
}
