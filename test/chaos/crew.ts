import { type CommonPlayerOptions, Player } from './player.ts';

/** Announcements are for players of the first so many places, whose bytes are not compared. */
export const addressedPlaces = 10;

/**
 * The players to whom things happen, by their places. The player of a place always has the same
 * id, so whoever comes back is known already.
 */
export class Crew {
  readonly #players = new Map<number, Player>();
  readonly #options: CommonPlayerOptions;
  readonly #extra = new Set<Player>();

  constructor(options: CommonPlayerOptions) {
    this.#options = options;
  }

  static idOf(place: number): string {
    return `victim-${place}`;
  }

  /** Sounds are mixed over what the player of this place hears. */
  static isAddressed(place: number): boolean {
    return place < addressedPlaces;
  }

  /** Both may be in one group: one that is addressed takes no other one to where all are. */
  static isLike(place: number, other: number): boolean {
    return Crew.isAddressed(place) === Crew.isAddressed(other);
  }

  /** The player of a place, while it is connected. */
  at(place: number): Player | undefined {
    const player = this.#players.get(place);
    return player && !player.isClosed ? player : undefined;
  }

  /**
   * Connects the player of a place. One that is connected already goes on as another player of the
   * same id; returns it.
   */
  connect(place: number, { isBrowser = false } = {}): Player | undefined {
    const older = this.at(place);
    if (older) {
      this.#extra.add(older);
      older.socket.once('close', () => this.#extra.delete(older));
    }
    this.#players.set(
      place,
      new Player({
        ...this.#options,
        id: Crew.idOf(place),
        isBrowser,
        isStrict: false,
        isAddressed: Crew.isAddressed(place),
        localAddress: `127.0.1.${1 + (place % 200)}`,
      }),
    );
    return older;
  }

  get chunks(): number {
    return [...this.#players.values()].reduce((sum, { listening }) => sum + listening.chunks, 0);
  }

  leave(): void {
    for (const player of [...this.#players.values(), ...this.#extra]) player.close();
  }
}
