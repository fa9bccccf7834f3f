import { lchownSync, lstatSync } from 'node:fs';
import { userInfo } from 'node:os';
import { messageOf } from '../../base/errors.ts';
import { makeFolder } from '../../base/files/make-folder.ts';
import type { LockFunctions, ProcessLock } from '../../base/files/process-lock.ts';
import type { Logger, LogReport } from '../../base/logger.ts';
import { becomeUser, findIdentity, type Identity } from './identity.ts';
import { openPidFile } from './pid-file.ts';

/** Files and folders that are made in the background are open to read, and closed to write. */
const backgroundUmask = 0o022;

/** What a server in the background has that one in the foreground has not: a pid file, a user. */
export class Background {
  /** The user to become; absent when this process stays who it is. */
  readonly identity: Identity | undefined;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
  readonly #pidFile: ProcessLock;

  /** Failure: throws a `ConfigError`: no such user, or another server has the pid file. */
  constructor({
    pidFile: path,
    user,
    group,
    lockFile,
  }: LockFunctions & {
    /** Absolute. */
    readonly pidFile: string;
    readonly user: string;
    /** Empty: that of the user. */
    readonly group: string;
  }) {
    process.umask(backgroundUmask);
    const isRoot = process.geteuid?.() === 0;
    this.identity = isRoot ? findIdentity({ user, group }) : undefined;
    const present = presentUser();
    this.warnings =
      isRoot || user === present
        ? []
        : [`[server] user is ignored: only root can become ${user}; running as ${present}`];
    this.#pidFile = openPidFile({ path, lockFile, owner: this.identity });
  }

  /**
   * Makes a folder that the server will write to as its user. One that exists and belongs to
   * another user keeps its owner, unless it is the server's `usual` place.
   *
   * Shape: returns what is to be warned of.
   */
  prepareFolder(
    folder: string,
    { isUsual }: { readonly isUsual: boolean },
  ): readonly Pick<LogReport, 'phrase' | 'fields'>[] {
    const { identity } = this;
    if (!identity) return [];
    try {
      const made = makeFolder(folder);
      const { uid } = lstatSync(folder);
      if (made !== undefined || (isUsual && uid === 0)) {
        // Never through a link that was put there in the meantime.
        lchownSync(folder, identity.uid, identity.gid);
      } else if (uid !== identity.uid) {
        const phrase = 'the data folder belongs to another user, state may not be saved';
        return [{ phrase, fields: { folder, owner: uid, user: identity.user } }];
      }
      return [];
    } catch (error) {
      const fields = { folder, reason: messageOf(error) };
      return [{ phrase: 'the data folder cannot be prepared', fields }];
    }
  }

  /** Gives up the rights of root. Failure: throws a `ConfigError`. */
  dropPrivileges(log: Logger): void {
    const { identity } = this;
    if (!identity || identity.uid === process.getuid?.()) return;
    becomeUser(identity);
    log.info('running as another user now', { user: identity.user, group: identity.gid });
  }

  /** Removes the pid file. */
  close(): void {
    this.#pidFile.release();
  }
}

function presentUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without a name, as in a container.
    return String(process.getuid?.() ?? '');
  }
}
