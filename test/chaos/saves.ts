import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addedStream, streamAddress } from './streams.ts';
import type { World } from './world.ts';

const limitMs = 20_000;
const witness = addedStream(7);
let changes = 0;

/** Changes something of each state file; says which of the files does not follow. */
export async function unsavedChanges({ controller, places, returners }: World): Promise<string[]> {
  const [id] = returners.ids;
  changes += 1;
  const name = `change ${changes}`;
  const streamUri = streamAddress(witness, places);
  await controller.ask('Client.SetName', { id, name });
  await controller.ask('Stream.AddStream', { streamUri });
  const awaited = new Map([
    ['server.json', `"${name}"`],
    ['streams.json', `name=${witness.name}&`],
  ]);
  const deadlineMs = performance.now() + limitMs;
  while (awaited.size > 0 && performance.now() < deadlineMs) {
    for (const [file, text] of awaited) {
      if (textOf(join(places.data, file)).includes(text)) awaited.delete(file);
    }
    await sleep(100);
  }
  await controller.ask('Stream.RemoveStream', { id: witness.name });
  return [...awaited].map(([file, text]) => `${file} has no ${text} after ${limitMs / 1000} s`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not yet written
  }
}
