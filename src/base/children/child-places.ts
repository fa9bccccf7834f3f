import { SourceError } from '../errors.ts';

/** A place that is held until it is given back; doing so twice is harmless. */
export type GiveBack = () => void;

/** How many programs of sources and control scripts there may be at one time, and are. */
export class ChildPlaces {
  readonly #settings: () => { readonly maxChildren: number };
  #taken = 0;

  /** A child with a place keeps it, whatever the limit becomes. */
  constructor(settings: () => { readonly maxChildren: number }) {
    this.#settings = settings;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Failure: throws a `SourceError` when all places are taken. */
  take(): GiveBack {
    const { maxChildren } = this.#settings();
    if (this.#taken >= maxChildren) {
      throw new SourceError(
        'many-children',
        `${this.#taken} programs and control scripts run already: remove a stream that is not ` +
          'needed, or raise max_children in the section [limits]',
      );
    }
    this.#taken += 1;
    let isHeld = true;
    return () => {
      if (isHeld) this.#taken -= 1;
      isHeld = false;
    };
  }
}
