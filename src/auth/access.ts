import { RpcError } from '../errors.ts';

/** What a peer shows to log in. Source: protocol reference, 13. */
export interface Credentials {
  /** `Basic`, `Plain` or `Bearer`, in any case. */
  readonly scheme: string;
  readonly param: string;
}

/** Somebody who is logged in. */
export interface Login {
  readonly user: string;
  /** Whether the user may call the method of this name, or `Streaming`: play as a client. */
  permits(permission: string): boolean;
}

/** Who may do what. */
export interface Access {
  /** What everybody may without logging in; `undefined` when a login is needed. */
  readonly anonymous: Login | undefined;
  /** Failure: rejects with an `RpcError` of code 1 to 6, which names no secret. */
  login(credentials: Credentials): Promise<Login>;
}

const everybody: Login = { user: '', permits: () => true };
const acceptedSchemes = new Set(['basic', 'plain']);

/** Authorization is off: everybody may do everything, and every password is right. */
export const openAccess: Access = {
  anonymous: everybody,
  login: async ({ scheme }) => {
    if (acceptedSchemes.has(scheme.toLowerCase())) return everybody;
    throw new RpcError(1, 'Authentication scheme not supported');
  },
};
