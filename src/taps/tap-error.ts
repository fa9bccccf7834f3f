import { ZerocastError } from '../base/errors.ts';

/** Why there is no tap: no stream of this name, a bad request, or a stream without audio. */
export type TapFault = 'no-stream' | 'bad-request' | 'no-audio';

/** A tap that is asked for cannot be had: stops one exchange; the message says how to mend it. */
export class TapError extends ZerocastError {
  readonly fault: TapFault;

  constructor(fault: TapFault, message: string) {
    super(`tap-${fault}`, message);
    this.fault = fault;
  }
}
