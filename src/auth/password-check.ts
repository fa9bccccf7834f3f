import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { networkOf } from '../transport/remote-address.ts';
import type { NameAndPassword } from './credential-text.ts';
import { GuessBrake } from './guess-brake.ts';
import { HashQueue } from './hash-queue.ts';
import { failedToCreate } from './login-errors.ts';
import { decoyOf } from './password-hash.ts';
import type { Password, User } from './user-entries.ts';

/** Logins that are known to be right: HTTP shows its credentials with every request. */
export const maxKnownLogins = 1000;
const knownForUs = 10 * 60 * 1_000_000;

interface Attempt {
  readonly login: NameAndPassword;
  readonly address: string;
}

/**
 * Compares passwords in a time that tells nothing: neither where a wrong one differs, nor whether
 * there is a user of that name. Where any user has a hash, unknown users cost a hash.
 */
export class PasswordCheck {
  readonly #clock: Clock;
  readonly #users: ReadonlyMap<string, User>;
  readonly #decoy: Password;
  readonly #queue = new HashQueue();
  readonly #brake: GuessBrake;
  /** Of this process: what is kept below says nothing to whoever reads a dump of another one. */
  readonly #digestKey = randomBytes(32);
  /** Until when a login is known to be right, by its digest, oldest first. */
  readonly #known = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(users: ReadonlyMap<string, User>, clock: Clock) {
    this.#clock = clock;
    this.#users = users;
    this.#decoy = decoyFor([...users.values()]);
    this.#brake = new GuessBrake(clock);
  }

  /** Failure: rejects with an `RpcError` when there are too many logins to look at this one. */
  async isRight(login: NameAndPassword, remoteAddress: string): Promise<boolean> {
    const address = networkOf(remoteAddress);
    const expected = this.#users.get(login.name)?.password ?? this.#decoy;
    // A name has no colon, so no two logins have the same text.
    const key = this.#digest(`${login.name}:${login.password}`).toString('base64');
    if (this.#isKnown(key)) return true;
    if (typeof expected === 'string') return this.#isSame({ login, address }, expected, key);
    const underWay = this.#underWay.get(key);
    if (underWay) return underWay;
    const check = this.#queue.matches({ password: login.password, expected, address });
    this.#underWay.set(key, check);
    try {
      const isRight = await check;
      if (isRight) this.#remember(key);
      return isRight;
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** Costs next to nothing, so that nothing but the brake slows down who guesses. */
  #isSame({ login, address }: Attempt, expected: string, key: string): boolean {
    const { name, password } = login;
    if (!this.#brake.lets(name, address)) {
      throw failedToCreate('too many wrong passwords, try again later');
    }
    const isRight = timingSafeEqual(this.#digest(password), this.#digest(expected));
    if (isRight) this.#remember(key);
    else if (this.#users.has(name)) this.#brake.wasWrong(name, address);
    return isRight;
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

function decoyFor(users: readonly User[]): Password {
  for (const { password } of users) if (typeof password !== 'string') return decoyOf(password);
  return randomBytes(32).toString('base64');
}
