import type { GiveBack } from '../../base/children/child-places.ts';
import { splitCommandLine } from '../../base/children/command-line.ts';
import { findProgram } from '../../base/children/find-program.ts';
import { monotonicClock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { LogFields } from '../../base/logger.ts';
import { PatientTimer } from '../../base/time/patient-timer.ts';
import { within } from '../../base/time/within.ts';
import { flagOf, numberOf } from '../stream-parameters.ts';
import type { Intake } from './intake.ts';
import { pathOf } from './local-path.ts';
import { ProducerProcess } from './producer-process.ts';
import { ProgramLog } from './program-log.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import { parametersOf, type SourceContext, type StreamSource } from './stream-source.ts';

const firstRestartMs = 100;
const slowestRestartMs = 10_000;
/** A program that ran this long was well: its next restart comes soon. */
const healthyRunMs = 10_000;
const watchdogRange = { fallback: 0, min: 0, max: 86_400, unit: 'seconds' };

interface Program {
  readonly path: string;
  readonly args: readonly string[];
  /** Zero: the program may be silent on its standard error for as long as it likes. */
  readonly watchdogMs: number;
  readonly logStderr: boolean;
}

/** What a connector has of its surroundings. */
interface ProcessContext {
  readonly log: ProgramLog;
  /** A stream keeps its place while its program is started again. */
  readonly giveBackPlace: GiveBack | undefined;
}

/** Runs a program: `process:///path[?params=…][&wd_timeout=s][&log_stderr=true]`. */
export function createProcessSource(context: SourceContext): StreamSource {
  const { uri, logger } = context;
  const path = pathOf(context);
  const parameters = parametersOf(context);
  const program: Program = {
    path: findProgram(path),
    args: splitCommandLine(uri.query.params ?? ''),
    watchdogMs: 1000 * numberOf(parameters, 'wd_timeout', watchdogRange),
    logStderr: flagOf(parameters, 'log_stderr', false),
  };
  if (program.path !== path) {
    logger.notice('program found in PATH', { named: path, program: program.path });
  }
  const streamId = uri.query.name ?? '';
  const log = new ProgramLog({ logger, clock: monotonicClock, kind: 'program', streamId });
  const own = { log, giveBackPlace: context.children?.take() };
  return new SocketSource(context, (intake) => new ProcessConnector(intake, program, own));
}

/** Connects the standard output of a program and starts the program again whenever it ends. */
class ProcessConnector implements Connector {
  readonly #intake: Intake;
  readonly #program: Program;
  readonly #log: ProgramLog;
  readonly #giveBackPlace: GiveBack | undefined;
  #running: Promise<void> = Promise.resolve();
  #endWait: () => void = () => undefined;

  constructor(intake: Intake, program: Program, { log, giveBackPlace }: ProcessContext) {
    this.#intake = intake;
    this.#program = program;
    this.#log = log;
    this.#giveBackPlace = giveBackPlace;
  }

  start(): void {
    this.#running = this.#keepRunning();
  }

  async stop(): Promise<void> {
    this.#log.part();
    this.#endWait();
    await this.#running;
    this.#log.close();
    this.#giveBackPlace?.();
  }

  async #keepRunning(): Promise<void> {
    let restartMs = firstRestartMs;
    while (this.#intake.isOpen) {
      const startedMs = performance.now();
      const fields = await this.#runOnce();
      if (!this.#intake.isOpen) return;
      if (performance.now() - startedMs >= healthyRunMs) restartMs = firstRestartMs;
      this.#log.own('warn', 'program ended', { program: this.#program.path, ...fields, restartMs });
      const stopped = new Promise<void>((resolve) => {
        this.#endWait = resolve;
      });
      await within(stopped, restartMs);
      restartMs = Math.min(2 * restartMs, slowestRestartMs);
    }
  }

  /** Runs the program until its output ends; returns what there is to log about that. */
  async #runOnce(): Promise<LogFields> {
    const { path, args, logStderr, watchdogMs } = this.#program;
    let lastLine = '';
    let watchdog: PatientTimer | undefined;
    const line = (text: string) => {
      lastLine = text;
      watchdog?.restart();
      if (logStderr) this.#log.foreign('info', 'program says', { line: text });
    };
    try {
      const producer = await ProducerProcess.start({ program: path, args, line });
      await new Promise<void>((resolve) => {
        this.#endWait = resolve;
        if (!this.#intake.isOpen) resolve();
        this.#intake.connect(
          (readInto) => producer.connect(readInto),
          () => resolve(),
        );
        void producer.exited.then(({ error }) => {
          if (error !== undefined) resolve();
        });
        if (watchdogMs > 0) {
          watchdog = new PatientTimer(watchdogMs, () => {
            this.#log.own('warn', 'program is silent and is ended', { program: path, watchdogMs });
            void producer.end('SIGINT').then(() => resolve());
          });
          watchdog.restart();
        }
      });
      watchdog?.stop();
      watchdog = undefined; // a late line must not wake it
      this.#intake.end('the program ended its output');
      return { ...(await producer.finish(() => !this.#intake.isOpen)), lastLine };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }
}
