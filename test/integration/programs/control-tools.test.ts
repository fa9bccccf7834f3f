import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlClient } from '../../support/control-client.ts';
import { feedTcp } from '../../support/feeder.ts';
import { loudPcm } from '../../support/loud-pcm.ts';
import { playerMessage, textBody } from '../../support/player-messages.ts';
import { ProgramStage } from '../../support/program-stage.ts';
import { freePort } from '../../support/server-process.ts';
import { groupOf, type ServerStatus, streamOf } from '../../support/server-status.ts';
import { until } from '../../support/waiting.ts';

// What these programs write and rely on: protocol reference, 7.2, 9 and 10.

const tone = 'stream.source=tone:///?name=default&codec=pcm';
let stage: ProgramStage;

afterEach(() => stage.close());

describe('Snap.Net', () => {
  /** Its library finds the method by the names of the parameters, all of them and no others. */
  const parameters: Readonly<Record<string, readonly string[]>> = {
    'Client.OnConnect': ['client', 'id'],
    'Client.OnDisconnect': ['client', 'id'],
    'Client.OnLatencyChanged': ['id', 'latency'],
    'Client.OnNameChanged': ['id', 'name'],
    'Client.OnVolumeChanged': ['id', 'volume'],
    'Group.OnMute': ['id', 'mute'],
    'Group.OnNameChanged': ['id', 'name'],
    'Group.OnStreamChanged': ['id', 'stream_id'],
    'Server.OnUpdate': ['server'],
    'Stream.OnProperties': ['id', 'properties'],
    'Stream.OnUpdate': ['id', 'stream'],
  };

  it('gets the documented parameters of every notification, and no others', async () => {
    stage = await ProgramStage.open(tone);
    const { inbox, send } = await begun();
    await changeEverything();
    await until(
      () => Object.keys(parameters).every((method) => inbox.notifications(method).length > 0),
      'all kinds of notifications',
    );
    for (const message of inbox.notifications()) {
      const { method = '', params = {} } = message;
      expect(Object.keys(message).sort()).toEqual(['jsonrpc', 'method', 'params']);
      expect(Object.keys(params).sort(), method).toEqual(parameters[method]);
    }
    const [volume] = inbox.notifications('Client.OnVolumeChanged');
    expect(volume?.params?.volume).toEqual({ muted: true, percent: 12 });
    send('{"jsonrpc":"2.0","id":3,"method":"Client.SetName","params":{"id":"kitchen","name":"K"}}');
    expect(await inbox.result(3)).toEqual({ name: 'K' });
  });

  /** Its first request has positional parameters, of which there are none. */
  async function begun(): Promise<{ inbox: ControlClient['inbox']; send(json: string): void }> {
    const controller = await stage.controller();
    const send = (json: string) => controller.send(`${json}\r\n`);
    send('{"jsonrpc":"2.0","id":2,"method":"Server.GetStatus","params":[]}');
    expect((await controller.inbox.status(2)).groups).toEqual([]);
    return { inbox: controller.inbox, send };
  }

  async function changeEverything(): Promise<void> {
    // A new title again and again: what comes first may be told together with the stream.
    stage.plugin(
      'player.sh',
      '#!/bin/sh\nn=0\nwhile sleep 0.1; do n=$((n + 1))\n' +
        'echo "{\\"jsonrpc\\":\\"2.0\\",\\"method\\":\\"Plugin.Stream.Player.Properties\\",' +
        '\\"params\\":{\\"canPlay\\":true,\\"metadata\\":{\\"title\\":\\"$n\\"}}}"\ndone\n',
    );
    const port = await freePort();
    const streamUri = `tcp://127.0.0.1:${port}?controlscript=player.sh&name=Played`;
    await stage.ask('Stream.AddStream', { streamUri });
    const [kitchen] = await stage.joined('kitchen');
    const { server } = (await stage.ask('Server.GetStatus')) as { server: ServerStatus };
    const { id } = groupOf(server, 'kitchen');
    await stage.ask('Client.SetVolume', { id: 'kitchen', volume: { percent: 12, muted: true } });
    await stage.ask('Client.SetLatency', { id: 'kitchen', latency: 3 });
    await stage.ask('Client.SetName', { id: 'kitchen', name: 'Kitchen' });
    await stage.ask('Group.SetMute', { id, mute: true });
    await stage.ask('Group.SetName', { id, name: 'All' });
    await stage.ask('Group.SetStream', { id, stream_id: 'Played' });
    await feedTcp(port, loudPcm(200));
    kitchen?.close();
    await stage.server.untilSessions(0);
    await stage.greeted('kitchen');
  }
});

describe('ESPHome snapcast', () => {
  const image = Buffer.from('not really an image, but long enough to be noticed').toString(
    'base64',
  );
  const script =
    '#!/bin/sh\necho \'{"jsonrpc":"2.0","method":"Plugin.Stream.Player.Properties","params":' +
    `{"canControl":true,"canPause":true,"metadata":{"title":"T","artData":{"data":"${image}",` +
    '"extension":"png"}}}}\'\nwhile read -r line; do :; done\n';

  it('follows its group by two requests and what comes after, none of it too long', async () => {
    stage = await ProgramStage.open(tone);
    stage.plugin('cover.sh', script);
    await stage.ask('Stream.AddStream', {
      streamUri: 'tone:///?controlscript=cover.sh&name=Cover&codec=pcm',
    });
    const names = Array.from({ length: 10 }, (_, index) => `room-${index}`);
    await stage.joined(...names);
    const device = await stage.controller();
    device.send('{"jsonrpc":"2.0","id":1,"method":"Server.GetStatus","params":{}}\n');
    const status = await device.inbox.status(1);
    const { id } = groupOf(status, 'room-3');
    device.send(`{"jsonrpc":"2.0","id":2,"method":"Group.GetStatus","params":{"id":"${id}"}}\n`);
    expect(await device.inbox.result(2)).toMatchObject({
      group: { id, stream_id: 'default', clients: [{ id: 'room-3' }] },
    });
    await stage.ask('Group.SetStream', { id, stream_id: 'Cover' });
    expect(await device.inbox.told('Group.OnStreamChanged')).toEqual({ id, stream_id: 'Cover' });
    await until(() => titleOf(stage) === 'T', 'the script has told about its title');
    device.send('{"jsonrpc":"2.0","id":3,"method":"Server.GetStatus","params":{}}\n');
    const { properties } = streamOf(await device.inbox.status(3), 'Cover');
    expect(properties).toMatchObject({ metadata: { artUrl: expect.stringMatching(/^http/) } });
    // It asks for a stop with one parameter too many.
    device.send(
      '{"jsonrpc":"2.0","id":4,"method":"Stream.Control","params":{"id":"default","command":"stop","clients":[]}}\n',
    );
    expect((await device.inbox.answer(4)).error?.code).toBe(7);
    for (const line of device.inbox.texts) {
      expect(line).not.toContain('artData');
      expect(line).not.toContain(image);
      // Longer lines are dropped by a task with a small memory.
      expect(line.length).toBeLessThan(16_384);
    }
  });

  function titleOf({ server }: ProgramStage): string | undefined {
    return server.application.streams.channels.get('Cover')?.properties.metadata?.title as
      | string
      | undefined;
  }
});

describe('the test of NixOS', () => {
  const request = '{"id": "1", "jsonrpc": "2.0", "method": "Server.GetRPCVersion"}';
  const answer = '{"id":"1","jsonrpc":"2.0","result":{"major":23,"minor":0,"patch":0}}';
  const helloText =
    '{"Arch":"x86_64","ClientName":"Snapclient","HostName":"client","ID":"52:54:00:12:01:01",' +
    '"Instance":1,"MAC":"52:54:00:12:01:01","OS":"NixOS","SnapStreamProtocolVersion":2,' +
    '"Version":"0.34.0"}';

  async function open(): Promise<number> {
    const port = await freePort();
    stage = await ProgramStage.open(
      'stream.source=pipe://FOLDER/mpd?name=mpd&mode=create',
      'stream.source=pipe://FOLDER/bluetooth?name=bluetooth',
      `stream.source=tcp://127.0.0.1:${port}?name=tcp`,
      'stream.source=meta:///mpd/bluetooth/tcp?name=meta',
      'stream.buffer=742',
    );
    return port;
  }

  it('finds pipes, ports, the greeting in the log, and its buffer at the client', async () => {
    const port = await open();
    for (const name of ['mpd', 'bluetooth']) {
      expect(statSync(join(stage.folder, name)).isFIFO()).toBe(true);
    }
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject));
    socket.destroy();
    const player = await stage.player();
    player.send(playerMessage({ type: 5, id: 2, body: textBody(helloText) }));
    const [settings] = await player.untilCount(3, 1);
    expect(JSON.parse(String(settings?.body.subarray(4)))).toMatchObject({ bufferMs: 742 });
    expect(stage.server.log.with('Hello from')).toHaveLength(1);
  });

  it('asks by curl, which calls the JSON a form', async () => {
    await open();
    const { httpPort } = stage.server;
    const socket = connect({ host: '127.0.0.1', port: httpPort });
    const bytes = text(socket);
    socket.end(
      `POST /jsonrpc HTTP/1.1\r\nHost: localhost:${httpPort}\r\nUser-Agent: curl/8.5.0\r\n` +
        `Accept: */*\r\nContent-Length: ${request.length}\r\n` +
        `Content-Type: application/x-www-form-urlencoded\r\n\r\n${request}`,
    );
    const [head = '', ...bodies] = (await bytes).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/\r\nContent-Length: \d+/i);
    expect(bodies.map((body) => body.trim())).toEqual([answer]);
  });

  it('asks by echo and nc, and gets its text id back', async () => {
    await open();
    const nc = await stage.controller();
    nc.send(`${request}\n`);
    await nc.inbox.answer('1');
    expect(nc.inbox.texts).toEqual([answer]);
    expect(nc.isClosed).toBe(false);
  });
});

describe('FHEM and other tools for JSON-RPC on a line', () => {
  it('get the answer to the last line although they have ended, and then the end', async () => {
    stage = await ProgramStage.open(tone);
    const nc = await stage.controller();
    nc.send('{"id":8,"jsonrpc":"2.0","method":"Server.GetRPCVersion"}\n');
    // What takes a moment.
    nc.send(
      '{"id":9,"jsonrpc":"2.0","method":"Stream.AddStream","params":{"streamUri":"tcp://127.0.0.1:0?name=New"}}\n',
    );
    nc.end();
    await until(() => nc.hasEnded, 'the server ends the connection');
    expect(nc.inbox.answers().map(({ id }) => id)).toEqual([8, 9]);
  });

  it('may write keys in any order and empty lines in between', async () => {
    stage = await ProgramStage.open(tone);
    await stage.joined('00:21:6a:7d:74:fc');
    const fhem = await stage.controller();
    fhem.send('{"method":"Server.GetStatus","id":1,"jsonrpc":"2.0"}\r\n\r\n');
    const status = await fhem.inbox.status(1);
    const { id } = groupOf(status, '00:21:6a:7d:74:fc');
    fhem.send(
      '{"params":{"volume":{"percent":35,"muted":false},"id":"00:21:6a:7d:74:fc"},' +
        '"id":2,"method":"Client.SetVolume","jsonrpc":"2.0"}\r\n',
    );
    fhem.send(
      `{"id":3,"params":{"stream_id":"default","id":"${id}"},"jsonrpc":"2.0","method":"Group.SetStream"}\r\n`,
    );
    expect(await fhem.inbox.result(2)).toEqual({ volume: { muted: false, percent: 35 } });
    expect(await fhem.inbox.result(3)).toEqual({ stream_id: 'default' });
    expect(fhem.inbox.answers()).toHaveLength(3);
  });
});
