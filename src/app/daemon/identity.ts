import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ConfigError, messageOf } from '../../base/errors.ts';

/** A user of the system and a group, as numbers. */
export interface Identity {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The user, and the group or the user's own. Failure: a `ConfigError` for unknown names. */
export function findIdentity(names: { readonly user: string; readonly group: string }): Identity {
  const [user, , uid, primary, , home] = entryOf('passwd', names.user) ?? [];
  if (user === undefined || uid === undefined) {
    throw new ConfigError(
      'unknown-user',
      `there is no user "${names.user}" to run as: set [server] user to one that exists, or make ` +
        `it with "useradd --system --user-group --no-create-home ${names.user}"`,
    );
  }
  const gid = names.group ? groupNumber(names.group) : Number(primary);
  return { user, uid: Number(uid), gid, home: home || '/' };
}

function groupNumber(name: string): number {
  const [, , gid] = entryOf('group', name) ?? [];
  if (gid !== undefined) return Number(gid);
  throw new ConfigError(
    'unknown-group',
    `there is no group "${name}" to run as: set [server] group to one that exists, or leave it ` +
      'empty for that of the user',
  );
}

/** Node has it, its type declarations have not. Source: Node.js documentation, process.initgroups. */
type WithGroups = NodeJS.Process & { initgroups?(user: string, extraGroup: number): void };

/** The fields of a line of /etc/passwd or /etc/group, by name or number. */
function entryOf(database: 'passwd' | 'group', name: string): readonly string[] | undefined {
  return entryOfFile(database, name) ?? entryOfNetwork(database, name);
}

function entryOfFile(database: string, name: string): readonly string[] | undefined {
  try {
    const lines = readFileSync(`/etc/${database}`, 'utf8').split('\n');
    const entries = lines.map((line) => line.split(':'));
    return (
      entries.find(([known]) => known === name) ?? entries.find(([, , number]) => number === name)
    );
  } catch {
    return undefined;
  }
}

/** Users may also come from a directory in the network, which the system knows how to ask. */
function entryOfNetwork(database: string, name: string): readonly string[] | undefined {
  try {
    const line = execFileSync('getent', [database, '--', name], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return line.trim().split(':');
  } catch {
    return undefined;
  }
}

/**
 * Makes this process one of that user, for good.
 *
 * Failure: throws a `ConfigError` when the system refuses, or when the way back is still open.
 */
export function becomeUser({ user, uid, gid, home }: Identity): void {
  try {
    (process as WithGroups).initgroups?.(user, gid);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    throw new ConfigError(
      'cannot-change-user',
      `the server cannot run as user "${user}": ${messageOf(error)}`,
      { cause: error },
    );
  }
  const isChanged = process.getuid?.() === uid && process.geteuid?.() === uid;
  if (!isChanged || process.getegid?.() !== gid) {
    throw new ConfigError('cannot-change-user', `the system did not change the user to "${user}"`);
  }
  process.env.HOME = home;
  process.env.USER = user;
  process.env.LOGNAME = user;
}
