import type { Random } from '../support/random.ts';
import type { World } from './world.ts';

/** How many there are of whom harm is done to. */
export interface Sizes {
  readonly victims: number;
}

interface ActionParts<Args extends object> {
  /** How often it comes, against the others. */
  readonly weight: number;
  /** All that chance decides. */
  draw(random: Random, sizes: Sizes): Args;
  run(world: World, args: Args): unknown;
}

/** Something that is done to the server or to those around it. */
export interface Action {
  readonly weight: number;
  draw(random: Random, sizes: Sizes): { readonly args: object; run(world: World): unknown };
}

export function action<Args extends object>(parts: ActionParts<Args>): Action {
  return {
    weight: parts.weight,
    draw: (random, sizes) => {
      const args = parts.draw(random, sizes);
      return { args, run: (world) => parts.run(world, args) };
    },
  };
}
