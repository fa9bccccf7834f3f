import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { assert } from '../base/errors.ts';
import { networkOf } from '../base/net/remote-address.ts';
import type { NameAndPassword } from './credential-text.ts';
import { GuessLimiter } from './guess-limiter.ts';
import { HashQueue } from './hash-queue.ts';
import { failedToCreate } from './login-errors.ts';
import { costsTheSame, decoyOf, type PasswordHash } from './password-hash.ts';
import type { User } from './user-entries.ts';

/** Logins that are known to be right: HTTP shows its credentials with every request. */
export const maxKnownLogins = 1000;
const knownForUs = 10 * 60 * 1_000_000;

/**
 * Compares passwords in a time that tells nothing: neither where a wrong one differs, nor whether
 * there is a user of that name, nor how its password is written. Where any user has a hash, every
 * login costs one of each cost that there is; elsewhere guesses are counted, whomever they name.
 */
export class PasswordCheck {
  readonly #clock: Clock;
  readonly #users: ReadonlyMap<string, User>;
  /** One of each cost that a user's hash has. */
  readonly #decoys: readonly PasswordHash[];
  /** In place of the password of a user that there is not. */
  readonly #nonsense = randomBytes(32).toString('base64');
  readonly #queue = new HashQueue();
  readonly #limiter: GuessLimiter;
  /** Of this process: what is kept below says nothing to a reader of another one's dump. */
  readonly #digestKey = randomBytes(32);
  /** Until when a login is known to be right, by its digest, oldest first. */
  readonly #known = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(users: ReadonlyMap<string, User>, clock: Clock) {
    this.#clock = clock;
    this.#users = users;
    this.#decoys = decoysFor([...users.values()]);
    this.#limiter = new GuessLimiter(clock);
  }

  /** Failure: rejects with an `RpcError` when there are too many logins to look at this one. */
  async isRight(login: NameAndPassword, remoteAddress: string): Promise<boolean> {
    const address = networkOf(remoteAddress);
    // A name has no colon, so no two logins have the same text.
    const key = this.#digest(`${login.name}:${login.password}`).toString('base64');
    if (this.#isKnown(key)) return true;
    const underWay = this.#underWay.get(key);
    if (underWay) return underWay;
    const check = this.#check(login, address);
    this.#underWay.set(key, check);
    try {
      const isRight = await check;
      if (isRight) this.#remember(key);
      return isRight;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #check(login: NameAndPassword, address: string): Promise<boolean> {
    const [decoy, ...others] = this.#decoys;
    if (!decoy) return this.#isSameUnlessGuessed(login, address);
    const { name, password } = login;
    const own = this.#users.get(name)?.password ?? this.#nonsense;
    if (typeof own === 'string') {
      await this.#queue.matches({ password, expected: decoy, decoys: others, address });
      return this.#isSame(password, own);
    }
    const decoys = this.#decoys.filter((one) => !costsTheSame(one, own));
    return this.#queue.matches({ password, expected: own, decoys, address });
  }

  /** Costs next to nothing, so that nothing but the limiter slows down guesses. */
  #isSameUnlessGuessed(login: NameAndPassword, address: string): boolean {
    // Names are as long as their senders like.
    const name = this.#digest(login.name).toString('base64');
    if (!this.#limiter.allows(name, address)) {
      throw failedToCreate('too many wrong passwords, try again later');
    }
    const own = this.#users.get(login.name)?.password ?? this.#nonsense;
    assert(typeof own === 'string', 'no user has a hash');
    const isRight = this.#isSame(login.password, own);
    if (!isRight) this.#limiter.wasWrong(name, address);
    return isRight;
  }

  #isSame(a: string, b: string): boolean {
    return timingSafeEqual(this.#digest(a), this.#digest(b));
  }

  #digest(text: string): Buffer {
    return createHmac('sha256', this.#digestKey).update(text).digest();
  }

  #isKnown(key: string): boolean {
    const untilUs = this.#known.get(key);
    if (untilUs === undefined) return false;
    if (this.#clock.nowUs() < untilUs) return true;
    this.#known.delete(key);
    return false;
  }

  #remember(key: string): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= maxKnownLogins && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, this.#clock.nowUs() + knownForUs);
  }
}

function decoysFor(users: readonly User[]): readonly PasswordHash[] {
  const decoys: PasswordHash[] = [];
  for (const { password } of users) {
    if (typeof password === 'string' || decoys.some((one) => costsTheSame(one, password))) continue;
    decoys.push(decoyOf(password));
  }
  return decoys;
}
