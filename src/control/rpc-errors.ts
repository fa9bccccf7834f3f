import { RpcError, ZerocastError } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';

// The texts of these errors are what controllers know, explanations go to `data`.
// Source: protocol reference, 9.2.

/** Longer words of a request are cut before an error repeats them. */
const maxQuotedLength = 100;

export function parseError(data: string): RpcError {
  return new RpcError(-32700, 'Parse error', data);
}

export function invalidRequest(data: string): RpcError {
  return new RpcError(-32600, 'Invalid Request', data);
}

export function methodNotFound(): RpcError {
  return new RpcError(-32601, 'Method not found');
}

export function invalidParams(data: string): RpcError {
  return new RpcError(-32602, 'Invalid params', data);
}

export function internalError(data: string): RpcError {
  return new RpcError(-32603, 'Internal error', data);
}

/** A fault of ours or of the system: the administrator may fix it, the peer cannot. */
export function unexpectedFailure(): RpcError {
  return internalError('unexpected failure, see the log of the server');
}

/** One of ours with its code in front, which programs look at. */
export function withCode(error: unknown): unknown {
  if (error instanceof RpcError || !(error instanceof ZerocastError)) return error;
  return internalError(`${error.code}: ${error.message}`);
}

/** Not logged in. */
export function unauthorized(): RpcError {
  return new RpcError(401, 'Unauthorized');
}

/** Logged in, but not allowed. */
export function forbidden(data?: string): RpcError {
  return new RpcError(403, 'Forbidden', data);
}

/** A word of the request, fit to be repeated in an error. */
export function quoted(word: string): string {
  const isShort = word.length <= maxQuotedLength;
  return `'${isShort ? word : `${cutText(word, maxQuotedLength)}…`}'`;
}
