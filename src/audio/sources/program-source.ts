import type { Writable } from 'node:stream';
import type { GiveBack } from '../../base/children/child-places.ts';
import type { ProcessExit } from '../../base/children/process-group.ts';
import { monotonicClock } from '../../base/clock.ts';
import { messageOf, type SourceError } from '../../base/errors.ts';
import { cutText } from '../../base/foreign-text.ts';
import type { LogFields } from '../../base/logger.ts';
import type { ReadInto } from '../../base/net/adopt-socket.ts';
import { withoutSecrets } from '../../base/secrets.ts';
import { PatientTimer } from '../../base/time/patient-timer.ts';
import { within } from '../../base/time/within.ts';
import type { StreamProperties } from '../stream-properties.ts';
import type { Intake } from './intake.ts';
import { ProducerProcess } from './producer-process.ts';
import { ProgramLog } from './program-log.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';

/** After how long a program is started again: at first, and at most, when it fails again and again. */
const usualRestartMs = [100, 10_000] as const;
/** A program that ran this long was well: its next restart comes soon. */
const healthyRunMs = 10_000;
/** Of what controllers are told of the end of a program. */
const maxFaultLength = 500;
/** Why a program ended stands in the last lines that it wrote; most say more than one. */
const maxKeptLines = 20;

/** What is executed by one start of a program. */
interface ProgramStart {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment of the server. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** What to do when one of the last lines of a program that ended matches. */
export type ProgramHint = readonly [pattern: RegExp, hint: string];

/** A program whose standard output is the audio of a stream, and which is started whenever it ended. */
interface SupervisedProgram {
  /** Failure: rejects; that counts as a start that failed, and is tried again later. */
  prepare(): ProgramStart | Promise<ProgramStart>;
  /** Zero: the program may be silent on its standard error for as long as it likes. */
  readonly watchdogMs: number;
  /** Takes each line of the standard error; empty ones are left out, long ones come in pieces. */
  line?(text: string): void;
  readonly hints?: readonly ProgramHint[];
  /** Lines that are none of its words, though `line` gets them. */
  readonly noise?: RegExp;
  readonly restartMs?: readonly [first: number, slowest: number];
  /** What its output begins with that is no audio. */
  readonly skipBytes?: number;
  /** Takes off the output of one start what is no audio; absent: it is all audio, but for `skipBytes`. */
  strip?(audio: ReadInto): ReadInto;
  /** It may write its last words into its output: what comes last is not played. */
  readonly endsInWords?: boolean;
  /** Takes the standard input of each start; absent: the program has none. */
  input?(stdin: Writable): void;
  /** Releases what `prepare` has made; called after each end, also of a start that failed. */
  ended?(exit: ProcessExit | undefined): void | Promise<void>;
}

/** What a supervised program has of its stream. */
export interface ProgramContext {
  readonly log: ProgramLog;
  /** Tells what is played; nothing happens when the source was stopped meanwhile. */
  readonly tell: (properties: StreamProperties) => void;
  /** Ends the program that runs, which is of no use any more, and starts it again; `why` are its last words. */
  readonly restart: (why: string) => void;
  /** Says that no program will ever play; ends the one that runs. */
  readonly fail: (error: SourceError) => void;
}

/**
 * A source that runs a program; with `lingerMs`, while there is somebody who listens, as `Demand` does.
 *
 * Failure: throws a `SourceError` when there are too many programs, or whatever `describe` throws.
 */
export function programSource(
  context: SourceContext,
  describe: (own: ProgramContext) => SupervisedProgram,
  lingerMs?: number | undefined,
): StreamSource {
  const { uri, logger } = context;
  const streamId = uri.query.name ?? '';
  const log = new ProgramLog({ logger, clock: monotonicClock, kind: 'program', streamId });
  const connectorFor = (intake: Intake) => {
    const program = describe({
      log,
      tell: (properties) => intake.tell(properties),
      restart: (why) => connector.restart(why),
      fail: (error) => connector.fail(error),
    });
    const giveBackPlace = context.children?.take();
    const connector = new ProgramConnector(intake, { program, log, giveBackPlace });
    return connector;
  };
  return new SocketSource(context, connectorFor, lingerMs);
}

interface ConnectorParts {
  readonly program: SupervisedProgram;
  readonly log: ProgramLog;
  /** A stream keeps its place while its program is started again, or is not needed. */
  readonly giveBackPlace: GiveBack | undefined;
}

/** Connects the standard output of a program and starts the program again whenever it ends. */
class ProgramConnector implements Connector {
  readonly #intake: Intake;
  readonly #program: SupervisedProgram;
  readonly #log: ProgramLog;
  readonly #giveBackPlace: GiveBack | undefined;
  #lastLines: string[] = [];
  /** What was said of the end before. */
  #lastEnd = '';
  #isUseless = false;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  #endWait: () => void = () => undefined;

  constructor(intake: Intake, { program, log, giveBackPlace }: ConnectorParts) {
    this.#intake = intake;
    this.#program = program;
    this.#log = log;
    this.#giveBackPlace = giveBackPlace;
  }

  start(): void {
    this.#isStopped = false;
    this.#running = this.#keepRunning();
  }

  restart(why: string): void {
    this.#keep(why);
    this.#isUseless = true;
    this.#endWait();
  }

  fail(error: SourceError): void {
    this.#isStopped = true;
    this.#intake.fail(error);
    this.#endWait();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#log.part();
    this.#endWait();
    await this.#running;
    this.#intake.tellFault(undefined);
    this.#log.close();
  }

  release(): void {
    this.#giveBackPlace?.();
  }

  async #keepRunning(): Promise<void> {
    const [firstMs, slowestMs] = this.#program.restartMs ?? usualRestartMs;
    let restartMs = firstMs;
    while (!this.#isStopped) {
      const startedMs = performance.now();
      const fields = await this.#runOnce();
      if (this.#isStopped) return;
      if (performance.now() - startedMs >= healthyRunMs) {
        restartMs = firstMs;
        this.#lastEnd = '';
      }
      const end = { ...fields, ...this.#lastWords() };
      this.#logEnd(end, restartMs);
      // One that has played all that it had is well.
      this.#intake.tellFault(fields.code === 0 ? undefined : faultText(end));
      const stopped = new Promise<void>((resolve) => {
        this.#endWait = resolve;
      });
      await within(stopped, restartMs);
      restartMs = Math.min(2 * restartMs, slowestMs);
    }
  }

  /** Runs the program until its output ends; returns what there is to log about that. */
  async #runOnce(): Promise<LogFields> {
    this.#lastLines = [];
    this.#isUseless = false;
    let fields: LogFields = {};
    let exit: ProcessExit | undefined;
    try {
      const start = await this.#program.prepare();
      fields = { program: start.program };
      if (!this.#isStopped) exit = await this.#play(start);
      return { ...fields, ...exit };
    } catch (error) {
      return { ...fields, error: messageOf(error) };
    } finally {
      await this.#program.ended?.(exit);
    }
  }

  async #play({ program, args, environment }: ProgramStart): Promise<ProcessExit> {
    const { watchdogMs, noise, skipBytes, endsInWords } = this.#program;
    let watchdog: PatientTimer | undefined;
    const line = (text: string) => {
      if (!noise?.test(text)) this.#keep(text);
      watchdog?.restart();
      this.#program.line?.(text);
    };
    const takeInput = this.#program.input?.bind(this.#program);
    const producer = await ProducerProcess.start({
      ...{ program, args, environment, line, takeInput },
    });
    const recovery = setTimeout(() => this.#intake.tellFault(undefined), healthyRunMs);
    await new Promise<void>((resolve) => {
      this.#endWait = resolve;
      if (this.#isStopped) resolve();
      this.#intake.connect(
        (readInto) => producer.connect(this.#program.strip?.(readInto) ?? readInto),
        () => resolve(),
        skipBytes,
      );
      void producer.exited.then(({ error }) => {
        if (error !== undefined) resolve();
      });
      if (watchdogMs > 0) {
        watchdog = new PatientTimer(watchdogMs, () => {
          this.#log.own('warn', 'program is silent and is ended', { program, watchdogMs });
          void producer.end('SIGINT').then(() => resolve());
        });
        watchdog.restart();
      }
    });
    clearTimeout(recovery);
    watchdog?.stop();
    watchdog = undefined; // a late line must not wake it
    const reason = 'the program ended its output';
    if (endsInWords) this.#intake.interrupt(reason);
    else this.#intake.end(reason);
    if (this.#isUseless) return producer.end('SIGINT');
    return producer.finish(() => this.#isStopped);
  }

  #keep(line: string): void {
    if (this.#lastLines.push(line) > maxKeptLines) this.#lastLines.shift();
  }

  /** A program that fails again and again in the same way has been complained of. */
  #logEnd(fields: LogFields, restartMs: number): void {
    const end = JSON.stringify(fields);
    this.#log.own(end === this.#lastEnd ? 'debug' : 'warn', 'program ended', {
      ...fields,
      restartMs,
    });
    this.#lastEnd = end;
  }

  #lastWords(): LogFields {
    const lines = this.#lastLines;
    const lastLine = lines.at(-1) ?? '';
    return { lastLine, ...hintFor(lines, this.#program.hints) };
  }
}

/** Why a program ended, for controllers: its last words, or how it ended. */
function faultText({ lastLine, hint, error, signal, code }: LogFields): string {
  const how = signal ? `by ${signal}` : `with status ${code}`;
  const reason = lastLine || error || `the program ended ${how}`;
  return cutText(withoutSecrets([reason, hint].filter(Boolean).join(': ')), maxFaultLength);
}

/** The first of the hints that one of the lines matches. */
export function hintFor(lines: readonly string[], hints: readonly ProgramHint[] = []): LogFields {
  const hint = hints.find(([pattern]) => lines.some((line) => pattern.test(line)));
  return hint ? { hint: hint[1] } : {};
}
