import { expect } from 'vitest';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import type { ScriptedClient } from './scripted-client.ts';

/** Capture times of all chunks that a client got, microseconds. */
export function timestampsOf(client: ScriptedClient): number[] {
  return client.chunks.map(({ body }) => decodeWireChunk(body).timestampUs);
}

/** Fails unless each chunk begins where the one before it ended, within its rounding. */
export function expectUnbroken(client: ScriptedClient, chunkUs = 20_000): void {
  const times = timestampsOf(client);
  const breaks = times
    .slice(1)
    .map((time, index) => time - (times[index] ?? 0))
    .filter((stepUs) => Math.abs(stepUs - chunkUs) > 2);
  expect(breaks).toEqual([]);
}
