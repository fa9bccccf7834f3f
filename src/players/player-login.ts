import type { Access, Login } from '../auth/access.ts';
import { AssertionError, RpcError } from '../base/errors.ts';
import type { Credentials, Refusal } from '../protocol/messages.ts';

/** A user who may play has this permission. Source: protocol reference, 13. */
export const streamingPermission = 'Streaming';

/** Why this user may not play; `undefined` admits it. */
export function refusalFor(login: Login): Refusal | undefined {
  return login.permits(streamingPermission) ? undefined : forbidden;
}

/** Whom a player has logged in as, or why it may not play. */
export async function loginOfPlayer(
  access: Access,
  auth: Credentials | undefined,
  remoteAddress: string,
): Promise<Login | Refusal> {
  if (!auth) return unauthorized('Authentication required');
  try {
    const login = await access.login(auth, remoteAddress);
    return refusalFor(login) ?? login;
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    // What others throw may quote the credentials.
    return unauthorized(error instanceof RpcError ? error.message : 'Login failed');
  }
}

const forbidden: Refusal = {
  code: 403,
  name: 'Forbidden',
  detail: `Permission "${streamingPermission}" is missing`,
};

function unauthorized(detail: string): Refusal {
  return { code: 401, name: 'Unauthorized', detail };
}
