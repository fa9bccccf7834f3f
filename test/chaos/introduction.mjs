import { setTimeout as sleep } from 'node:timers/promises';
import { Player } from './player.mjs';

const limitMs = 20_000;

/**
 * Makes players known before they come for good, and gives their groups their streams, which they
 * then play from the header on.
 *
 * Shape: `homes` is a `Map` of ids and names of streams; `options` are those of every player.
 */
export async function introduce(homes, options, controller) {
  const players = [...homes.keys()].map(
    (id) => new Player({ ...options, id, isStrict: false, onClosed: undefined }),
  );
  const deadlineMs = performance.now() + limitMs;
  while (players.some(({ listening }) => listening.headers === 0)) {
    if (performance.now() > deadlineMs) throw new Error('new players are not welcomed');
    await sleep(50);
  }
  const { result } = await controller.ask('Server.GetStatus');
  for (const { id, clients } of result.server.groups) {
    const stream = homes.get(clients[0]?.id);
    if (stream) await controller.ask('Group.SetStream', { id, stream_id: stream });
  }
  for (const player of players) player.close();
}
