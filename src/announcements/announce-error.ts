import { ZerocastError } from '../base/errors.ts';

/** An announcement cannot be made: stops it alone. The code is what programs read, for example `queue-full`. */
export class AnnounceError extends ZerocastError {}
