import { existsSync, stat } from 'node:fs';
import { openDescriptor } from '../../adopt-socket.ts';
import { messageOf, SourceError } from '../../errors.ts';
import type { SampleFormat } from '../sample-format.ts';
import { makeFifo, type OpenFifo, openFifoForReading } from './fifo.ts';
import { Intake } from './intake.ts';
import { choiceOf, pathOf, rawShapeOf } from './source-parameters.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';

const missingRetryMs = 200;
const replacedCheckMs = 1000;

type Mode = 'create' | 'read';

export function createPipeSource(context: SourceContext): StreamSource {
  return new PipeSource(
    context,
    pathOf(context),
    choiceOf(context.uri, 'mode', ['create', 'read']),
  );
}

/**
 * Reads a fifo: `pipe:///path?mode=create|read`.
 *
 * A reader is open at any moment: when the last writer has gone, the next reading end is opened
 * before the old one is closed. So a writer that does not want to wait always gets in, and the
 * end of one writer's audio is seen (the kernel reports nothing on the new end until a writer
 * comes). A fifo that was made here stays when the stream is removed: writers know its name.
 */
class PipeSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #context: SourceContext;
  readonly #path: string;
  readonly #mode: Mode;
  readonly #intake: Intake;
  #sink: SourceSink | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #replacedTimer: NodeJS.Timeout | undefined;
  #bytesAtCheck = 0;
  #fifo: OpenFifo | undefined;
  #making: Promise<void> = Promise.resolve();
  #waitIsLogged = false;

  constructor(context: SourceContext, path: string, mode: Mode) {
    const shape = rawShapeOf(context);
    this.format = context.format;
    this.packed24 = shape.packed24;
    this.#context = context;
    this.#path = path;
    this.#mode = mode;
    this.#intake = new Intake({
      frameBytes: shape.frameBytes,
      filled: () => this.#sink?.filled(),
    });
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#replacedTimer = setInterval(() => this.#checkReplaced(), replacedCheckMs);
    this.#open();
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
    clearInterval(this.#replacedTimer);
    await this.#making;
    await this.#intake.close();
  }

  /** Opens the fifo, only then closes the old reading end; makes the fifo or waits for it. */
  #open(): void {
    try {
      const fifo = openFifoForReading(this.#path);
      if (fifo) this.#connect(fifo);
      else this.#fail('no-fifo', 'it is no fifo: remove it or choose another path');
    } catch (error) {
      this.#fifo = undefined;
      this.#intake.disconnect();
      if (!isMissing(error)) this.#fail('pipe-open', messageOf(error), error);
      else if (this.#mode === 'create') this.#making = this.#make();
      else this.#wait();
    }
  }

  #connect(fifo: OpenFifo): void {
    this.#fifo = fifo;
    this.#bytesAtCheck = 0;
    this.#waitIsLogged = false;
    this.#intake.connect(
      (readInto) => openDescriptor(fifo.fd, readInto),
      (error) => this.#reopen(error?.message ?? 'the writer closed the fifo'),
    );
  }

  #reopen(reason: string): void {
    const hadDelivered = this.#intake.connectionBytes > 0;
    this.#open();
    if (hadDelivered) this.#sink?.interrupted(reason);
  }

  async #make(): Promise<void> {
    try {
      await makeFifo(this.#path);
    } catch (error) {
      // Another program may have made it at the same moment.
      if (!existsSync(this.#path)) {
        return this.#fail('mkfifo', `it cannot be made: ${messageOf(error).trim()}`, error);
      }
    }
    if (this.#sink) this.#open();
  }

  #wait(): void {
    if (!this.#waitIsLogged) this.#context.logger.info('waiting for fifo', { path: this.#path });
    this.#waitIsLogged = true;
    this.#retryTimer = setTimeout(() => this.#open(), missingRetryMs);
  }

  /** Writers may have made a new fifo of this name: goes there once the old one is silent. */
  #checkReplaced(): void {
    const fifo = this.#fifo;
    const bytes = this.#intake.connectionBytes;
    const isSilent = bytes === this.#bytesAtCheck;
    this.#bytesAtCheck = bytes;
    if (!fifo || !isSilent) return;
    stat(this.#path, (error, stats) => {
      if (this.#fifo !== fifo || !this.#sink) return;
      const isSame = error
        ? !isMissing(error)
        : stats.ino === fifo.inode && stats.dev === fifo.device;
      if (!isSame) this.#reopen('the fifo was replaced');
    });
  }

  #fail(code: string, fault: string, cause?: unknown): void {
    const sink = this.#sink;
    void this.stop();
    sink?.failed(
      new SourceError(code, `the pipe ${this.#path} cannot be used: ${fault}`, { cause }),
    );
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
