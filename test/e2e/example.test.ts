import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { OutputLog } from '../support/output-log.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { assertBuilt, freePort } from '../support/server-process.ts';

const program = fileURLToPath(new URL('../example/own-audio.mjs', import.meta.url));

describe('the example of a program that plays its own audio', () => {
  it('runs as it stands, plays, tells who plays, and ends in order', async () => {
    assertBuilt();
    const port = await freePort();
    const controlPort = await freePort();
    const child = spawn(process.execPath, [program], {
      env: { ...process.env, PORT: String(port), CONTROL_PORT: String(controlPort) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'close');
    const log = new OutputLog('the example', child);
    await log.waitFor(/players connect to port \d+/);
    const client = await ScriptedClient.greet(port, 'kitchen', { hostName: 'box' });
    await client.untilCount(messageType.wireChunk, 20);
    await log.waitFor(/box \(kitchen\) plays/);
    client.close();
    await log.waitFor(/kitchen is gone/);
    child.kill('SIGTERM');
    await log.waitFor(/kitchen was at 100 %\nclosed\n/);
    expect(await ended).toEqual([0, null]);
  });
});
