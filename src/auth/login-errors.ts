import { messageOf, RpcError } from '../base/errors.ts';

// The codes of Server.Authenticate. Source: protocol reference, 13.

export function schemeNotSupported(): RpcError {
  return new RpcError(1, 'Authentication scheme not supported');
}

/** For logins that the server itself could not look at. */
export function failedToCreate(detail: string): RpcError {
  return new RpcError(2, `Failed to create token: ${detail}`);
}

/** What was shown is no user and password at all, which says nothing about any user. */
export function malformed(detail: string): RpcError {
  return new RpcError(4, `${refusal}: ${detail}`);
}

/**
 * One answer whether there is no such user or the password is another one, so that no peer learns
 * the names of users by trying; `reason` is for the log.
 */
export function wrongCredentials(reason: 'unknown user' | 'wrong password'): RpcError {
  return withReason(new RpcError(4, refusal), reason);
}

export function expired(): RpcError {
  return new RpcError(5, 'Expired');
}

/** The same for tokens: which key and which algorithm would be right is for the log. */
export function tokenRefused(reason: string): RpcError {
  return withReason(new RpcError(6, 'Token validation failed'), reason);
}

/** Why a login was refused, for the log: it may say more than the peer is told, and no secret. */
export function refusalReason(error: unknown): string {
  const { cause } = Object(error) as { readonly cause?: unknown };
  const told = messageOf(error);
  return typeof cause === 'string' ? `${told}: ${cause}` : told;
}

const refusal = 'Wrong user or password';

function withReason(error: RpcError, reason: string): RpcError {
  error.cause = reason;
  return error;
}
