import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '../support/control-client.ts';
import { introduce } from './introduction.ts';
import { type CommonPlayerOptions, Player } from './player.ts';
import { steadyStreams } from './streams.ts';

/** Of players that stay until the end. */
export interface LastingPlayerOptions extends CommonPlayerOptions {
  isLeaving(): boolean;
}

const joinLimitMs = 20_000;
/** Of these a few come as browsers do. */
const browserEvery = 12;
/** One in so many has a twin, another player of the same id. */
const twinEvery = 8;

/**
 * The players that nothing is done to: each must hear all of its stream, byte for byte. Some share
 * their id with another one, as cloned machines do.
 */
export class SteadyPlayers {
  readonly #players: readonly Player[];
  readonly #seen = new Map<Player, { readonly chunks: number; readonly timeReplies: number }>();

  /** Resolves when all of them hear their stream. */
  static async start(
    count: number,
    options: LastingPlayerOptions,
    controller: ControlClient,
  ): Promise<SteadyPlayers> {
    const ids = Array.from({ length: count }, (_, index) => `steady-${index}`);
    const homes = ids.map(
      (id, index) => [id, steadyStreams[index % steadyStreams.length]!.name] as const,
    );
    await introduce(new Map(homes), options, controller);
    const twins = ids.filter((_, index) => index % twinEvery === 0);
    const players = [...ids, ...twins].map((id, index) =>
      openStrict(id, options, index % browserEvery === 0),
    );
    const steady = new SteadyPlayers(players);
    const deadlineMs = performance.now() + joinLimitMs;
    while (players.some(({ listening }) => listening.chunks === 0)) {
      if (performance.now() > deadlineMs) throw new Error('the steady players hear nothing');
      await sleep(50);
    }
    return steady;
  }

  private constructor(players: readonly Player[]) {
    this.#players = players;
  }

  get count(): number {
    return this.#players.length;
  }

  get ids(): readonly string[] {
    return this.#players.map(({ id }) => id);
  }

  get chunks(): number {
    return this.#players.reduce((sum, { listening }) => sum + listening.chunks, 0);
  }

  /** Those that have heard nothing since the last look, or heard no answer at all. */
  takeSilent(): string[] {
    const silent = this.#players.filter((player) => {
      const { chunks, timeReplies } = player.listening;
      const before = this.#seen.get(player);
      this.#seen.set(player, { chunks, timeReplies });
      return before && (before.chunks === chunks || before.timeReplies === timeReplies);
    });
    return silent.map(({ id }) => id);
  }

  leave(): void {
    for (const player of this.#players) player.close();
  }
}

function openStrict(id: string, options: LastingPlayerOptions, isBrowser: boolean): Player {
  const { onProblem, isLeaving } = options;
  return new Player({
    ...options,
    id,
    isBrowser,
    isStrict: true,
    onClosed: () => {
      if (!isLeaving()) onProblem(`player ${id}: its connection was closed`);
    },
  });
}
