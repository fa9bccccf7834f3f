import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Registry } from '../../src/clients/registry.ts';
import { SceneList } from '../../src/clients/scene-list.ts';
import { StateFile } from '../../src/clients/state-file.ts';
import { LogLines } from '../support/log-lines.ts';
import { buildPlainModule, type PlainModule } from '../support/plain-module.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';

const rounds = 20;
const program = fileURLToPath(new URL('../support/state/save-in-a-loop.mjs', import.meta.url));

let folder: string;
let module: PlainModule;
beforeAll(() => {
  folder = makeScratchFolder();
  module = buildPlainModule('src/base/files/atomic-file.ts');
});
afterAll(() => {
  module.remove();
  removeScratchFolder(folder);
});

/** Ends in the middle of whatever the process does. */
async function saveUntilKilled(lifeMs: number): Promise<void> {
  const command = [program, module.path, join(folder, 'server.json')];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exit]);
  await setTimeout(lifeMs);
  child.kill('SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
}

it('is one of the states that were saved, whenever the server is killed', async () => {
  let interrupted = 0;
  for (let round = 0; round < rounds; round += 1) {
    await saveUntilKilled(Math.random() * 30);
    interrupted += readdirSync(folder).length - 1;
    const log = new LogLines();
    const nowMs = () => 0;
    const registry = new Registry({
      bufferMs: 1,
      settings: () => ({ initialVolume: 1, maxClients: 999 }),
      nowMs,
    });
    await StateFile.open({ folder, logger: log, registry, scenes: new SceneList(() => undefined) });
    expect(log.lines).toEqual([]);
    expect(registry.clients.size).toBe(500);
    const names = [...registry.clients.values()].map(({ name }) => name);
    expect(new Set(names).size).toBe(1);
    expect(names[0]).toMatch(/^state \d+$/);
    expect(readdirSync(folder)).toEqual(['server.json']);
  }
  // Otherwise nothing was shown.
  expect(interrupted).toBeGreaterThan(0);
});
