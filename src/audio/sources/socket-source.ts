import { arrivingFrameBytes } from '../int24.ts';
import type { SampleFormat } from '../sample-format.ts';
import { Demand } from './demand.ts';
import { Intake } from './intake.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';

/** A source is too fast when it is ahead by the tolerance; so much more has to be seen. */
const seenBeyondMs = 150;

/** Finds producers for an intake: connects it to one socket after another. */
export interface Connector {
  /** Begins to look for a producer; where `stop` was called before, once more. */
  start(): void;
  /** Releases everything but the intake, which is disconnected already; resolves when that is done. */
  stop(): Promise<void>;
  /** Neither will be called again. */
  release?(): void;
  /** As of `StreamSource`. */
  readonly overruns?: number;
}

/** A source whose audio comes through sockets, which pipes and the output of programs are, too. */
export class SocketSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #intake: Intake;
  readonly #connector: Connector;
  readonly #demand: Demand;

  /** `lingerMs` as of `Demand`; absent: always connected. */
  constructor(
    context: SourceContext,
    connectorFor: (intake: Intake) => Connector,
    lingerMs?: number | undefined,
  ) {
    const { format, packed24, bufferMs, resyncToleranceMs, inputQueue: queue } = context;
    this.format = format;
    this.packed24 = packed24;
    const frameBytes = arrivingFrameBytes(format, packed24);
    const queueBytes = format.framesIn(bufferMs) * frameBytes;
    const aheadBytes = format.framesIn(resyncToleranceMs + seenBeyondMs) * frameBytes;
    this.#intake = new Intake({ frameBytes, queueBytes, aheadBytes, queue });
    this.#connector = connectorFor(this.#intake);
    this.#demand = new Demand(lingerMs, {
      start: () => this.#connector.start(),
      stop: () => this.#disconnect(),
    });
  }

  get overruns(): number | undefined {
    return this.#connector.overruns;
  }

  start(sink: SourceSink): void {
    this.#intake.open(sink);
    this.#demand.open();
  }

  listen(isListened: boolean): void {
    this.#demand.listen(isListened);
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
    await Promise.all([this.#intake.close(), this.#demand.close()]);
    this.#connector.release?.();
  }

  async #disconnect(): Promise<void> {
    this.#intake.interrupt('nobody listens');
    await this.#connector.stop();
  }
}
