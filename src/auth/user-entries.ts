import { ConfigError } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';
import { hashPrefix, type PasswordHash, parsePasswordHash } from './password-hash.ts';
import {
  compilePermissions,
  type Permits,
  permissionShape,
  permitsNothing,
} from './permissions.ts';

/** Plain text, or the hash of a password. */
export type Password = string | PasswordHash;

export interface User {
  readonly name: string;
  readonly password: Password;
  readonly permits: Permits;
}

export interface UserEntries {
  /** Shape: `name:permission[,permission...]`. */
  readonly roles: readonly string[];
  /** Shape: `name:password[:role]`; the first colon ends the name, the last one begins the role. */
  readonly users: readonly string[];
  /** Where each of these entries stands, for messages; absent: unknown. */
  readonly origins?: Readonly<Record<'roles' | 'users', readonly string[]>> | undefined;
}

/** A configuration of garbage must not become a message without end. */
const maxListedFaults = 20;

/**
 * The users by name.
 *
 * Failure: throws one `ConfigError` that lists every fault and shows no password, nor anything
 * that may be a part of one.
 * Source: protocol reference, 13.
 */
export function readUsers({ roles, users, origins }: UserEntries): ReadonlyMap<string, User> {
  const faults: string[] = [];
  const complain = (at: readonly string[] | undefined) => (index: number, fault: string) =>
    faults.push(`${at?.[index] === undefined ? '' : `${at[index]}: `}[authorization] ${fault}`);
  const roleTable = tableOf(
    'role',
    roles.map((entry) => readRole(entry)),
    complain(origins?.roles),
  );
  const userTable = tableOf(
    'user',
    users.map((entry) => readUser(entry, roleTable)),
    complain(origins?.users),
  );
  throwIfFaulty(faults);
  return userTable;
}

/** What an entry says, or a sentence about it, to be followed by nothing that the entry says. */
type Read<Value> = Value | { readonly fault: string; readonly name?: string };

function tableOf<Value extends { readonly name: string }>(
  kind: string,
  results: readonly Read<Value>[],
  report: (index: number, fault: string) => void,
): ReadonlyMap<string, Value> {
  const table = new Map<string, Value>();
  for (const [index, result] of results.entries()) {
    const label = result.name ? JSON.stringify(result.name) : `number ${index + 1}`;
    const complain = (fault: string) => report(index, `${kind} ${label}: ${fault}`);
    if ('fault' in result) complain(result.fault);
    else if (table.has(result.name)) complain('the name is taken; leave only one of them');
    else table.set(result.name, result);
  }
  return table;
}

interface Role {
  readonly name: string;
  readonly permits: Permits;
}

function readRole(entry: string): Read<Role> {
  const { name, rest } = splitName(entry);
  if (!name || rest === undefined) return { fault: 'allowed: <name>:<permission>[,...]' };
  const permissions = rest.split(',').map((one) => one.trim());
  const strange = permissions.find((one) => !permissionShape.test(one));
  if (strange !== undefined) {
    const found = JSON.stringify(cutText(strange, 80));
    const allowed = 'a method name such as Client.SetVolume, * as wildcard, - in front to deny';
    return { name, fault: `${found} is no permission; allowed: ${allowed}` };
  }
  return { name, permits: compilePermissions(permissions) };
}

function readUser(entry: string, roles: ReadonlyMap<string, Role>): Read<User> {
  const { name, rest } = splitName(entry);
  if (!name || rest === undefined) return { fault: 'allowed: <name>:<password>[:<role>]' };
  const colon = rest.lastIndexOf(':');
  const [text, roleName] =
    colon < 0 ? [rest, ''] : [rest.slice(0, colon), rest.slice(colon + 1).trim()];
  if (text === '') return { name, fault: 'the password is missing' };
  const password = readPassword(text);
  if (password === undefined) {
    return {
      name,
      fault: `a password that begins with ${hashPrefix} is a hash, but this one is broken; copy the whole line that "zerocast hash-password" prints`,
    };
  }
  if (roleName === '') return { name, password, permits: permitsNothing };
  const role = roles.get(roleName);
  if (role) return { name, password, permits: role.permits };
  return { name, fault: unknownRole(roles) };
}

/** Does not name the role: behind the last colon there may be a piece of the password. */
function unknownRole(roles: ReadonlyMap<string, Role>): string {
  const known = [...roles.keys()].slice(0, maxListedFaults).join(', ') || 'there are none';
  return (
    `what follows the last colon is no role (${known}); add that role, or, if it belongs to the ` +
    'password, end the entry with a colon and a role; a colon alone gives no permissions'
  );
}

function splitName(entry: string): { readonly name: string; readonly rest?: string } {
  const colon = entry.indexOf(':');
  if (colon < 0) return { name: '' };
  return { name: entry.slice(0, colon).trim(), rest: entry.slice(colon + 1) };
}

function readPassword(text: string): Password | undefined {
  return text.startsWith(hashPrefix) ? parsePasswordHash(text) : text;
}

function throwIfFaulty(faults: readonly string[]): void {
  if (faults.length === 0) return;
  const listed = faults.slice(0, maxListedFaults);
  const unlisted = faults.length - listed.length;
  if (unlisted > 0) listed.push(`and ${unlisted} more`);
  const lines = listed.map((fault) => `\n  ${fault}`);
  const message = `the users cannot be used:${lines.join('')}`;
  throw new ConfigError('bad-users', message, { faults: listed });
}
