import { Random } from '../support/random.mjs';
import { controlActions } from './actions/control-actions.mjs';
import { demandingActions } from './actions/demanding-actions.mjs';
import { intruderActions } from './actions/intruder-actions.mjs';
import { playerActions } from './actions/player-actions.mjs';
import { systemActions } from './actions/system-actions.mjs';

const actions = {
  ...playerActions,
  ...intruderActions,
  ...controlActions,
  ...demandingActions,
  ...systemActions,
};
const choices = Object.entries(actions).map(([name, { weight }]) => [name, weight]);
const longestPauseMs = 150;

/**
 * The steps of a run, one after the other, without end. They follow from the seed and the number
 * of victims alone, so the same command does the same things in the same order.
 */
export function* planOf({ seed, victims }) {
  const random = new Random(seed);
  for (let number = 1; ; number += 1) {
    const own = random.fork(number);
    const name = own.weighted(choices);
    const args = actions[name].draw(own, { victims });
    yield { number, name, args, pauseMs: own.between(0, longestPauseMs) };
  }
}

/** Carries out a step. Failure: rejects when the server does not answer. */
export async function carryOut({ name, args }, world) {
  await actions[name].run(world, args);
}

export function describeStep({ number, name, args }) {
  return `${String(number).padStart(5)}  ${name} ${JSON.stringify(args)}`;
}
