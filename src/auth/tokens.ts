import type { JWTPayload } from 'jose';
import { expired, tokenRefused } from './login-errors.ts';
import type { TokenKey } from './token-key.ts';

/** Clocks of other machines are never quite right. */
const clockToleranceSeconds = 60;

/** What a token says. */
interface TokenClaims {
  readonly user: string;
  /** Of the password that it stands for, see `TokenKeys`; absent: it stands for itself. */
  readonly passwordMark?: string | undefined;
}

/**
 * Loads the library for tokens, which a server without them does not pay for.
 *
 * Failure: what it resolves with rejects with an `RpcError`.
 */
export async function tokenVerifier({
  key,
  algorithm,
}: TokenKey): Promise<(token: string) => Promise<TokenClaims>> {
  const { errors, jwtVerify } = await import('jose');
  // One algorithm, that of the key: a public key must never serve as a secret, nor `none` as a key.
  const options = {
    algorithms: [algorithm],
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ['sub', 'exp'],
  };
  return async (token) => {
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, key, options));
    } catch (thrown) {
      if (thrown instanceof errors.JWTExpired) throw expired();
      throw tokenRefused(
        thrown instanceof errors.JOSEError ? reasonOf(thrown.code) : 'not a token',
      );
    }
    const { sub, pwd } = payload;
    if (typeof sub !== 'string') throw tokenRefused('it names no user');
    if (pwd !== undefined && typeof pwd !== 'string') throw tokenRefused('its password is no text');
    return { user: sub, passwordMark: pwd };
  };
}

const reasons: ReadonlyMap<string, string> = new Map([
  ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'its signature is wrong'],
  ['ERR_JWT_CLAIM_VALIDATION_FAILED', 'a claim is missing or not true yet'],
  ['ERR_JOSE_ALG_NOT_ALLOWED', 'it is signed by another algorithm'],
]);

/** Words of our own: the library's may quote the token. */
function reasonOf(code: string): string {
  return reasons.get(code) ?? 'it is no signed token';
}

/** Signs a token with the claims that the reference names. Source: protocol reference, 13. */
export async function signToken(
  claims: TokenClaims & { readonly lifetimeSeconds: number },
  { key, algorithm }: TokenKey,
): Promise<string> {
  const { SignJWT } = await import('jose');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const { user, passwordMark, lifetimeSeconds } = claims;
  return new SignJWT(passwordMark === undefined ? {} : { pwd: passwordMark })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .setSubject(user)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + lifetimeSeconds)
    .sign(key);
}
