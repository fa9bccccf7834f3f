import type { Socket } from 'node:net';
import { monotonicClock } from '../../base/clock.ts';
import { messageOf, SourceError } from '../../base/errors.ts';
import type { CaptureFault, NativeCapture } from '../../base/native/native-addon.ts';
import { openDescriptor, type ReadInto } from '../../base/net/adopt-socket.ts';
import { within } from '../../base/time/within.ts';
import type { Intake } from './intake.ts';
import { hintFor, type ProgramHint } from './program-source.ts';
import { type Connector, SocketSource } from './socket-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';

/** A device that was heard for so long was well: it is opened again at once. */
const healthyRunMs = 10_000;

/** What of this machine is heard, and what to do where it cannot be. */
interface CapturedDevice {
  /** As the log calls it. */
  readonly name: string;
  /** Begins to hear it. Failure: throws; that counts as a device that is missing. */
  start(): NativeCapture;
  /** Whether it will never be heard; absent: it is tried again. */
  isFinal?(fault: CaptureFault): boolean;
  readonly hints: readonly ProgramHint[];
  readonly firstRetryMs: number;
  readonly slowestRetryMs: number;
}

/** A source that hears a device of this machine by the addon, again and again until it can. */
export function captureSource(context: SourceContext, device: CapturedDevice): StreamSource {
  return new SocketSource(context, (intake) => new CaptureConnector(intake, device, context));
}

class CaptureConnector implements Connector {
  readonly #intake: Intake;
  readonly #device: CapturedDevice;
  readonly #context: SourceContext;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  /** What was told of it last; nothing while it is heard. */
  #fault: string | undefined;
  #endWait: () => void = () => undefined;
  #capture: NativeCapture | undefined;
  /** Of the captures before. */
  #formerOverruns = 0;

  constructor(intake: Intake, device: CapturedDevice, context: SourceContext) {
    this.#intake = intake;
    this.#device = device;
    this.#context = context;
  }

  get overruns(): number {
    return this.#formerOverruns + (this.#capture?.overruns() ?? 0);
  }

  start(): void {
    this.#isStopped = false;
    this.#running = this.#keepHearing();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endWait();
    await this.#running;
  }

  async #keepHearing(): Promise<void> {
    const { firstRetryMs, slowestRetryMs } = this.#device;
    let retryMs = firstRetryMs;
    while (!this.#isStopped) {
      const startMs = monotonicClock.nowUs() / 1000;
      const fault = await this.#hearOnce();
      if (this.#isStopped) return;
      if (monotonicClock.nowUs() / 1000 - startMs >= healthyRunMs) retryMs = firstRetryMs;
      this.#tell(fault);
      const stopped = new Promise<void>((resolve) => {
        this.#endWait = resolve;
      });
      await within(stopped, retryMs);
      retryMs = Math.min(2 * retryMs, slowestRetryMs);
    }
  }

  /** Hears the device until it ends; returns why it did. */
  async #hearOnce(): Promise<string> {
    let capture: NativeCapture;
    try {
      capture = this.#device.start();
    } catch (error) {
      return messageOf(error);
    }
    this.#capture = capture;
    await new Promise<void>((resolve) => {
      this.#endWait = resolve;
      this.#intake.connect(
        (readInto) => this.#connect(capture, readInto),
        () => resolve(),
      );
    });
    this.#intake.end('the device is not heard any more');
    const isFree = await capture.stop();
    this.#formerOverruns += capture.overruns();
    this.#capture = undefined;
    if (!isFree) return 'it hangs';
    const fault = capture.fault();
    if (fault && !this.#isStopped && this.#device.isFinal?.(fault)) this.#fail(fault.reason);
    return fault?.reason ?? 'its audio ended';
  }

  #fail(reason: string): void {
    this.#isStopped = true;
    const { name, hints } = this.#device;
    const { hint } = hintFor([reason], hints);
    const advice = hint === undefined ? '' : `: ${hint}`;
    this.#intake.fail(
      new SourceError('device-unfit', `${name} cannot be heard: ${reason}${advice}`),
    );
  }

  #connect(capture: NativeCapture, readInto: ReadInto): Socket {
    const callback = (bytes: number, buffer: Uint8Array) => {
      this.#tell(undefined);
      return readInto.callback(bytes, buffer);
    };
    return openDescriptor(capture.descriptor, { buffer: () => readInto.buffer(), callback });
  }

  /** Each fault once, as long as there is no other. */
  #tell(fault: string | undefined): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    const { logger, uri } = this.#context;
    const { name: device, hints } = this.#device;
    const fields = { stream: uri.query.name, device };
    this.#intake.tellFault(fault && `${device} is not heard: ${fault}`);
    if (fault === undefined) logger.notice('device is heard again', fields);
    else
      logger.warn('device is not heard', { ...fields, reason: fault, ...hintFor([fault], hints) });
  }
}
