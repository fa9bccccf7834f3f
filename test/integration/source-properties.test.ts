import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import type { SourceSink, StreamSource } from '../../src/audio/sources/stream-source.ts';
import type { StreamController } from '../../src/audio/stream-controller.ts';
import { noProperties } from '../../src/audio/stream-properties.ts';
import { RpcError, SourceError } from '../../src/base/errors.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { pluginScript } from '../support/plugin-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');

/** Plays numbered tracks: each sample of a track is its number. */
class Jukebox implements StreamSource, StreamController {
  readonly format = format;
  readonly packed24 = false;
  readonly streamController = this;
  #sink: SourceSink | undefined;
  #track = 1;
  #volume = 100;

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.tell();
  }

  read(target: Uint8Array): void {
    const samples = new Int16Array(target.buffer, target.byteOffset, target.length / 2);
    samples.fill(this.#track);
    this.#sink?.filled();
  }

  async stop(): Promise<void> {}

  async control(command: string): Promise<void> {
    if (command !== 'next') throw new RpcError(-32603, 'Internal error', `no ${command} here`);
    this.#track += 1;
    this.tell();
  }

  async setProperty(name: string, value: boolean | number | string): Promise<void> {
    if (name === 'volume') this.#volume = Number(value);
    this.tell();
  }

  tell(): void {
    const metadata = { title: `Track ${this.#track}` };
    const can = { canControl: true, canGoNext: true, canPause: true };
    this.#sink?.properties({ ...noProperties, ...can, metadata, volume: this.#volume });
  }

  breakDown(): void {
    this.#sink?.failed(new SourceError('worn-out', 'the jukebox is broken'));
  }
}

let server: TestServer;
let controller: ControlClient;
let jukebox: Jukebox;
let requests = 0;

async function ask(method: string, params: object) {
  requests += 1;
  const id = requests;
  controller.send(`${JSON.stringify({ id, jsonrpc: '2.0', method, params })}\r\n`);
  return controller.inbox.answer(id);
}

const control = (command: string) => ask('Stream.Control', { id: 'Jukebox', command });

/** The properties of each notification about them. */
function told() {
  return controller.inbox.notifications('Stream.OnProperties').map(({ params }) => params);
}

beforeEach(async () => {
  server = await TestServer.start('stream.source=tone:///?name=Tone', 'stream.codec=pcm');
  controller = await ControlClient.connect(server.controlPort);
  jukebox = new Jukebox();
});

afterEach(async () => {
  controller.close();
  await server.stop();
});

async function add(): Promise<void> {
  const { streams } = server.application;
  await streams.addSource({ name: 'Jukebox', createSource: () => jukebox });
}

describe('a source that tells what it plays', () => {
  it('shows that in the status and in notifications', async () => {
    await add();
    const answer = await ask('Server.GetStatus', {});
    const properties = { ...noProperties, canControl: true, canGoNext: true, canPause: true };
    expect(answer.result).toMatchObject({
      server: {
        streams: [
          { id: 'Tone', properties: noProperties },
          {
            id: 'Jukebox',
            properties: { ...properties, volume: 100, metadata: { title: 'Track 1' } },
          },
        ],
      },
    });
    const set = { id: 'Jukebox', property: 'volume', value: 40 };
    expect(await ask('Stream.SetProperty', set)).toMatchObject({ result: 'ok' });
    await until(() => told().length > 0, 'a notification');
    expect(told()).toEqual([
      {
        id: 'Jukebox',
        properties: { ...properties, volume: 40, metadata: { title: 'Track 1' } },
      },
    ]);
  });

  it('takes commands, which its players hear', async () => {
    await add();
    const player = await ScriptedClient.greet(server.port, 'player');
    await player.untilCount(messageType.serverSettings, 1);
    const group = [...server.application.registry.groups.values()][0]?.id;
    await ask('Group.SetStream', { id: group, stream_id: 'Jukebox' });
    const hears = (track: number) => () =>
      player.chunks.some(({ body }) => decodeWireChunk(body).payload.readInt16LE(0) === track);
    await player.until(hears(1), 'track 1');
    expect(await control('next')).toMatchObject({ result: 'ok' });
    await player.until(hears(2), 'track 2');
    expect(hears(3)()).toBe(false);
    player.close();
  });

  it('refuses by itself what it cannot do, and is not asked for what it does not allow', async () => {
    await add();
    expect(await control('pause')).toMatchObject({
      error: { code: -32603, data: 'no pause here' },
    });
    expect(await control('play')).toMatchObject({
      error: { code: 4, message: 'Stream property canPlay is false' },
    });
    const tone = { id: 'Tone', property: 'mute', value: true };
    expect(await ask('Stream.SetProperty', tone)).toMatchObject({ error: { code: 7 } });
  });

  it('is told on only when it says something else', async () => {
    await add();
    const channel = server.application.streams.channels.get('Jukebox');
    const before = channel?.properties;
    for (let times = 0; times < 5; times += 1) jukebox.tell();
    expect(channel?.properties).toBe(before);
  });

  it('has nothing to say any more when it breaks down', async () => {
    await add();
    jukebox.breakDown();
    jukebox.tell();
    const channel = server.application.streams.channels.get('Jukebox');
    expect(channel?.stream.state).toBe('disabled');
    expect(channel?.properties).toEqual(noProperties);
    expect(await control('next')).toMatchObject({
      error: { code: 2, message: 'Stream property canGoNext is false' },
    });
  });

  it('is silent beside a control script', async () => {
    await add();
    const address = `tone:///?name=Scripted&controlscript=${pluginScript('player.mjs')}`;
    const channel = await server.application.streams.addTrusted(address);
    await until(() => channel.properties.canControl, 'the script has told its properties');
    const { properties } = channel;
    channel.takeSourceProperties({ ...noProperties, canSeek: true });
    expect(channel.properties).toBe(properties);
  });
});
