import type { ClientRecord } from '../clients/client-record.ts';
import type { Hello } from '../protocol/messages.ts';
import type { Session } from './session.ts';

/** Players that may have one id at the same time; one more is refused. */
export const maxSessionsOfClient = 64;
/** Players ask for the time every second: one that says nothing for this long has gone. */
export const silentUs = 5_000_000;
/** What is heard this long after a newer connection has come was not said before that. */
const proofUs = 2_000_000;

/** The connection of one player, and what its Hello has told. */
interface Player {
  readonly session: Session;
  readonly hello: Hello;
}

/** Two players with one id, both of which are there. */
interface SharedId {
  readonly client: ClientRecord;
  readonly older: Session;
  readonly newer: Session;
}

/**
 * The players of each client: one, as a rule. There are more while cloned machines have one id, and
 * for a moment when a player comes back before the end of its last connection was noticed.
 *
 * Whether an older connection still has a player behind it is told by what it says: what is written to
 * it may lie in the kernel for long.
 */
export class ClientSessions {
  /** By client id; the one that has been there longest first. */
  readonly #players = new Map<string, readonly Player[]>();
  /** The latest Hello of each id that has had several players which are still to be told apart. */
  readonly #newestHelloUs = new Map<string, number>();
  readonly #told = new WeakSet<ClientRecord>();

  /** The one that has been there longest first. */
  of(id: string): readonly Player[] {
    return this.#players.get(id) ?? [];
  }

  /** Takes note of the latest Hello of a session. */
  add(id: string, player: Player): void {
    const { session } = player;
    const players = this.of(id);
    const isKnown = players.some((other) => other.session === session);
    this.#put(
      id,
      isKnown
        ? players.map((other) => (other.session === session ? player : other))
        : [...players, player],
    );
    // What was heard last is that Hello.
    if (this.of(id).length > 1) this.#newestHelloUs.set(id, session.lastHeardUs);
  }

  /** Returns whether the session was one of the client's. */
  delete(id: string, session: Session): boolean {
    const players = this.of(id);
    const others = players.filter((player) => player.session !== session);
    this.#put(id, others);
    return others.length < players.length;
  }

  /** The sessions of a client that have said nothing since `limitUs`, or that have ended. */
  silentOf(id: string, limitUs: number): readonly Session[] {
    return this.of(id)
      .map(({ session }) => session)
      .filter(({ state, lastHeardUs }) => state === 'closed' || lastHeardUs < limitUs);
  }

  /**
   * Sessions that have said nothing since a newer one of their client came, before `limitUs`: that one
   * was the same player, also when it has left meanwhile.
   */
  replaced(limitUs: number): readonly Session[] {
    return [...this.#newestHelloUs].flatMap(([id, newestHelloUs]) => {
      if (newestHelloUs >= limitUs) return [];
      const sessions = this.of(id).map(({ session }) => session);
      if (sessions.length === 1) this.#newestHelloUs.delete(id);
      return sessions.filter(
        ({ helloUs, lastHeardUs }) =>
          helloUs < newestHelloUs && lastHeardUs < newestHelloUs + proofUs,
      );
    });
  }

  /** Ids that turned out to be those of several players, each of them once. */
  takeSharedIds(): readonly SharedId[] {
    return [...this.#newestHelloUs.keys()].flatMap((id) => this.#takeSharedId(id) ?? []);
  }

  #takeSharedId(id: string): SharedId | undefined {
    const players = this.of(id);
    const newer = players.at(-1)?.session;
    const client = newer?.client;
    if (!client || this.#told.has(client)) return undefined;
    const proofFromUs = newer.helloUs + proofUs;
    const [older] = players
      .map(({ session }) => session)
      .filter(({ lastHeardUs }) => lastHeardUs >= proofFromUs);
    // The newest one is heard as well, or it would be the first that is.
    if (!older || older === newer || newer.lastHeardUs < proofFromUs) return undefined;
    this.#told.add(client);
    return { client, older, newer };
  }

  #put(id: string, players: readonly Player[]): void {
    if (players.length > 0) {
      this.#players.set(id, players);
    } else {
      this.#players.delete(id);
      this.#newestHelloUs.delete(id);
    }
  }
}
