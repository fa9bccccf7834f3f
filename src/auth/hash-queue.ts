import { failedToCreate } from './login-errors.ts';
import { matchesHash, type PasswordHash } from './password-hash.ts';

/** Of libuv's four threads, which also read files. */
export const maxConcurrentHashes = 2;
/** Logins that wait for their turn; a flood of them must not delay the others without end. */
export const maxWaitingLogins = 100;

/** Computes few hashes at a time, and refuses what would have to wait too long. */
export class HashQueue {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Failure: rejects with an `RpcError` when too many wait already. */
  async matches(password: string, expected: PasswordHash): Promise<boolean> {
    await this.#takeTurn();
    try {
      return await matchesHash(password, expected);
    } catch {
      throw failedToCreate('the password cannot be hashed now');
    } finally {
      this.#passTurn();
    }
  }

  #takeTurn(): Promise<void> {
    if (this.#running < maxConcurrentHashes) {
      this.#running += 1;
      return Promise.resolve();
    }
    if (this.#waiting.length >= maxWaitingLogins) {
      throw failedToCreate('too many logins at once, try again later');
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next one inherits the turn, so that nobody who comes later overtakes it. */
  #passTurn(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
  }
}
