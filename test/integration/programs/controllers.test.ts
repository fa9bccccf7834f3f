import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { ControlClient } from '../../support/control-client.ts';
import { ControlInbox, type ControlMessage } from '../../support/control-inbox.ts';
import { feedTcp } from '../../support/feeder.ts';
import { KnownThings } from '../../support/known-things.ts';
import { loudPcm } from '../../support/loud-pcm.ts';
import { ProgramStage } from '../../support/program-stage.ts';
import { freePort } from '../../support/server-process.ts';
import { groupOf, type ServerStatus, streamOf } from '../../support/server-status.ts';
import { browserUpgrade } from '../../support/upgrade-requests.ts';
import { until } from '../../support/waiting.ts';

// What these programs write and rely on: protocol reference, 7.2 and 9.

const tone = 'stream.source=tone:///?name=default&codec=pcm';
let stage: ProgramStage;

afterEach(() => stage.close());

describe('snapdroid', () => {
  /** A line, and the end of another one. */
  const say = (phone: ControlClient, json: string) => phone.send(`${json}\r\n\n`);

  async function connected(...ids: readonly string[]): Promise<ControlClient> {
    stage = await ProgramStage.open(tone, 'stream.source=pipe://FOLDER/fifo?name=Radio');
    await stage.joined(...ids);
    const phone = await stage.controller();
    say(phone, '{"jsonrpc":"2.0","method":"Server.GetStatus","id":0}');
    return phone;
  }

  it('finds the control port one above the port of the audio that mDNS tells it', async () => {
    stage = await ProgramStage.open(tone);
    const { config } = loadConfig({ searchPaths: [], overrides: [] });
    expect(config.tcpControl.port).toBe(config.tcpStreaming.port + 1);
  });

  it('gets an answer to its very first request, whose id is 0, with all that it reads', async () => {
    const phone = await connected('kitchen');
    const { streams } = await phone.inbox.status(0);
    expect(streams.map(({ id }) => id)).toEqual(['default', 'Radio']);
    for (const { uri, status } of streams) {
      for (const key of ['scheme', 'host', 'path', 'fragment', 'raw'] as const) {
        expect(uri[key], key).toBeTypeOf('string');
      }
      expect(Object.keys(uri.query).length).toBeGreaterThan(0);
      for (const value of Object.values(uri.query)) expect(value).toBeTypeOf('string');
      expect(['unknown', 'idle', 'playing', 'disabled']).toContain(status);
    }
    // The empty lines are nobody's request.
    expect(phone.inbox.answers()).toHaveLength(1);
  });

  it('sets the volume of a group by one batch and gets numbers back as ids', async () => {
    const phone = await connected('kitchen', 'bath');
    const other = await stage.controller();
    await phone.inbox.answer(0);
    const volume = (id: number, client: string, percent: number) =>
      `{"jsonrpc":"2.0","method":"Client.SetVolume","id":${id},"params":` +
      `{"id":"${client}","volume":{"percent":${percent},"muted":false}}}`;
    say(phone, `[${volume(1, 'kitchen', 30)},${volume(2, 'bath', 60)}]`);
    expect(await phone.inbox.result(2)).toEqual({ volume: { muted: false, percent: 60 } });
    expect(await phone.inbox.result(1)).toEqual({ volume: { muted: false, percent: 30 } });
    expect(phone.inbox.texts.at(-1)).toMatch(/^\[/);
    await until(() => other.inbox.notifications('Client.OnVolumeChanged').length === 2);
    expect(phone.inbox.notifications()).toEqual([]);
  });

  it('reads the status in the answers that rearrange clients, and the text in those that refuse', async () => {
    const phone = await connected('kitchen', 'bath');
    const { id } = groupOf(await phone.inbox.status(0), 'kitchen');
    const clients = '["kitchen","bath"]';
    const setClients = `"Group.SetClients","id":1,"params":{"id":"${id}","clients":${clients}}`;
    say(phone, `{"jsonrpc":"2.0","method":${setClients}}`);
    expect(groupOf(await phone.inbox.status(1), 'bath').id).toBe(id);
    const refused = [
      '"Client.SetName","id":2,"params":{"id":"nobody","name":"K\\/B"}',
      '"Group.SetStream","id":3,"params":{"id":"nobody","stream_id":"default"}',
      '"Server.DeleteClient","id":4,"params":{"id":"nobody"}',
    ];
    for (const request of refused) say(phone, `{"jsonrpc":"2.0","method":${request}}`);
    for (const number of [2, 3, 4]) {
      expect((await phone.inbox.answer(number)).error).toEqual({
        code: expect.any(Number),
        message: expect.any(String),
        data: expect.stringContaining('not found'),
      });
    }
    say(
      phone,
      '{"jsonrpc":"2.0","method":"Client.SetName","id":5,"params":{"id":"bath","name":"K\\/B"}}',
    );
    expect(await phone.inbox.result(5)).toEqual({ name: 'K/B' });
  });
});

describe('python-snapcast in Home Assistant', () => {
  const line = (id: number, method: string, params: string) =>
    `{"id": ${id}, "method": "${method}", "params": ${params}, "jsonrpc": "2.0"}\r\n`;

  async function homeAssistant(): Promise<ControlClient> {
    const controller = await stage.controller();
    controller.send(line(417, 'Server.GetStatus', '{}'));
    await controller.inbox.answer(417);
    return controller;
  }

  it('finds a version that it takes for new enough, and each stream by its name', async () => {
    stage = await ProgramStage.open(tone, 'stream.source=pipe://FOLDER/fifo?name=Küche 1');
    const { inbox } = await homeAssistant();
    const { server, streams } = await inbox.status(417);
    // PEP 440.
    const [, major, minor] = /^(\d+)\.(\d+)(?:\.\d+)*$/.exec(server.snapserver.version) ?? [];
    expect(Number(major) * 1000 + Number(minor)).toBeGreaterThanOrEqual(26);
    expect(streams.map(({ uri }) => uri.query.name)).toEqual(['default', 'Küche 1']);
    expect(streams.map(({ id }) => id)).toEqual(['default', 'Küche 1']);
  });

  it('controls players while another controller is told, each message ending in CR LF', async () => {
    stage = await ProgramStage.open(tone);
    await stage.joined('kitchen');
    const one = await homeAssistant();
    const other = await homeAssistant();
    const { id } = groupOf(await one.inbox.status(417), 'kitchen');
    one.send(
      line(1, 'Client.SetVolume', '{"id": "kitchen", "volume": {"percent": 20, "muted": false}}'),
    );
    one.send(line(2, 'Client.SetName', '{"id": "kitchen", "name": "K\\u00fcche"}'));
    one.send(line(3, 'Client.SetLatency', '{"id": "kitchen", "latency": 15}'));
    one.send(line(4, 'Group.SetMute', `{"id": "${id}", "mute": true}`));
    one.send(line(5, 'Group.SetName', `{"id": "${id}", "name": "Downstairs"}`));
    one.send(line(6, 'Group.SetStream', `{"id": "${id}", "stream_id": "default"}`));
    one.send(line(7, 'Client.GetStatus', '{"id": "kitchen"}'));
    one.send(line(8, 'Group.GetStatus', `{"id": "${id}"}`));
    one.send(line(9, 'Server.GetRPCVersion', '{}'));
    expect(await one.inbox.result(1)).toEqual({ volume: { muted: false, percent: 20 } });
    expect(await one.inbox.result(2)).toEqual({ name: 'Küche' });
    expect(await one.inbox.result(3)).toEqual({ latency: 15 });
    expect(await one.inbox.result(4)).toEqual({ mute: true });
    expect(await one.inbox.result(5)).toEqual({ name: 'Downstairs' });
    expect(await one.inbox.result(6)).toEqual({ stream_id: 'default' });
    expect(await one.inbox.result(7)).toMatchObject({ client: { config: { name: 'Küche' } } });
    expect(await one.inbox.result(8)).toMatchObject({ group: { name: 'Downstairs' } });
    expect(await one.inbox.result(9)).toMatchObject({ major: expect.any(Number) });
    expect(one.inbox.notifications()).toEqual([]);
    expect(await other.inbox.told('Group.OnStreamChanged')).toEqual({ id, stream_id: 'default' });
    expect(other.inbox.notifications().map(({ method }) => method)).toEqual([
      'Client.OnVolumeChanged',
      'Client.OnNameChanged',
      'Client.OnLatencyChanged',
      'Group.OnMute',
      'Group.OnNameChanged',
      'Group.OnStreamChanged',
    ]);
    for (const { raw } of [one, other]) {
      const text = Buffer.concat(raw).toString();
      expect(text.endsWith('\r\n')).toBe(true);
      expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    }
  });

  it('adds, follows and removes a stream by its id', async () => {
    stage = await ProgramStage.open(tone);
    const one = await homeAssistant();
    const other = await homeAssistant();
    const known = new KnownThings();
    const port = await freePort();
    one.send(line(1, 'Stream.AddStream', `{"streamUri": "tcp://127.0.0.1:${port}?name=Doorbell"}`));
    expect(await one.inbox.result(1)).toEqual({ id: 'Doorbell' });
    const isTold = ({ method, params }: ControlMessage) =>
      method === 'Server.OnUpdate' && JSON.stringify(params).includes('"id":"Doorbell"');
    const update = await other.inbox.until(isTold, 'the other is told of the stream');
    const { server } = update.params as unknown as { server: ServerStatus };
    expect(streamOf(server, 'Doorbell').status).toBe('idle');
    await feedTcp(port, loudPcm(400));
    await until(() => one.inbox.notifications('Stream.OnUpdate').length >= 2);
    for (const { inbox } of [one, other]) {
      const updates = inbox.notifications('Stream.OnUpdate').map(({ params }) => params);
      expect(updates[0]).toMatchObject({
        id: 'Doorbell',
        stream: { id: 'Doorbell', status: 'playing' },
      });
      expect(updates.at(-1)).toMatchObject({ id: 'Doorbell', stream: { status: 'idle' } });
    }
    one.send(line(2, 'Stream.RemoveStream', '{"id": "Doorbell"}'));
    expect(await one.inbox.result(2)).toEqual({ id: 'Doorbell' });
    await until(() => !isTold(other.inbox.notifications('Server.OnUpdate').at(-1)!));
    for (const message of other.inbox.messages) known.hear(message);
    expect(known.surprises).toEqual([]);
  });

  it('takes any message that has an id for an answer, so that no notification has one', async () => {
    stage = await ProgramStage.open(tone);
    const { inbox } = await homeAssistant();
    await stage.joined('kitchen');
    for (let percent = 1; percent <= 60; percent += 1) {
      await stage.ask('Client.SetVolume', { id: 'kitchen', volume: { percent } });
    }
    await until(() => inbox.notifications('Client.OnVolumeChanged').length === 60);
    for (const message of inbox.messages) {
      expect('id' in message, JSON.stringify(message)).toBe(message.method === undefined);
    }
  });
});

describe('Iris', () => {
  it('controls everything by text ids over WebSocket and never gets an array', async () => {
    stage = await ProgramStage.open(tone);
    await stage.joined('kitchen', 'bath');
    const inbox = new ControlInbox();
    const port = stage.server.httpPort;
    // The page comes from Mopidy on the same machine.
    const request = browserUpgrade({ path: '/jsonrpc', port, origin: 'http://127.0.0.1:6680' });
    const socket = await stage.webSocket(request, ({ payload }) => inbox.add(payload.toString()));
    const ask = (id: string, rest: string) => {
      socket.send(Buffer.from(`{"jsonrpc":"2.0","id":"${id}",${rest}}`), 'text');
      return inbox.result(id);
    };
    const { server } = (await ask('k3v9x0qa', '"method":"Server.GetStatus"')) as {
      server: ServerStatus;
    };
    const { id } = groupOf(server, 'kitchen');
    const client = '"params":{"id":"kitchen",';
    const group = `"params":{"id":"${id}",`;
    expect(await ask('aaaaaaa1', `"method":"Client.SetName",${client}"name":"K"}`)).toEqual({
      name: 'K',
    });
    const volume = '"volume":{"muted":true,"percent":55}}';
    expect(await ask('aaaaaaa2', `"method":"Client.SetVolume",${client}${volume}`)).toEqual({
      volume: { muted: true, percent: 55 },
    });
    expect(await ask('aaaaaaa3', `"method":"Client.SetLatency",${client}"latency":-5}`)).toEqual({
      latency: -5,
    });
    expect(await ask('aaaaaaa4', `"method":"Group.SetName",${group}"name":"Both"}`)).toEqual({
      name: 'Both',
    });
    expect(await ask('aaaaaaa5', `"method":"Group.SetMute",${group}"mute":true}`)).toEqual({
      mute: true,
    });
    expect(
      await ask('aaaaaaa6', `"method":"Group.SetStream",${group}"stream_id":"default"}`),
    ).toEqual({
      stream_id: 'default',
    });
    expect(
      await ask('aaaaaaa7', `"method":"Group.SetClients",${group}"clients":["kitchen","bath"]}`),
    ).toMatchObject({ server: { groups: [{ clients: [{ id: 'kitchen' }, { id: 'bath' }] }] } });
    expect(
      await ask('aaaaaaa8', '"method":"Server.DeleteClient","params":{"id":"bath"}'),
    ).toMatchObject({
      server: { groups: [{ clients: [{ id: 'kitchen' }] }] },
    });
    const control = '"method":"Stream.Control","params":{"id":"default","command":"play"}';
    await expect(ask('aaaaaaa9', control)).rejects.toThrow('"code":4');
    // A batch of somebody else.
    const phone = await stage.controller();
    const one = `{"id":1,"jsonrpc":"2.0","method":"Client.SetVolume",${client}"volume":{"percent":7}}}`;
    const two = `{"id":2,"jsonrpc":"2.0","method":"Client.SetName",${client}"name":"Kitchen"}}`;
    phone.send(`[${one},${two}]\r\n`);
    expect(await inbox.told('Client.OnVolumeChanged')).toMatchObject({ volume: { percent: 7 } });
    expect(await inbox.told('Client.OnNameChanged')).toEqual({ id: 'kitchen', name: 'Kitchen' });
    for (const text of inbox.texts) expect(text).toMatch(/^\{/);
  });
});
