import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import { Intake } from './intake.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';

/** Finds producers for an intake: connects it to one socket after another. */
export interface Connector {
  /** Begins to look for a producer; called once. */
  start(): void;
  /** Lets go of everything but the intake, which is closed already; resolves when that is done. */
  stop(): Promise<void>;
}

/** A source whose audio comes through sockets, which pipes and the output of programs are, too. */
export class SocketSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #intake: Intake;
  readonly #connector: Connector;

  constructor({ format, packed24 }: SourceContext, connectorFor: (intake: Intake) => Connector) {
    this.format = format;
    this.packed24 = packed24;
    this.#intake = new Intake(arrivingFrameBytes(format, packed24));
    this.#connector = connectorFor(this.#intake);
  }

  start(sink: SourceSink): void {
    this.#intake.open(sink);
    this.#connector.start();
  }

  read(target: Uint8Array): void {
    this.#intake.read(target);
  }

  takePartial(into: Uint8Array): number {
    return this.#intake.takePartial(into);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#intake.close(), this.#connector.stop()]);
  }
}
