import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import { Intake } from './intake.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';

/** A source is too fast when it is ahead by the tolerance; so much more has to be seen. */
const seenBeyondMs = 150;

/** Finds producers for an intake: connects it to one socket after another. */
export interface Connector {
  /** Begins to look for a producer; called once. */
  start(): void;
  /** Releases everything but the intake, which is closed already; resolves when that is done. */
  stop(): Promise<void>;
}

/** A source whose audio comes through sockets, which pipes and the output of programs are, too. */
export class SocketSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #intake: Intake;
  readonly #connector: Connector;

  constructor(context: SourceContext, connectorFor: (intake: Intake) => Connector) {
    const { format, packed24, bufferMs, resyncToleranceMs, inputQueue: queue } = context;
    this.format = format;
    this.packed24 = packed24;
    const frameBytes = arrivingFrameBytes(format, packed24);
    const queueBytes = format.framesIn(bufferMs) * frameBytes;
    const aheadBytes = format.framesIn(resyncToleranceMs + seenBeyondMs) * frameBytes;
    this.#intake = new Intake({ frameBytes, queueBytes, aheadBytes, queue });
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

  backlogBytes(): number | undefined {
    return this.#intake.backlogBytes;
  }

  capacityBytes(): number {
    return this.#intake.capacityBytes;
  }

  widen(bytes: number): void {
    this.#intake.widen(bytes);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#intake.close(), this.#connector.stop()]);
  }
}
