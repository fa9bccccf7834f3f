import net from 'node:net';
import type { Logger } from '../../base/logger.ts';
import { adoptSocket } from '../../base/net/adopt-socket.ts';
import type { Intake } from './intake.ts';
import { listenFault } from './listen-fault.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';
import { addressText, lossText, type TcpAddress } from './tcp-address.ts';

export function createTcpServerSource(context: SourceContext, address: TcpAddress): StreamSource {
  return new SocketSource(context, (intake) => new TcpServerConnector(intake, address, context));
}

/** Listens for one producer at a time; the newest wins. */
class TcpServerConnector implements Connector {
  readonly #intake: Intake;
  readonly #address: TcpAddress;
  readonly #logger: Logger;
  readonly #watchPeer: SourceContext['watchPeer'];
  readonly #server: net.Server;
  #producer = '';

  constructor(intake: Intake, address: TcpAddress, { logger, watchPeer }: SourceContext) {
    this.#intake = intake;
    this.#address = address;
    this.#logger = logger;
    this.#watchPeer = watchPeer;
    this.#server = net.createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  start(): void {
    const { hostname, port } = this.#address;
    this.#server.on('error', (error) => this.#fail(error));
    this.#server.listen({ port, ...(hostname !== '' && { host: hostname }) }, () => {
      this.#logger.info('waiting for a producer', { address: this.#listeningAt() });
    });
  }

  async stop(): Promise<void> {
    // The callback also comes, with an error, when the listener is not open (yet).
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(created: net.Socket): void {
    if (!this.#intake.isOpen) {
      created.destroy();
      return;
    }
    const from = addressText({
      hostname: created.remoteAddress ?? '',
      port: created.remotePort ?? 0,
    });
    if (this.#intake.isConnected) {
      this.#logger.info('newer producer takes over', { from, replaced: this.#producer });
    } else {
      this.#logger.info('producer connected', { from });
    }
    this.#producer = from;
    this.#watchPeer?.(created);
    this.#intake.interrupt('a newer producer takes over', () =>
      this.#intake.connect(
        (readInto) => adoptSocket(created, readInto),
        (error) => this.#lost(error),
      ),
    );
  }

  #lost(error: Error | undefined): void {
    const reason = lossText(error);
    this.#logger.info('producer left', { from: this.#producer, reason });
    this.#intake.end(reason);
  }

  #listeningAt(): string {
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null
      ? addressText({ hostname: bound.address, port: bound.port })
      : '';
  }

  #fail(error: Error): void {
    void this.stop();
    this.#intake.fail(listenFault(addressText(this.#address), error));
  }
}
