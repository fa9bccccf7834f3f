import net from 'node:net';
import { SourceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { PatientTimer } from '../../base/time/patient-timer.ts';
import type { Intake } from './intake.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';
import { addressText, lossText, type TcpAddress } from './tcp-address.ts';

const retryMs = 1000;
const connectTimeoutMs = 5000;

export function createTcpClientSource(context: SourceContext, address: TcpAddress): StreamSource {
  if (address.hostname === '' || address.port === 0) {
    throw new SourceError(
      'no-producer-address',
      'mode=client needs to know whom to connect to: write tcp://host:port?mode=client',
    );
  }
  return new SocketSource(context, (intake) => new TcpClientConnector(intake, address, context));
}

/** Connects to a producer that listens, again and again. */
class TcpClientConnector implements Connector {
  readonly #intake: Intake;
  readonly #address: TcpAddress;
  readonly #logger: Logger;
  readonly #watchPeer: SourceContext['watchPeer'];
  #retryTimer: NodeJS.Timeout | undefined;
  #connectTimer: PatientTimer | undefined;
  #isConnected = false;
  /** The fault that was logged last: the same one is not logged each second. */
  #loggedFault = '';

  constructor(intake: Intake, address: TcpAddress, { logger, watchPeer }: SourceContext) {
    this.#intake = intake;
    this.#address = address;
    this.#logger = logger;
    this.#watchPeer = watchPeer;
  }

  start(): void {
    this.#connect();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#connectTimer?.stop();
  }

  #connect(): void {
    const { hostname: host, port } = this.#address;
    const socket = this.#intake.connect(
      (onread) => net.connect({ host, port, onread }, () => this.#connected(socket)),
      (error) => this.#lost(error),
    );
    this.#connectTimer = new PatientTimer(connectTimeoutMs, () =>
      socket.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
    );
    this.#connectTimer.restart();
  }

  #connected(socket: net.Socket): void {
    this.#connectTimer?.stop();
    this.#watchPeer?.(socket);
    this.#isConnected = true;
    this.#loggedFault = '';
    this.#logger.info('connected to producer', { address: addressText(this.#address) });
  }

  #lost(error: Error | undefined): void {
    this.#connectTimer?.stop();
    const reason = lossText(error);
    const fields = { address: addressText(this.#address), reason, retryMs };
    if (this.#isConnected) this.#logger.info('producer left', fields);
    else if (reason !== this.#loggedFault) this.#logger.warn('producer not reachable', fields);
    if (!this.#isConnected) this.#loggedFault = reason;
    this.#isConnected = false;
    this.#intake.end(reason);
    if (this.#intake.isOpen) this.#retryTimer = setTimeout(() => this.#connect(), retryMs);
  }
}
