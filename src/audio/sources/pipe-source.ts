import { existsSync, stat } from 'node:fs';
import { codeOf, messageOf, SourceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { openDescriptor } from '../../base/net/adopt-socket.ts';
import { choiceOf } from '../stream-parameters.ts';
import { makeFifoBehind, type OpenFifo, openFifoForReading } from './fifo.ts';
import type { FileGate } from './file-gate.ts';
import type { Intake } from './intake.ts';
import { pathOf } from './local-path.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';

const missingRetryMs = 200;
const replacedCheckMs = 1000;

interface FifoOptions {
  readonly path: string;
  readonly gate: FileGate | undefined;
  readonly mode: 'create' | 'read';
}

/** Reads a fifo: `pipe:///path?mode=create|read`. */
export function createPipeSource(context: SourceContext): StreamSource {
  const { uri, logger, fileGate } = context;
  const options: FifoOptions = {
    path: pathOf(context),
    gate: fileGate,
    mode: choiceOf(uri, 'mode', ['create', 'read']),
  };
  return new SocketSource(context, (intake) => new PipeConnector(intake, options, logger));
}

/**
 * Opens the reading end of a fifo.
 *
 * A reader is open at any moment: when the last writer has gone, the next reading end is opened
 * before the old one is closed. So a writer that does not want to wait always gets in, and the
 * end of one writer's audio is seen (the kernel reports nothing on the new end until a writer
 * comes). A fifo that was made here stays when the stream is removed: writers know its name.
 */
class PipeConnector implements Connector {
  readonly #intake: Intake;
  readonly #options: FifoOptions;
  readonly #logger: Logger;
  #retryTimer: NodeJS.Timeout | undefined;
  #replacedTimer: NodeJS.Timeout | undefined;
  #bytesAtCheck = 0;
  #fifo: OpenFifo | undefined;
  #making: Promise<void> = Promise.resolve();
  #waitIsLogged = false;

  constructor(intake: Intake, options: FifoOptions, logger: Logger) {
    this.#intake = intake;
    this.#options = options;
    this.#logger = logger;
  }

  start(): void {
    this.#replacedTimer = setInterval(() => this.#checkReplaced(), replacedCheckMs);
    this.#open();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#replacedTimer);
    await this.#making;
  }

  /** Opens the fifo, only then closes the old reading end; makes the fifo or waits for it. */
  #open(): void {
    try {
      const fifo = openFifoForReading(this.#options.path, this.#options.gate);
      if (fifo) this.#connect(fifo);
      else this.#fail('no-fifo', 'it is no fifo: remove it or choose another path');
    } catch (error) {
      this.#fifo = undefined;
      this.#intake.disconnect();
      if (isShortage(error)) this.#wait(messageOf(error));
      else if (!isMissing(error)) this.#fail('pipe-open', messageOf(error), error);
      else if (this.#options.mode === 'create') this.#making = this.#make();
      else this.#wait('it does not exist yet');
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
    this.#intake.end(reason, () => this.#open());
  }

  async #make(): Promise<void> {
    try {
      await makeFifoBehind(this.#options.gate, this.#options.path);
    } catch (error) {
      // Another program may have made it at the same moment.
      if (!existsSync(this.#options.path)) {
        return this.#fail('mkfifo', `it cannot be made: ${messageOf(error)}`, error);
      }
    }
    if (this.#intake.isOpen) this.#open();
  }

  #wait(reason: string): void {
    const { path } = this.#options;
    if (!this.#waitIsLogged) this.#logger.info('waiting for fifo', { path, reason });
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
    stat(this.#options.path, (error, stats) => {
      if (this.#fifo !== fifo || !this.#intake.isOpen) return;
      const isSame = error
        ? !isMissing(error)
        : stats.ino === fifo.inode && stats.dev === fifo.device;
      if (!isSame) this.#reopen('the fifo was replaced');
    });
  }

  #fail(code: string, fault: string, cause?: unknown): void {
    void this.stop();
    this.#intake.fail(
      new SourceError(code, `the pipe ${this.#options.path} cannot be used: ${fault}`, { cause }),
    );
  }
}

/** Nothing is wrong with the fifo: the process or the machine has no descriptor to spare. */
function isShortage(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes(codeOf(error));
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}
