import { messageOf } from '../../errors.ts';
import type { LogFields, Logger } from '../../logger.ts';
import type { SampleFormat } from '../sample-format.ts';
import { splitCommandLine } from './command-line.ts';
import { findProgram } from './find-program.ts';
import { Intake } from './intake.ts';
import { ProducerProcess } from './producer-process.ts';
import { flagOf, numberOf, pathOf, rawShapeOf } from './source-parameters.ts';
import type { SourceContext, SourceSink, StreamSource } from './stream-source.ts';

const firstRestartMs = 100;
const slowestRestartMs = 10_000;
/** A program that ran this long was well: its next restart comes soon. */
const healthyRunMs = 10_000;
const longestWatchdogS = 86_400;

interface Program {
  readonly path: string;
  readonly args: readonly string[];
  /** Zero: the program may be silent on its standard error for as long as it likes. */
  readonly watchdogMs: number;
  readonly logStderr: boolean;
}

/** Runs a program: `process:///path[?params=…][&wd_timeout=s][&log_stderr=true]`. */
export function createProcessSource(context: SourceContext): StreamSource {
  const path = pathOf(context);
  const program: Program = {
    path: findProgram(path),
    args: splitCommandLine(context.uri.query.params ?? ''),
    watchdogMs: 1000 * numberOf(context.uri, 'wd_timeout', watchdogRange),
    logStderr: flagOf(context.uri, 'log_stderr'),
  };
  if (program.path !== path) {
    context.logger.notice('program found in PATH', { named: path, program: program.path });
  }
  return new ProcessSource(context, program);
}

const watchdogRange = { fallback: 0, min: 0, max: longestWatchdogS, unit: 'seconds' };

/** Reads the standard output of a program and starts the program again whenever it ends. */
class ProcessSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #program: Program;
  readonly #logger: Logger;
  readonly #intake: Intake;
  #sink: SourceSink | undefined;
  #running: Promise<void> = Promise.resolve();
  #endWait: () => void = () => undefined;

  constructor(context: SourceContext, program: Program) {
    const shape = rawShapeOf(context);
    this.format = context.format;
    this.packed24 = shape.packed24;
    this.#program = program;
    this.#logger = context.logger;
    this.#intake = new Intake({
      frameBytes: shape.frameBytes,
      filled: () => this.#sink?.filled(),
    });
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#running = this.#keepRunning();
  }

  read(target: Uint8Array): void {
    this.#intake.read(target);
  }

  discardPartial(): void {
    this.#intake.discardPartial();
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#endWait();
    await this.#running;
    await this.#intake.close();
  }

  async #keepRunning(): Promise<void> {
    let restartMs = firstRestartMs;
    while (this.#sink) {
      const startedMs = performance.now();
      const fields = await this.#runOnce();
      if (!this.#sink) return;
      if (performance.now() - startedMs >= healthyRunMs) restartMs = firstRestartMs;
      this.#logger.warn('program ended', { program: this.#program.path, ...fields, restartMs });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restartMs);
        this.#endWait = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      restartMs = Math.min(2 * restartMs, slowestRestartMs);
    }
  }

  /** Runs the program until its output ends; returns what there is to log about that. */
  async #runOnce(): Promise<LogFields> {
    const { path, args, logStderr, watchdogMs } = this.#program;
    let lastLine = '';
    let watchdog: NodeJS.Timeout | undefined;
    const line = (text: string) => {
      lastLine = text;
      watchdog?.refresh();
      if (logStderr) this.#logger.info('program says', { line: text });
    };
    try {
      const producer = await ProducerProcess.start({ program: path, args, line });
      await new Promise<void>((resolve) => {
        this.#endWait = resolve;
        if (!this.#sink) resolve();
        this.#intake.connect(
          (readInto) => producer.connect(readInto),
          () => resolve(),
        );
        void producer.exited.then(({ error }) => {
          if (error !== undefined) resolve();
        });
        if (watchdogMs > 0) {
          watchdog = setTimeout(() => {
            this.#logger.warn('program is silent and is ended', { program: path, watchdogMs });
            void producer.end('SIGINT').then(() => resolve());
          }, watchdogMs);
        }
      });
      clearTimeout(watchdog);
      watchdog = undefined; // a late line must not wake it
      if (this.#intake.disconnect()) this.#sink?.interrupted('the program ended its output');
      return { ...(await producer.finish(() => this.#sink === undefined)), lastLine };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }
}
