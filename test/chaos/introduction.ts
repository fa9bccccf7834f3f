import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '../support/control-client.ts';
import { type CommonPlayerOptions, Player } from './player.ts';

const limitMs = 20_000;

/**
 * Makes players known before they come for good, and gives their groups their streams, which they
 * then play from the header on.
 *
 * Shape: `homes` are the names of streams by the ids of players.
 */
export async function introduce(
  homes: ReadonlyMap<string, string>,
  options: CommonPlayerOptions,
  controller: ControlClient,
): Promise<void> {
  const players = [...homes.keys()].map((id) => new Player({ ...options, id, isStrict: false }));
  const deadlineMs = performance.now() + limitMs;
  while (players.some(({ listening }) => listening.headers === 0)) {
    if (performance.now() > deadlineMs) throw new Error('new players are not welcomed');
    await sleep(50);
  }
  for (const { id, clients } of (await controller.status()).groups) {
    const stream = homes.get(clients[0]?.id ?? '');
    if (stream) await controller.ask('Group.SetStream', { id, stream_id: stream });
  }
  for (const player of players) player.close();
}
