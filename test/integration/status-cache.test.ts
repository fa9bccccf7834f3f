import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import type { Application } from '../../src/app/application.ts';
import { RpcError } from '../../src/base/errors.ts';
import { hostFacts } from '../../src/control/host-facts.ts';
import { StatusTree } from '../../src/control/status-tree.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { encodeHello } from '../../src/protocol/messages.ts';
import { jsonMessage } from '../support/mutations.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';

const clientIds = ['a', 'b', 'c', 'd'];
const streamIds = ['Disabled', 'Tone', 'Loop', 'Script', 'Hidden', 'Moves'];

/** Has new properties all the time, and ends now and then. */
const script = `#!/bin/sh
position=0
while [ $position -lt 50 ]; do
  position=$((position + 1))
  params='{"canControl":true,"position":'$position'}'
  echo '{"jsonrpc":"2.0","method":"Plugin.Stream.Player.Properties","params":'$params'}'
  sleep 0.01
done
`;

const step = fc.record({
  kind: fc.integer({ min: 0, max: 15 }),
  client: fc.constantFrom(...clientIds),
  stream: fc.constantFrom(...streamIds),
  number: fc.integer({ min: 0, max: 100 }),
  flag: fc.boolean(),
  others: fc.subarray(clientIds),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Blocks of 20 ms: loud and silent in turns, so that a stream plays and is idle in turns. */
async function* wavering() {
  for (let block = 0; ; block += 1) yield Buffer.alloc(3840, block % 6 < 3 ? 0x11 : 0);
}

/** What a controller is told, and what it would be told if nothing were kept. */
function statuses({ registry, streams, request }: Scene): [kept: Promise<unknown>, fresh: unknown] {
  const fresh = new StatusTree({ registry, streams, host: hostFacts() }).server();
  return [request('Server.GetStatus', {}), { server: JSON.parse(fresh.text) }];
}

interface Scene extends Pick<Application, 'registry' | 'streams'> {
  readonly request: Application['request'];
}

it('the status that is kept is the one that would be made, whatever was done before', async () => {
  const folder = makeScratchFolder();
  onTestFinished(() => removeScratchFolder(folder));
  writeFileSync(join(folder, 'script.sh'), script, { mode: 0o755 });
  writeFileSync(join(folder, 'loop.pcm'), Buffer.alloc(20_000, 1));
  const server = await TestServer.start(
    `stream.plugin_dir=${folder}`,
    'stream.codec=pcm',
    'stream.source=file:///does/not/exist?name=Disabled',
  );
  const { application } = server;
  const { registry, streams } = application;
  const request: Application['request'] = (method, params) => application.request(method, params);
  const format = { sampleFormat: '48000:16:2', idleThresholdMs: 10 };
  await streams.addInput({ name: 'Wavers', ...format, input: wavering() });
  const players = new Map<string, ScriptedClient>();
  const addresses: Readonly<Record<string, (n: number) => string>> = {
    Tone: () => 'tone:///?name=Tone',
    Loop: () => `file://${folder}/loop.pcm?name=Loop&idle_threshold=10`,
    Script: () => 'tone:///?name=Script&controlscript=script.sh',
    Hidden: () => 'tone:///?name=Hidden&codec=null',
    Moves: (n) => `tcp://127.0.0.1:${n % 2 === 0 ? 8 : 9}?name=Moves&mode=client`,
  };

  const run = async ({ kind, client, stream, number, flag, others }: Step): Promise<unknown> => {
    const groupId = registry.clients.get(client)?.group.id ?? 'none';
    switch (kind) {
      case 0:
      case 1: {
        const player = await ScriptedClient.greet(server.port, client, { hostName: `h${number}` });
        players.get(client)?.close();
        players.set(client, player);
        return player.untilCount(messageType.serverSettings, 1);
      }
      case 2:
        return players.get(client)?.close();
      case 3: {
        const volume = { volume: number, muted: flag };
        return players.get(client)?.send(jsonMessage(messageType.clientInfo, volume));
      }
      case 4:
        return players.get(client)?.send(encodeHello(helloOf(others[0] ?? client), 9));
      case 5:
        return request('Client.SetVolume', {
          id: client,
          volume: { percent: number, muted: flag },
        });
      case 6:
        return request('Client.SetName', { id: client, name: `n${number}` });
      case 7:
        return request('Client.SetLatency', { id: client, latency: number });
      case 8:
        return request('Group.SetClients', { id: groupId, clients: others });
      case 9:
        return request('Group.SetStream', { id: groupId, stream_id: stream });
      case 10:
        return flag
          ? request('Group.SetMute', { id: groupId, mute: number > 50 })
          : request('Group.SetName', { id: groupId, name: `g${number}` });
      case 11:
        return number > 70 ? request('Server.DeleteClient', { id: client }) : undefined;
      case 12:
        return request('Stream.AddStream', { streamUri: addresses[stream]?.(number) ?? '' });
      case 13:
        return flag ? request('Stream.RemoveStream', { id: stream }) : undefined;
      default:
        return delay(number);
    }
  };

  const property = fc.asyncProperty(
    fc.array(step, { minLength: 60, maxLength: 120 }),
    async (steps) => {
      for (const [index, each] of steps.entries()) {
        const done = run(each).catch((error: unknown) => {
          if (!(error instanceof RpcError)) throw error;
        });
        // Some overlap with what follows.
        if (index % 3 > 0) await done;
        const [kept, fresh] = statuses({ registry, streams, request });
        expect(await kept).toEqual(fresh);
        await done;
      }
    },
  );
  await fc.assert(property, { numRuns: 12 });
  for (const player of players.values()) player.close();
  await server.stop();
}, 120_000);
