import net from 'node:net';
import { adoptSocket } from '../../adopt-socket.ts';
import { SourceError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { SampleFormat } from '../sample-format.ts';
import { Intake } from './intake.ts';
import { rawShapeOf } from './source-parameters.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';
import { addressText, keepAliveMs, type TcpAddress } from './tcp-address.ts';

export function createTcpServerSource(context: SourceContext, address: TcpAddress): StreamSource {
  return new TcpServerSource(context, address);
}

/** Listens for one producer at a time; the newest wins. */
class TcpServerSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #address: TcpAddress;
  readonly #logger: Logger;
  readonly #intake: Intake;
  readonly #server: net.Server;
  #sink: SourceSink | undefined;
  #producer = '';

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
    this.#server = net.createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  start(sink: SourceSink): void {
    const { hostname, port } = this.#address;
    this.#sink = sink;
    this.#server.on('error', (error) => this.#fail(error));
    this.#server.listen({ port, ...(hostname !== '' && { host: hostname }) }, () => {
      this.#logger.info('waiting for a producer', { address: this.#listeningAt() });
    });
  }

  read(target: Uint8Array): void {
    this.#intake.read(target);
  }

  discardPartial(): void {
    this.#intake.discardPartial();
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    await this.#intake.close();
    // The callback also comes, with an error, when the listener is not open (yet).
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(created: net.Socket): void {
    if (!this.#sink) {
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
    const breaksRun = this.#intake.disconnect();
    this.#intake.connect(
      (readInto) => adoptSocket(created, readInto).setKeepAlive(true, keepAliveMs),
      (error) => this.#lost(error),
    );
    if (breaksRun) this.#sink.interrupted('a newer producer takes over');
  }

  #lost(error: Error | undefined): void {
    const reason = error?.message ?? 'the producer closed the connection';
    this.#logger.info('producer left', { from: this.#producer, reason });
    if (this.#intake.disconnect()) this.#sink?.interrupted(reason);
  }

  #listeningAt(): string {
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null
      ? addressText({ hostname: bound.address, port: bound.port })
      : '';
  }

  #fail(error: NodeJS.ErrnoException): void {
    const sink = this.#sink;
    void this.stop();
    const [code, hint] = faults[error.code ?? ''] ?? ['tcp-listen', 'mend the address'];
    const address = addressText(this.#address);
    sink?.failed(
      new SourceError(code, `cannot listen on ${address}: ${error.message}: ${hint}`, {
        cause: error,
      }),
    );
  }
}

/** Code of our own and advice for the faults that one meets. */
const faults: Readonly<Record<string, readonly [code: string, hint: string]>> = {
  EADDRINUSE: [
    'address-in-use',
    'another stream or program has this port: stop it, or choose another port',
  ],
  EADDRNOTAVAIL: ['address-unknown', 'this machine has no such address: choose one, or 0.0.0.0'],
  ENOTFOUND: ['address-unknown', 'no such host name: mend it, or write 0.0.0.0'],
  EACCES: ['address-refused', 'ports below 1024 need privileges: choose a higher one'],
};
