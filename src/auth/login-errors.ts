import { RpcError } from '../errors.ts';

// The codes of Server.Authenticate. Source: protocol reference, 13.

export function schemeNotSupported(): RpcError {
  return new RpcError(1, 'Authentication scheme not supported');
}

/** For logins that the server itself could not look at. */
export function failedToCreate(detail: string): RpcError {
  return new RpcError(2, `Failed to create token: ${detail}`);
}

export function unknownUser(detail?: string): RpcError {
  return new RpcError(3, detail === undefined ? 'Unknown user' : `Unknown user: ${detail}`);
}

export function wrongPassword(): RpcError {
  return new RpcError(4, 'Wrong password');
}

export function expired(): RpcError {
  return new RpcError(5, 'Expired');
}

export function tokenRefused(detail: string): RpcError {
  return new RpcError(6, `Token validation failed: ${detail}`);
}
