import { monotonicClock } from '../../src/base/clock.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import type { ScriptedClient } from './scripted-client.ts';

/** One chunk at a player, on the clock that all processes of a machine share. */
export interface Arrival {
  readonly atUs: number;
  readonly timestampUs: number;
  readonly payload: Buffer;
}

/** Every chunk that a player has got so far. */
export function arrivalsOf(client: ScriptedClient): Arrival[] {
  const originUs = monotonicClock.nowUs() - performance.now() * 1000;
  return client.chunks.map(({ body, receivedUs }) => ({
    atUs: originUs + receivedUs,
    ...decodeWireChunk(body),
  }));
}

/** The places where a timestamp is not the one before it plus a chunk, but for rounding. */
export function jumpsIn(arrivals: readonly Arrival[], chunkUs: number): number[] {
  const jumps: number[] = [];
  for (const [index, { timestampUs }] of arrivals.entries()) {
    const before = arrivals[index - 1];
    if (before && Math.abs(timestampUs - before.timestampUs - chunkUs) > 2) jumps.push(index);
  }
  return jumps;
}

/** Waits until a player has got a chunk whose first sample was captured at `untilUs` or later. */
export async function heardUntil(client: ScriptedClient, untilUs: number): Promise<void> {
  const isThere = () => {
    const last = client.chunks.at(-1);
    return last !== undefined && decodeWireChunk(last.body).timestampUs >= untilUs;
  };
  await client.until(isThere, 'audio goes on', 20_000);
}
