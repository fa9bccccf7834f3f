import { effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { OwnFigures, SyncMessage } from '../../observing/sync-message.ts';
import { house } from '../control/server.ts';
import { live } from '../live/own-live.ts';
import { player } from '../player/own-player.ts';
import { SyncFacts } from './sync-facts.ts';

/** As many as the server shows at one time. */
const maxRows = 200;
const reportMs = 1000;

export const facts = new SyncFacts();
live.onText('sync', (value) => facts.take(value as SyncMessage));

/** How many parts of the page show a player. */
const shown = new Map<string, number>();
const changes = signal(0);

/** While a component is there the server tells of that player. */
export function useFactsOf(id: string) {
  useEffect(() => {
    shown.set(id, (shown.get(id) ?? 0) + 1);
    changes.value += 1;
    return () => {
      const left = (shown.get(id) ?? 1) - 1;
      if (left > 0) shown.set(id, left);
      else shown.delete(id);
      changes.value += 1;
    };
  }, [id]);
  return facts.player(id).value;
}

/** While a component is there the server looks at all players. */
export function useSyncWatch(): void {
  useEffect(() => {
    const stop = effect(() => {
      changes.value;
      live.want('sync', { sync: { players: [...shown.keys()].slice(0, maxRows) } });
    });
    const timer = setInterval(report, reportMs);
    return () => {
      stop();
      clearInterval(timer);
      live.want('sync', undefined);
      facts.forget();
    };
  }, []);
}

/** Only the page itself knows how exactly it plays. */
function report(): void {
  const id = player.clientId.peek();
  if (id === undefined || player.state.peek() !== 'playing') return;
  const { errorMs, roundTripMs, outputLatencyMs, resyncs, underruns } = player.figures.peek();
  const own: OwnFigures = {
    ...(errorMs !== undefined && { errorMs }),
    ...(roundTripMs !== undefined && { roundTripMs }),
    ...{ outputLatencyMs, resyncs, underruns },
  };
  live.send({ player: { id, ...own } });
}

export function offlineCount(): number {
  return house.clients.ids.value.filter((id) => !house.clients.get(id)?.value.connected).length;
}
