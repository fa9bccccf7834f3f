import { RpcError } from '../base/errors.ts';
import type { Credentials } from '../protocol/messages.ts';

/** A user who is logged in. */
export interface Login {
  readonly user: string;
  /** Whether the user may call the method of this name, or `Streaming`: play as a client. */
  permits(permission: string): boolean;
}

/** Who may do what. */
export interface Access {
  /** What every peer may without logging in; `undefined` when a login is needed. */
  readonly anonymous: Login | undefined;
  /**
   * Shape: `address` is where they come from: addresses do not have to wait for each other.
   * Failure: rejects with an `RpcError` of code 1 to 6, which names no secret.
   */
  login(credentials: Credentials, address?: string): Promise<Login>;
  /**
   * A token that stands for a login by password; `undefined` for any other: by a token one could
   * log in for ever. Absent: there are none.
   *
   * Failure: rejects with a `ConfigError` when there is nothing to sign it with.
   */
  issueToken?(login: Login, lifetimeSeconds: number): Promise<string | undefined>;
}

/** Who may do what by the entries of one configuration. */
export interface AccessEntries extends Required<Omit<Access, 'anonymous'>> {
  readonly anonymous: Login | undefined;
  /**
   * What a login that other entries have granted is worth by these; `undefined` when its user is
   * gone, or when what was shown, a password or a token, would be refused now.
   */
  renew(login: Login): Login | undefined;
}

/** To add streams that hear this machine: nobody has it merely because no login is needed. */
export const capturePermission = 'Stream.AddStream.Capture';

const acceptedSchemes = new Set(['basic', 'plain']);

/** Authorization is off: every peer may do everything but hear this machine, and every password is right. */
export const openAccess = accessOfEverybody((permission) => permission !== capturePermission);

/** The same where every peer may hear this machine, too. */
export const openAccessWithCapture = accessOfEverybody(() => true);

function accessOfEverybody(permits: Login['permits']): AccessEntries {
  const everybody: Login = { user: '', permits };
  return {
    anonymous: everybody,
    login: async ({ scheme }) => {
      if (acceptedSchemes.has(scheme.toLowerCase())) return everybody;
      throw new RpcError(1, 'Authentication scheme not supported');
    },
    issueToken: async () => undefined,
    renew: () => everybody,
  };
}
