import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { ControlClient } from '../../support/control-client.ts';
import { feedTcp } from '../../support/feeder.ts';
import { loudPcm } from '../../support/loud-pcm.ts';
import { OutputLog } from '../../support/output-log.ts';
import { ProgramStage } from '../../support/program-stage.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { ScriptedClient } from '../../support/scripted-client.ts';
import { assertBuilt, freePort, mainFile } from '../../support/server-process.ts';
import { clientOf, groupOf, type ServerStatus, streamOf } from '../../support/server-status.ts';
import { until } from '../../support/waiting.ts';

// What Music Assistant writes and relies on: protocol reference, 7.2, 9 and 18.

const [wireChunk, serverSettings] = [2, 3];
const line = (id: number, method: string, params: object) => {
  const spaced = JSON.stringify(params).replaceAll('":', '": ').replaceAll(',"', ', "');
  return `{"id": ${id}, "method": "${method}", "params": ${spaced}, "jsonrpc": "2.0"}\r\n`;
};

describe('Music Assistant starts the server', () => {
  it.each(['tcp', 'tcp-control'])(
    'with its options, the one of [%s] among them',
    async (section) => {
      assertBuilt();
      const folder = makeScratchFolder();
      onTestFinished(() => removeScratchFolder(folder));
      const [streaming, control, http] = [await freePort(), await freePort(), await freePort()];
      mkdirSync(join(folder, 'web'));
      writeFileSync(join(folder, 'web', 'index.html'), 'the page of Snapweb');
      writeFileSync(
        join(folder, 'snapserver.conf'),
        `[server]\nmdns_enabled = false\n[tcp-streaming]\nport = ${streaming}\n` +
          `[stream]\nsource = pipe://${folder}/snapfifo?name=default\n`,
      );
      const child = spawn(
        process.execPath,
        [
          mainFile,
          `--config=${folder}/snapserver.conf`,
          `--server.datadir=${folder}/data`,
          '--http.enabled=true',
          `--http.port=${http}`,
          `--http.doc_root=${folder}/web`,
          `--${section}.enabled=true`,
          `--${section}.port=${control}`,
          '--stream.sampleformat=48000:16:2',
          '--stream.buffer=1200',
          '--stream.chunk_ms=26',
          '--stream.codec=flac',
          '--stream.send_to_muted=false',
          '--streaming_client.initial_volume=25',
          `--stream.plugin_dir=${folder}`,
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      onTestFinished(() => void child.kill('SIGKILL'));
      const output = new OutputLog('the server', child);
      await output.waitFor(/\(Snapserver\) Version 0\./);
      // Then it waits for two seconds.
      await output.waitFor(/listening for clients/);
      await expectSettings({ streaming, control, http });
      child.kill('SIGTERM');
      expect(await endOf(child)).toEqual([0, null]);
      expect(existsSync(join(folder, 'data', 'server.json'))).toBe(true);
    },
  );

  async function expectSettings(ports: { streaming: number; control: number; http: number }) {
    const player = await ScriptedClient.greet(ports.streaming, 'player');
    onTestFinished(() => player.close());
    const [settings] = await player.untilCount(serverSettings, 1);
    const told = JSON.parse(String(settings?.body.subarray(4)));
    expect(told).toEqual({ bufferMs: 1200, latency: 0, muted: false, volume: 25 });
    const controller = await ControlClient.connect(ports.control);
    onTestFinished(() => controller.close());
    controller.send(line(1, 'Server.GetStatus', {}));
    const status = await controller.inbox.status(1);
    const { query } = streamOf(status, 'default').uri;
    expect(query).toMatchObject({ chunk_ms: '26', codec: 'flac', sampleformat: '48000:16:2' });
    expect(await get(ports.http)).toContain('the page of Snapweb');
  }

  function endOf(child: ChildProcess): Promise<unknown[]> {
    const { exitCode, signalCode } = child;
    return exitCode === null ? once(child, 'exit') : Promise.resolve([exitCode, signalCode]);
  }

  function get(port: number): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
    return text(socket);
  }
});

describe('Music Assistant', () => {
  let stage: ProgramStage;
  let controller: ControlClient;
  let requests = 0;

  afterEach(() => stage.close());

  async function open(): Promise<void> {
    stage = await ProgramStage.open('stream.source=pipe://FOLDER/snapfifo?name=default');
    controller = await stage.controller();
  }

  /** Its answer, whatever that is. */
  function ask(method: string, params: object = {}) {
    requests += 1;
    controller.send(line(requests, method, params));
    return controller.inbox.answer(requests);
  }

  async function status(): Promise<ServerStatus> {
    const { result } = await ask('Server.GetStatus');
    return (result as { readonly server: ServerStatus }).server;
  }

  /** It asks again and again. */
  async function untilStatus(id: string, wanted: string): Promise<void> {
    const current = async () => streamOf(await status(), id).status;
    await expect.poll(current, { interval: 25, timeout: 10_000 }).toBe(wanted);
  }

  interface Added {
    readonly port: number;
    readonly id: string;
  }

  /** Up to fifty ports: any answer without an id means that the port is taken. */
  async function addStream(addressOf: (port: number) => string): Promise<Added> {
    for (let attempts = 50; attempts > 0; attempts -= 1) {
      const port = 4953 + Math.floor(Math.random() * 201);
      const { result } = await ask('Stream.AddStream', { streamUri: addressOf(port) });
      const id = (result as { readonly id?: string } | undefined)?.id;
      if (id !== undefined) return { port, id };
    }
    throw new Error('no port is free');
  }

  it('plays a track to a stream of its own, which leaves nothing behind', async () => {
    await open();
    const [player] = await stage.joined('player');
    const script = stage.plugin('control.py', recordingScript);
    const name = 'Music Assistant - ma74563c4f1317 (announcement)';
    const { port, id } = await addStream(
      (port) =>
        `tcp://0.0.0.0:${port}?sampleformat=48000:16:2&idle_threshold=60000&controlscript=control.py` +
        '&controlscriptparams=--queueid=ma_74563c4f1317%20' +
        '--socket=%2Ftmp%2Fma-snapcast-ma_74563c4f1317.sock%20' +
        `--streamserver-ip=192.168.1.34%20--streamserver-port=8097&name=${name}`,
    );
    expect(id).toBe(name);
    const { uri, status: state } = streamOf(await status(), name);
    expect(state).toBe('idle');
    expect(uri).toMatchObject({ host: `0.0.0.0:${port}`, path: '', query: { name } });
    await until(() => existsSync(`${script}.record`), 'the control script has started');
    const [pid = '', ...args] = readFileSync(`${script}.record`, 'utf8').trim().split('\n');
    expect(args.slice(0, 5)).toEqual([
      '--queueid=ma_74563c4f1317',
      '--socket=/tmp/ma-snapcast-ma_74563c4f1317.sock',
      '--streamserver-ip=192.168.1.34',
      '--streamserver-port=8097',
      `--stream=${name}`,
    ]);
    const group = groupOf(await status(), 'player').id;
    const setStream = await ask('Group.SetStream', { id: group, stream_id: name });
    expect(setStream.result).toEqual({ stream_id: name });
    // What ffmpeg does with `tcp://` and the host of the address.
    const track = feedTcp(Number(uri.host.split(':')[1]), loudPcm(400));
    await untilStatus(name, 'playing');
    await track;
    await player!.untilCount(wireChunk, 15);
    await untilStatus(name, 'idle');
    await ask('Group.SetStream', { id: group, stream_id: 'default' });
    expect(groupOf(await status(), 'player').stream_id).toBe('default');
    expect((await ask('Stream.RemoveStream', { id: name })).result).toEqual({ id: name });
    expect(isRunning(Number(pid))).toBe(false);
    const next = createServer().listen(port, '0.0.0.0');
    await once(next, 'listening');
    next.close();
  });

  it('sees a stream become idle when its producer stays and sends nothing', async () => {
    await open();
    const { port, id } = await addStream(
      (port) => `tcp://0.0.0.0:${port}?sampleformat=48000:16:2&idle_threshold=300&name=Silent`,
    );
    const producer = connect(port, '127.0.0.1');
    onTestFinished(() => void producer.destroy());
    producer.write(loudPcm(200));
    await untilStatus(id, 'playing');
    await untilStatus(id, 'idle');
    expect(producer.destroyed).toBe(false);
  });

  it('gets an answer without an id when the port is taken', async () => {
    await open();
    const { port } = await addStream((port) => `tcp://0.0.0.0:${port}?name=First`);
    const answer = await ask('Stream.AddStream', {
      streamUri: `tcp://0.0.0.0:${port}?sampleformat=48000:16:2&idle_threshold=60000&name=Second`,
    });
    expect(answer.result).toBeUndefined();
    expect(Object.keys(answer.error ?? {})).not.toContain('id');
    expect((await status()).streams.map(({ id }) => id)).toEqual(['default', 'First']);
  });

  it('groups players, and one that it takes out is alone in a fresh group', async () => {
    await open();
    await stage.joined('one', 'two', 'three');
    const { id } = groupOf(await status(), 'one');
    await ask('Group.SetName', { id, name: 'ma_one' });
    const joined = await ask('Group.SetClients', { id, clients: ['one', 'two', 'three'] });
    expect(Object.keys(joined.result as object)).toEqual(['server']);
    const old = (await status()).groups.map((group) => group.id);
    expect(old).toEqual([id]);
    const parted = await ask('Group.SetClients', { id, clients: ['one', 'three'] });
    const { server } = parted.result as { readonly server: ServerStatus };
    const named = server.groups.find(({ name }) => name === 'ma_one');
    expect(named?.clients.map((client) => client.id)).toEqual(['one', 'three']);
    const fresh = groupOf(server, 'two');
    expect(old).not.toContain(fresh.id);
    expect(fresh).toMatchObject({ name: '', muted: false, stream_id: 'default' });
    expect(fresh.clients).toHaveLength(1);
    const deleted = await ask('Server.DeleteClient', { id: 'two' });
    expect(Object.keys(deleted.result as object)).toEqual(['server']);
  });

  it('sees a player that asks for the time as alive, and one that does not as gone', async () => {
    await open();
    const [alive] = await stage.joined('alive', 'silent');
    const seen = async (id: string) => {
      const { sec, usec } = clientOf(await status(), id).lastSeen;
      return sec * 1_000_000 + usec;
    };
    const [firstAlive, firstSilent] = [await seen('alive'), await seen('silent')];
    expect(Math.abs(firstAlive / 1000 - Date.now())).toBeLessThan(60_000);
    let last = firstAlive;
    for (let id = 3; id < 6; id += 1) {
      await pause(20);
      alive!.requestTime(id);
      await alive!.untilCount(4, id - 2);
      const now = await seen('alive');
      expect(now).toBeGreaterThan(last);
      last = now;
    }
    expect(await seen('silent')).toBe(firstSilent);
  });

  /** Records its process and arguments, one a line, reads as long as it may, and lingers. */
  const recordingScript =
    '#!/bin/sh\nprintf \'%s\\n\' "$$" "$@" > "$0.part"\nmv "$0.part" "$0.record"\n' +
    'echo \'{"jsonrpc":"2.0","method":"Plugin.Stream.Ready"}\'\ntrap "sleep 0.3; exit" TERM\nwhile read -r line; do :; done\n';

  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  function isRunning(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }
});
