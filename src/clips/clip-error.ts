import { ZerocastError } from '../base/errors.ts';

/** A clip cannot be used, or what was asked of the library cannot be done: stops one request. */
export class ClipError extends ZerocastError {}
