import { type Clock, monotonicClock } from '../base/clock.ts';
import { ConfigError } from '../base/errors.ts';
import { type AccessEntries, type Login, openAccess, openAccessWithCapture } from './access.ts';
import {
  maxCredentialCharacters,
  type NameAndPassword,
  parseBasic,
  parsePlain,
} from './credential-text.ts';
import { malformed, schemeNotSupported, tokenRefused, wrongCredentials } from './login-errors.ts';
import { PasswordCheck } from './password-check.ts';
import { isSamePassword } from './password-hash.ts';
import { OwnTokenKey, type TokenKey, TokenKeys, type TokenMaterial } from './token-key.ts';
import { signToken, tokenVerifier } from './tokens.ts';
import { type Password, readUsers, type User, type UserEntries } from './user-entries.ts';

export interface AccessOptions extends UserEntries {
  readonly enabled: boolean;
  /** Where that is false: every peer may add streams that hear this machine. */
  readonly allowCapture?: boolean;
  /** Without any of it there are no Bearer tokens but those that were issued here. */
  readonly tokens?: TokenMaterial | undefined;
  /** For these; what it has signed holds for other entries that get it, too. */
  readonly ownKey?: OwnTokenKey | undefined;
  /** How long a right password is remembered runs by this clock. */
  readonly clock?: Clock;
}

/**
 * Who may do what, by the entries of the configuration.
 *
 * The callers of `login` log what it refuses, with the address that only they know.
 *
 * Failure: rejects with a `ConfigError` that lists every fault and shows no password.
 * Source: protocol reference, 13.
 */
export async function createAccess(options: AccessOptions): Promise<AccessEntries> {
  if (!options.enabled) return options.allowCapture ? openAccessWithCapture : openAccess;
  const users = readUsers(options);
  const { tokens = {}, ownKey = new OwnTokenKey() } = options;
  const keys = new TokenKeys(tokens, ownKey);
  const schemes = await schemesOf({ users, keys }, options);
  return {
    anonymous: undefined,
    login: async ({ scheme, param }, address = '') => {
      const login = schemes.get(scheme.toLowerCase());
      if (!login) throw schemeNotSupported();
      if (param.length > maxCredentialCharacters) throw malformed('the credentials are too long');
      return login(param, address);
    },
    issueToken: async (login, lifetimeSeconds) => {
      const proof = proofs.get(login);
      if (!proof || !('password' in proof)) return undefined;
      const passwordMark = keys.markOf(proof.password);
      return signToken({ user: login.user, lifetimeSeconds, passwordMark }, keys.signing);
    },
    renew(login) {
      const proof = proofs.get(login);
      const user = users.get(login.user);
      const holds = user && proof && isStillGood(proof, { user, keys });
      return holds ? loginOf(user, proof) : undefined;
    },
  };
}

/** What a login rests on: the password of the user, or what its token was checked with. */
type Proof = { readonly password: Password } | TokenProof;

interface TokenProof {
  readonly key: TokenKey;
  readonly passwordMark: string | undefined;
}

/** Kept apart from the logins, which travel far, so that nothing secret travels with them. */
const proofs = new WeakMap<Login, Proof>();

function isStillGood(
  proof: Proof,
  { user, keys }: { readonly user: User; readonly keys: TokenKeys },
): boolean {
  if ('password' in proof) return isSamePassword(proof.password, user.password);
  const key = keys.present;
  const isSameKey = key?.algorithm === proof.key.algorithm && key.key.equals(proof.key.key);
  return isSameKey && standsFor(proof, { user, keys });
}

/** Whether the password that a token was given for is still that of its user. */
function standsFor(
  { passwordMark }: Pick<TokenProof, 'passwordMark'>,
  { user, keys }: { readonly user: User; readonly keys: TokenKeys },
): boolean {
  if (passwordMark === undefined) return true;
  try {
    return keys.markOf(user.password) === passwordMark;
  } catch (error) {
    // What has signed it is no part of the configuration any more.
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

function loginOf({ name, permits }: User, proof: Proof): Login {
  const login: Login = { user: name, permits };
  proofs.set(login, proof);
  return login;
}

type LoginByText = (param: string, address: string) => Promise<Login>;

async function schemesOf(
  { users, keys }: { readonly users: ReadonlyMap<string, User>; readonly keys: TokenKeys },
  { clock = monotonicClock }: AccessOptions,
): Promise<ReadonlyMap<string, LoginByText>> {
  const check = new PasswordCheck(users, clock);
  const byPassword =
    (parse: (param: string) => NameAndPassword) => async (param: string, address: string) => {
      const login = parse(param);
      const isRight = await check.isRight(login, address);
      const user = users.get(login.name);
      if (!user) throw wrongCredentials('unknown user');
      if (!isRight) throw wrongCredentials('wrong password');
      return loginOf(user, { password: user.password });
    };
  const schemes = new Map<string, LoginByText>([
    ['basic', byPassword(parseBasic)],
    ['plain', byPassword(parsePlain)],
  ]);
  const verifier = keys.configured && (await tokenVerifier(keys.configured));
  return schemes.set('bearer', async (param) => {
    const key = keys.present;
    if (!key) throw schemeNotSupported();
    const verify = verifier ?? (await tokenVerifier(key));
    const { user: name, passwordMark } = await verify(param);
    const user = users.get(name);
    if (!user) throw tokenRefused('it names no user that there is');
    if (!standsFor({ passwordMark }, { user, keys })) {
      throw tokenRefused('its user has another password now');
    }
    return loginOf(user, { key, passwordMark });
  });
}
