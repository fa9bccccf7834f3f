import { ZerocastError } from '../base/errors.ts';

/** What was asked of the scenes cannot be done: stops one request. */
export class SceneError extends ZerocastError {}
