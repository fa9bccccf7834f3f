// A checker of Stryker that lets through only some of the changes: those of a seeded sample, or a list.

import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { CheckStatus } from '@stryker-mutator/api/check';
import { commonTokens, declareClassPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';

/** What tells one change from all others; the folder differs between two runs. */
export function keyOf({ fileName, location: { start, end }, replacement }) {
  const file = relative(process.cwd(), fileName);
  return `${file}:${start.line}:${start.column}-${end.line}:${end.column} ${replacement}`;
}

class ChosenChanges {
  static inject = tokens(commonTokens.options);
  #options;
  #chosen = new Set();

  constructor({ chosenChanges }) {
    this.#options = chosenChanges;
  }

  async init() {}

  /** Asked once, with all changes that there are. */
  async group(mutants) {
    const { keys, sample, seed } = this.#options;
    const listed = new Set(keys);
    const drawn = keys
      ? mutants.filter((mutant) => listed.has(keyOf(mutant)))
      : draw(mutants, { sample, seed });
    this.#chosen = new Set(drawn.map(({ id }) => id));
    return [mutants.map(({ id }) => id)];
  }

  async check(mutants) {
    const passed = { status: CheckStatus.Passed };
    const left = { status: CheckStatus.CompileError, reason: 'not chosen' };
    return Object.fromEntries(mutants.map(({ id }) => [id, this.#chosen.has(id) ? passed : left]));
  }
}

/** The first ones in an order that follows from the seed. */
function draw(mutants, { sample, seed }) {
  const orderOf = (mutant) =>
    createHash('sha1')
      .update(`${seed} ${keyOf(mutant)}`)
      .digest('hex');
  return mutants
    .map((mutant) => [orderOf(mutant), mutant])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, sample)
    .map(([, mutant]) => mutant);
}

export const strykerPlugins = [
  declareClassPlugin(PluginKind.Checker, 'chosen-changes', ChosenChanges),
];

export const strykerValidationSchema = {
  type: 'object',
  properties: { chosenChanges: { type: 'object' } },
};
