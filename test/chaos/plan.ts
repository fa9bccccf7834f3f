import { Random } from '../support/random.ts';
import type { Action } from './action.ts';
import { announceActions } from './actions/announce-actions.ts';
import { controlActions } from './actions/control-actions.ts';
import { demandingActions } from './actions/demanding-actions.ts';
import { intruderActions } from './actions/intruder-actions.ts';
import { playerActions } from './actions/player-actions.ts';
import { systemActions } from './actions/system-actions.ts';

const actions = {
  ...playerActions,
  ...intruderActions,
  ...controlActions,
  ...announceActions,
  ...demandingActions,
  ...systemActions,
};
type ActionName = keyof typeof actions;
const choices = Object.entries(actions).map(
  ([name, { weight }]) => [name as ActionName, weight] as const,
);
const longestPauseMs = 150;

export interface Step extends ReturnType<Action['draw']> {
  readonly number: number;
  readonly name: ActionName;
  readonly pauseMs: number;
}

/**
 * The steps of a run, one after the other, without end. They follow from the seed and the number
 * of victims alone, so the same command does the same things in the same order.
 */
export function* planOf({
  seed,
  victims,
}: {
  readonly seed: number;
  readonly victims: number;
}): Generator<Step, never> {
  const random = new Random(seed);
  for (let number = 1; ; number += 1) {
    const own = random.fork(number);
    const name = own.weighted(choices);
    const drawn = actions[name].draw(own, { victims });
    yield { number, name, ...drawn, pauseMs: own.between(0, longestPauseMs) };
  }
}

export function describeStep({ number, name, args }: Step): string {
  return `${String(number).padStart(5)}  ${name} ${JSON.stringify(args)}`;
}
