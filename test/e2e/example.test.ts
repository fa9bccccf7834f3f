import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { OutputLog } from '../support/output-log.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { assertBuilt, freePort } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../example/${name}`, import.meta.url));
const program = pathOf('own-audio.mjs');

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

describe('the example of a program that listens along', () => {
  it('shows the level of a tone as it stands, and ends with its stream', async () => {
    const server = await TestServer.start(
      'stream.source=tone:///?name=My tone&freq=1000&level=-12',
    );
    onTestFinished(() => server.stop());
    const address = `127.0.0.1:${server.httpPort}`;
    const child = spawn(process.execPath, [pathOf('level-meter.mjs'), 'My tone', address], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'close');
    const log = new OutputLog('the example', child);
    await log.waitFor(/#{40,52} +-1\d\.\d dB in band (?:19|20) of 80\n/);
    await server.application.streams.remove('My tone');
    await log.waitFor(/the tap has ended: the stream was removed/);
    expect(await ended).toEqual([0, null]);
  });

  it('says what is wrong', async () => {
    const server = await TestServer.start('stream.source=tone:///?name=Tone');
    onTestFinished(() => server.stop());
    const address = `127.0.0.1:${server.httpPort}`;
    const child = spawn(process.execPath, [pathOf('level-meter.mjs'), 'Radio', address], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'close');
    const log = new OutputLog('the example', child);
    await log.waitFor(/There is no stream "Radio"/);
    expect(await ended).toEqual([1, null]);
  });
});
