import { type Clock, monotonicClock } from '../clock.ts';
import { type Access, type Credentials, type Login, openAccess } from './access.ts';
import {
  maxCredentialCharacters,
  type NameAndPassword,
  parseBasic,
  parsePlain,
} from './credential-text.ts';
import { schemeNotSupported, unknownUser, wrongPassword } from './login-errors.ts';
import { PasswordCheck } from './password-check.ts';
import { type TokenMaterial, verificationKey } from './token-key.ts';
import { tokenVerifier } from './tokens.ts';
import { readUsers, type User, type UserEntries } from './user-entries.ts';

export interface AccessOptions extends UserEntries {
  readonly enabled: boolean;
  /** Without any of it there are no Bearer tokens. */
  readonly tokens?: TokenMaterial | undefined;
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
export async function createAccess(options: AccessOptions): Promise<Access> {
  if (!options.enabled) return openAccess;
  const users = readUsers(options);
  const schemes = await schemesOf(users, options);
  return {
    anonymous: undefined,
    login: async ({ scheme, param }: Credentials) => {
      const login = schemes.get(scheme.toLowerCase());
      if (!login) throw schemeNotSupported();
      if (param.length > maxCredentialCharacters) throw unknownUser('the credentials are too long');
      return login(param);
    },
  };
}

type LoginByText = (param: string) => Promise<Login>;

async function schemesOf(
  users: ReadonlyMap<string, User>,
  { tokens = {}, clock = monotonicClock }: AccessOptions,
): Promise<ReadonlyMap<string, LoginByText>> {
  const check = new PasswordCheck(users, clock);
  const byPassword = (parse: (param: string) => NameAndPassword) => async (param: string) => {
    const login = parse(param);
    const isRight = await check.isRight(login);
    const user = knownUser(users, login.name);
    if (!isRight) throw wrongPassword();
    return user;
  };
  const schemes = new Map<string, LoginByText>([
    ['basic', byPassword(parseBasic)],
    ['plain', byPassword(parsePlain)],
  ]);
  const key = verificationKey(tokens);
  if (!key) return schemes;
  const verify = await tokenVerifier(key);
  return schemes.set('bearer', async (param) => knownUser(users, await verify(param)));
}

function knownUser(users: ReadonlyMap<string, User>, name: string): Login {
  const user = users.get(name);
  if (!user) throw unknownUser();
  return { user: user.name, permits: user.permits };
}
