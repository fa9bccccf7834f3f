import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { findIdentity } from '../app/daemon/identity.ts';

const commandTimeoutMs = 5000;
const bits = { read: 4, write: 2, execute: 1 } as const;
const modes = { read: constants.R_OK, write: constants.W_OK, execute: constants.X_OK } as const;
const verbs = { read: 'read', write: 'written', execute: 'executed' } as const;

type Wish = keyof typeof bits;

/** The user that the server runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gids: readonly number[];
  /** It is also the user of this process, so that the kernel itself can be asked. */
  readonly isOwn: boolean;
}

export function ownUser(): ServerUser {
  const uid = process.geteuid?.() ?? -1;
  const gids = [process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])];
  return { name: userNameOf(uid), uid, gids, isOwn: true };
}

/**
 * A user and a group as the server would become them in the background.
 *
 * Failure: throws a `ConfigError` when there is none of that name.
 */
export function serverUserOf(user: string, group: string): ServerUser {
  const { user: name, uid, gid } = findIdentity({ user, group });
  return { name, uid, gids: [gid, ...furtherGroupsOf(name)], isOwn: uid === ownUser().uid };
}

/**
 * Why the user may not do that with what lies at `path`; `undefined` when nothing forbids it. Of
 * another user only the modes are looked at, no lists of further rights.
 */
export function refusalOf(serverUser: ServerUser, path: string, wish: Wish): string | undefined {
  if (serverUser.isOwn && isGranted(path, wish)) return undefined;
  const folder = foldersAbove(path).find((one) => !allows(serverUser, one, 'execute'));
  if (folder !== undefined) return `${serverUser.name} may not enter the folder ${folder}`;
  if (!serverUser.isOwn && allows(serverUser, path, wish)) return undefined;
  return `${path} may not be ${verbs[wish]} by ${serverUser.name}`;
}

function isGranted(path: string, wish: Wish): boolean {
  try {
    accessSync(path, modes[wish]);
    return true;
  } catch {
    return false;
  }
}

function allows(serverUser: ServerUser, path: string, wish: Wish): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined || (bitsFor(serverUser, stats) & bits[wish]) !== 0;
}

function bitsFor({ uid, gids }: ServerUser, stats: Stats): number {
  if (uid === 0) return bits.read | bits.write | (stats.isDirectory() ? 1 : anyExecuteBit(stats));
  if (stats.uid === uid) return stats.mode >> 6;
  if (gids.includes(stats.gid)) return stats.mode >> 3;
  return stats.mode;
}

function anyExecuteBit({ mode }: Stats): number {
  return (mode & 0o111) === 0 ? 0 : bits.execute;
}

/** From the outermost to the innermost. */
function foldersAbove(path: string): string[] {
  const folder = dirname(path);
  return folder === path ? [] : [...foldersAbove(folder), folder];
}

/** Also of one that has none. */
export function userNameOf(uid: number): string {
  try {
    const own = userInfo();
    if (own.uid === uid) return own.username;
    return nameInDatabase(uid) ?? `user ${uid}`;
  } catch {
    return uid === 0 ? 'root' : `user ${uid}`;
  }
}

function nameInDatabase(uid: number): string | undefined {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  return lines.map((line) => line.split(':')).find(([, , id]) => id === `${uid}`)?.[0];
}

/** Without the primary one. */
function furtherGroupsOf(user: string): readonly number[] {
  try {
    const text = execFileSync('id', ['-G', '--', user], {
      encoding: 'utf8',
      timeout: commandTimeoutMs,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim().split(' ').slice(1).map(Number);
  } catch {
    // The program id is missing: the rights of these groups are not known.
    return [];
  }
}
