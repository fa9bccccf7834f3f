import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maxNameLength } from '../../src/players/group-control.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { maxHelloTextLength } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

let folder: string;
let server: TestServer;
let controller: ControlClient;

beforeEach(async () => {
  folder = makeScratchFolder();
  server = await TestServer.startWith({ dataFolder: folder }, 'stream.source=tone:///?name=A');
  controller = await ControlClient.connect(server.controlPort);
});

afterEach(async () => {
  controller.close();
  removeScratchFolder(folder);
});

/** The answer as it comes over the wire, which must be UTF-8 without escapes of half characters. */
async function ask(request: string): Promise<string> {
  const from = controller.raw.length;
  controller.send(`${request}\r\n`);
  const said = () => Buffer.concat(controller.raw.slice(from)).toString();
  await until(() => said().includes('"id":7'));
  return said();
}

describe('half of a character', () => {
  it.each([
    ['Client.SetName', '"id":"a","name":"Kitchen \\ud83c"', 'Kitchen \ufffd'],
    ['Client.SetName', `"id":"a","name":"${'x'.repeat(maxNameLength - 1)}\u{1F3B5}"`, 'xxx"'],
    ['Stream.AddStream', '"streamUri":"tone:///?name=B\\udfb5&x=1"', 'B\ufffd'],
  ])('that %s brings is neither told nor saved', async (method, params, told) => {
    const hostName = `${'h'.repeat(maxHelloTextLength - 1)}\u{1F3B5}`;
    const player = await ScriptedClient.greet(server.port, 'a', { hostName });
    await player.untilCount(messageType.serverSettings, 1);
    await ask(`{"id":7,"jsonrpc":"2.0","method":"${method}","params":{${params}}}`);
    const status = await ask('{"id":7,"jsonrpc":"2.0","method":"Server.GetStatus"}');
    expect(status).toContain(told);
    expect(status).not.toMatch(/\\ud[89a-f]/i);
    player.close();
    await server.stop();
    const saved = readFileSync(join(folder, 'server.json'), 'utf8');
    expect(saved).toContain('"id"');
    expect(saved).not.toMatch(/\\ud[89a-f]/i);
  });
});
