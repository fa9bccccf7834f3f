import { failedToCreate } from './login-errors.ts';
import { matchesHash, type PasswordHash } from './password-hash.ts';

/** Of libuv's four threads, which also read files. */
export const maxConcurrentHashes = 2;
/** Logins of one address that wait for their turn, and of all addresses together. */
export const maxWaitingOfAddress = 20;
export const maxWaitingLogins = 1000;

/**
 * Computes few hashes at a time, and refuses what would have to wait too long. Addresses take turns,
 * so that a peer that floods us with logins only delays itself.
 */
export class HashQueue {
  #running = 0;
  #waitingCount = 0;
  /** By address; the one in front has the next turn. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Failure: rejects with an `RpcError` when too many wait already. */
  async matches({
    password,
    expected,
    decoys,
    address,
  }: {
    readonly password: string;
    readonly expected: PasswordHash;
    /** What else is computed, so that every login costs the same. */
    readonly decoys: readonly PasswordHash[];
    /** Of the peer that logs in; addresses take turns. */
    readonly address: string;
  }): Promise<boolean> {
    await this.#takeTurn(address);
    try {
      const isRight = await matchesHash(password, expected);
      for (const decoy of decoys) await matchesHash(password, decoy);
      return isRight;
    } catch {
      throw failedToCreate('the password cannot be hashed now');
    } finally {
      this.#passTurn();
    }
  }

  #takeTurn(address: string): Promise<void> {
    if (this.#running < maxConcurrentHashes) {
      this.#running += 1;
      return Promise.resolve();
    }
    const ofAddress = this.#waiting.get(address) ?? [];
    if (ofAddress.length >= maxWaitingOfAddress || this.#waitingCount >= maxWaitingLogins) {
      throw failedToCreate('too many logins at once, try again later');
    }
    this.#waiting.set(address, ofAddress);
    this.#waitingCount += 1;
    return new Promise((resolve) => ofAddress.push(resolve));
  }

  /** The next login inherits the turn, so that no later one overtakes it. */
  #passTurn(): void {
    const [first] = this.#waiting;
    if (!first) {
      this.#running -= 1;
      return;
    }
    const [address, ofAddress] = first;
    const next = ofAddress.shift();
    this.#waitingCount -= 1;
    this.#waiting.delete(address);
    if (ofAddress.length > 0) this.#waiting.set(address, ofAddress);
    next?.();
  }
}
