import { Player } from './player.mjs';

/**
 * The players to whom things happen, by their places. The player of a place always has the same
 * id, so whoever comes back is known already.
 */
export class Crew {
  size;
  #places;
  #options;
  #extra = new Set();

  /** Shape: `options` are those of every player. */
  constructor(size, options) {
    this.size = size;
    this.#options = options;
    this.#places = Array.from({ length: size });
  }

  static idOf(place) {
    return `victim-${place}`;
  }

  /** The player of a place, while it is connected. */
  at(place) {
    const player = this.#places[place];
    return player && !player.isClosed ? player : undefined;
  }

  /**
   * Connects the player of a place. One that is connected already goes on as another player of the
   * same id; returns it.
   */
  connect(place, { isBrowser = false } = {}) {
    const older = this.at(place);
    if (older) {
      this.#extra.add(older);
      older.socket.once('close', () => this.#extra.delete(older));
    }
    this.#places[place] = new Player({
      ...this.#options,
      id: Crew.idOf(place),
      isBrowser,
      isStrict: false,
      localAddress: `127.0.1.${1 + (place % 200)}`,
    });
    return older;
  }

  get connected() {
    return this.#places.filter((player) => player && !player.isClosed).length;
  }

  get chunks() {
    return this.#places.reduce((sum, player) => sum + (player?.listening.chunks ?? 0), 0);
  }

  leave() {
    for (const player of [...this.#places, ...this.#extra]) player?.close();
  }
}
