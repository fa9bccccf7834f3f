import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { feedPipe } from '../support/feeder.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { uniqueSignal } from '../support/test-signal.ts';
import { until } from '../support/waiting.ts';

const music = uniqueSignal({ format: SampleFormat.parse('48000:16:2'), seconds: 0.3 });
let folder: string;
let rig: ReloadRig | undefined;
const ends: (() => unknown)[] = [];

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await rig?.close();
  rig = undefined;
  removeScratchFolder(folder);
});

const radio = () => sources(`pipe://${folder}/radio?name=Radio&codec=pcm`);
const play = (name = 'radio') => feedPipe(join(folder, name), music);

async function start(hooks: string, streams = radio()): Promise<ReloadRig> {
  rig = await ReloadRig.start(`${streams}[hooks]\nidle_after = 0\n${hooks}`);
  return rig;
}

/** A program that writes down what it is told, at once, as several may run side by side. */
function program(name: string, body = ''): string {
  const path = join(folder, name);
  const facts = '$HOOK_EVENT|$HOOK_KIND|$HOOK_ID|$HOOK_NAME|$HOOK_STREAM|$*|';
  writeFileSync(path, `#!/bin/sh\n${body}\nprintf '%s%s\\n' "${facts}" "$(cat)" >> told\n`);
  chmodSync(path, 0o755);
  return path;
}

const told = (): readonly string[] =>
  existsSync(join(folder, 'told'))
    ? readFileSync(join(folder, 'told'), 'utf8').trimEnd().split('\n')
    : [];
const untilTold = (part: string, count = 1) =>
  until(() => told().filter((line) => line.includes(part)).length >= count, `told of ${part}`);

/** A device in the network: what it was asked, and how it answers. */
async function device(status = 200) {
  const asked: { readonly method: string; readonly url: string; readonly body: string }[] = [];
  const held: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data));
    request.on('end', () => {
      asked.push({ method: request.method ?? '', url: request.url ?? '', body });
      if (status === 0) held.push(request);
      else response.writeHead(status, { Location: '/elsewhere' }).end('x'.repeat(100_000));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

it('runs a program when a stream and a group begin to play, and when they are silent', async () => {
  const path = program('amp');
  const server = await start(`on_playing = ${path} on "a b"\non_idle = ${path} off\n`);
  const player = await ScriptedClient.greet(server.application.ports.streaming, 'kitchen');
  ends.push(() => player.close());
  await until(() => server.application.registry.clients.get('kitchen')?.isConnected === true);
  const { group } = server.application.registry.clients.get('kitchen')!;
  // What a shell would make of it.
  const name = '$(touch evil); "Küche" | `touch evil`';
  await server.application.request('Group.SetName', { id: group.id, name });
  await play();
  await untilTold('idle|stream|Radio|Radio|Radio|off|');
  await untilTold(`idle|group|${group.id}|${name}|Radio|off|`);
  expect(told()).toContain(
    'playing|stream|Radio|Radio|Radio|on a b|{"event":"playing","kind":"stream","id":"Radio","name":"Radio","stream":"Radio"}',
  );
  const line = told().find((text) => text.startsWith(`playing|group|${group.id}|${name}|`));
  expect(JSON.parse(line?.split('|on a b|')[1] ?? '')).toEqual({
    ...{ event: 'playing', kind: 'group', id: group.id, name, stream: 'Radio' },
  });
  expect(existsSync(join(folder, 'evil'))).toBe(false);
});

it('asks an address, by POST or GET, puts no name into it and follows no redirect', async () => {
  const { asked, address } = await device(302);
  const server = await start(
    `on_playing = stream:Radio ${address}/play\non_playing = stream:Radio GET ${address}/relay/0?turn=on\n`,
  );
  await play();
  await until(() => asked.length === 2, 'both were asked');
  expect(asked).toEqual([
    {
      method: 'POST',
      url: '/play',
      body: '{"event":"playing","kind":"stream","id":"Radio","name":"Radio","stream":"Radio"}',
    },
    { method: 'GET', url: '/relay/0?turn=on', body: '' },
  ]);
  await until(() => server.log.with('it answers 302').length === 2, 'the log says so');
  // Neither path nor query, which may be secrets.
  expect(server.log.with('hook has failed')[0]?.fields).toMatchObject({ hook: address });
  expect(asked).toHaveLength(2);
});

it('is for one stream alone where the line names it', async () => {
  const path = program('amp');
  const both = sources(
    ...['Radio', 'Other'].map((name) => `pipe://${folder}/${name}?name=${name}&codec=pcm`),
  );
  await start(`on_playing = stream:Other ${path}\non_idle = stream:Other ${path}\n`, both);
  await untilTold('idle|stream|Other|');
  await play('Radio');
  await play('Other');
  await untilTold('idle|stream|Other|', 2);
  expect(told().filter((line) => !line.includes('|stream|Other|'))).toEqual([]);
});

it('forgets a stream that is gone: one of its name is told of anew', async () => {
  const { application, log } = await start(`on_idle = stream:Guest ${program('amp')}\n`);
  const streamUri = `pipe://${folder}/guest?name=Guest&codec=pcm`;
  for (const count of [1, 2]) {
    await application.streams.addTrusted(streamUri);
    await until(() => log.with('hook has run').length === count, `told of it, time ${count}`);
    await application.request('Stream.RemoveStream', { id: 'Guest' });
    // Until changes have been looked at, which is soon.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

it('takes a pause shorter than idle_after for none', async () => {
  const path = program('amp');
  const server = await start(`idle_after = 3600\non_playing = ${path}\non_idle = ${path}\n`);
  const states = () => server.log.with('state changed').length;
  await play();
  await untilTold('playing|stream|Radio|');
  await until(() => states() === 2, 'it is idle');
  await play();
  await until(() => states() === 4, 'it is idle again');
  await server.reload(`${radio()}[hooks]\nidle_after = 0\non_idle = ${path}\n`);
  expect(told()).toHaveLength(1);
});

it('ends a program and gives up an address that take too long, and says so', async () => {
  const { asked, address } = await device(0);
  const path = program('slow', 'sleep 60');
  const server = await start(`timeout = 1\non_playing = ${path}\non_playing = ${address}\n`);
  await play();
  await until(() => server.log.with('it was ended after 1 s').length > 0, 'the program is ended');
  await until(() => server.log.with('no answer within 1 s').length > 0, 'the address is given up');
  expect(asked).toHaveLength(1);
  expect(told()).toEqual([]);
});

it('runs few at one time, in order for each, and leaves none behind', async () => {
  const names = ['A', 'B', 'C', 'D', 'E', 'F'];
  const path = program('busy', 'echo x >> running; while [ ! -e go ]; do sleep 0.02; done');
  const many = sources(...names.map((name) => `tone:///?name=${name}&codec=pcm`));
  const server = await start(`on_playing = ${path}\non_idle = ${path}\n`, many);
  const running = () =>
    existsSync(join(folder, 'running'))
      ? readFileSync(join(folder, 'running'), 'utf8').length / 2
      : 0;
  // Tones play from the start on.
  await until(() => running() === 4, 'four are running');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(running()).toBe(4);
  writeFileSync(join(folder, 'go'), '');
  await until(() => told().length === names.length, 'all have run');
  expect(told().map((line) => line.split('|')[2])).toEqual(expect.arrayContaining(names));
  expect(server.log.with('hook has failed')).toEqual([]);
});

it('ends what runs when the server ends, and what is missing is told', async () => {
  const path = program('endless', 'echo $$ > pid; sleep 600');
  const missing = join(folder, 'absent');
  const server = await start(`on_idle = ${missing}\non_idle = ${path}\n`);
  const written = join(folder, 'pid');
  const pid = () => (existsSync(written) ? Number(readFileSync(written, 'utf8')) : 0);
  await until(() => pid() > 0, 'it runs');
  expect(server.log.with('hook has failed')[0]?.fields).toMatchObject({
    hook: missing,
    reason: expect.stringContaining(missing),
  });
  await server.close();
  rig = undefined;
  expect(() => process.kill(pid(), 0)).toThrow('ESRCH');
});

it('is refused with its line when it is none', async () => {
  const server = await start('');
  for (const line of ['GET', 'stream:Radio', 'POST /bin/true', 'http://a b', 'x "y']) {
    await expect(server.reload(`${radio()}[hooks]\non_playing = ${line}\n`)).rejects.toMatchObject({
      faults: [expect.stringContaining('on_playing')],
    });
  }
});
