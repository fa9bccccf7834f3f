import { afterEach, describe, expect, it } from 'vitest';
import { monotonicClock } from '../../../src/base/clock.ts';
import { ControlInbox } from '../../support/control-inbox.ts';
import { KnownThings } from '../../support/known-things.ts';
import { clockBody, playerMessage, readClock, textBody } from '../../support/player-messages.ts';
import { ProgramStage } from '../../support/program-stage.ts';
import type { RawWebSocket } from '../../support/raw-web-socket.ts';
import { groupOf, type ServerStatus } from '../../support/server-status.ts';
import { browserUpgrade } from '../../support/upgrade-requests.ts';
import { until } from '../../support/waiting.ts';

// What Snapweb writes and relies on: protocol reference, 7 and 11.

const [codecHeader, wireChunk, serverSettings, time, hello] = [1, 2, 3, 4, 5];
const uuid = '5c3f7a52-0b43-4d8e-9d8a-2f3a1d1f7c11';
const helloText =
  '{"MAC":"00:00:00:00:00:00","HostName":"Snapweb client","Version":"0.9.1","ClientName":"Snapweb",' +
  `"OS":"Linux x86_64","Arch":"web","Instance":1,"ID":"${uuid}","SnapStreamProtocolVersion":2}`;
let stage: ProgramStage;

afterEach(() => stage.close());

const upgrade = (path: '/jsonrpc' | '/stream') => {
  const port = stage.server.httpPort;
  return browserUpgrade({ path, port, origin: `http://127.0.0.1:${port}` });
};

/** Its messages count the header as part of the body, and have no time of receipt. */
function say(socket: RawWebSocket, message: { type: number; id: number; body: Buffer }): number {
  const sentUs = Math.floor(monotonicClock.nowUs());
  const size = 26 + message.body.length;
  socket.send(playerMessage({ ...message, sentUs, size }), 'binary');
  return sentUs;
}

async function openStream(): Promise<RawWebSocket> {
  const socket = await stage.webSocket(upgrade('/stream'));
  say(socket, { type: hello, id: 1, body: textBody(helloText) });
  return socket;
}

const ofType = ({ frames }: RawWebSocket, type: number) =>
  frames.map(({ payload }) => payload).filter((payload) => payload.readUInt16LE(0) === type);

describe('Snapweb as a player', () => {
  it('finds the time of receipt in the field where it looks for the time of sending', async () => {
    stage = await ProgramStage.open('stream.source=tone:///?name=default');
    const socket = await openStream();
    const askedUs = say(socket, { type: time, id: 2, body: clockBody(0) });
    await until(() => ofType(socket, time).length > 0 && ofType(socket, wireChunk).length > 9);
    const repliedUs = Math.ceil(monotonicClock.nowUs());
    const [reply] = ofType(socket, time);
    const receivedUs = readClock(reply!, 14);
    const latencyUs = readClock(reply!, 26);
    expect(reply!.readUInt16LE(4)).toBe(2);
    expect(receivedUs).toBeGreaterThanOrEqual(askedUs);
    expect(receivedUs).toBeLessThanOrEqual(readClock(reply!, 6));
    expect(readClock(reply!, 6)).toBeLessThanOrEqual(repliedUs);
    expect(Math.abs(latencyUs - (receivedUs - askedUs))).toBeLessThanOrEqual(1);
    const types = socket.frames.map(({ payload }) => payload.readUInt16LE(0));
    expect(types.indexOf(serverSettings)).toBe(0);
    expect(types.indexOf(codecHeader)).toBeLessThan(types.indexOf(wireChunk));
  });

  it('is known by its id alone, and by that again when it comes back', async () => {
    stage = await ProgramStage.open('stream.source=tone:///?name=default');
    (await openStream()).close();
    await stage.server.untilSessions(0);
    await openStream();
    await stage.server.untilSessions(1);
    const { server } = (await stage.ask('Server.GetStatus')) as { server: ServerStatus };
    expect(server.groups.flatMap(({ clients }) => clients)).toEqual([
      expect.objectContaining({ id: uuid, connected: true }),
    ]);
    expect(groupOf(server, uuid).clients[0]).toMatchObject({
      host: { arch: 'web', mac: '00:00:00:00:00:00', name: 'Snapweb client' },
      snapclient: { name: 'Snapweb', protocolVersion: 2, version: '0.9.1' },
    });
  });

  it.each([
    ['flac', '48000:16:2'],
    ['flac', '44100:24:2'],
    ['pcm', '96000:24:2'],
    ['pcm', '48000:32:2'],
    ['opus', '48000:16:2'],
  ])('finds the format of %s, %s in the header and shows no alert', async (codec, format) => {
    stage = await ProgramStage.open(
      `stream.source=tone:///?name=default&codec=${codec}&sampleformat=${format}`,
    );
    const socket = await openStream();
    await until(() => ofType(socket, wireChunk).length > 0, 'a chunk comes');
    const body = ofType(socket, codecHeader)[0]!.subarray(26);
    const nameEnd = 4 + body.readUInt32LE(0);
    expect(body.toString('latin1', 4, nameEnd)).toBe(codec);
    expect(formatReaders[codec]!(body.subarray(nameEnd + 4))).toBe(format);
    // It takes 24 bits for four bytes.
    const [chunk] = ofType(socket, wireChunk);
    const [rate = 0, bits = 0] = format.split(':').map(Number);
    const bytes = (rate / 50) * 2 * (bits === 16 ? 2 : 4);
    if (codec === 'pcm') expect(chunk!.subarray(38).length).toBe(bytes);
  });
});

/** Where it looks for `rate:bits:channels` in the payload of a codec header. */
const formatReaders: Readonly<Record<string, (payload: Buffer) => string>> = {
  flac: (payload) => {
    const packed = payload.readUInt32BE(18);
    return `${packed >>> 12}:${((packed >>> 4) & 31) + 1}:${((packed >>> 9) & 7) + 1}`;
  },
  pcm: (payload) =>
    `${payload.readUInt32LE(24)}:${payload.readUInt16LE(34)}:${payload.readUInt16LE(22)}`,
  opus: (payload) =>
    payload.toString('latin1', 0, 4) === 'SUPO'
      ? `${payload.readUInt32LE(4)}:${payload.readUInt16LE(8)}:${payload.readUInt16LE(10)}`
      : 'not opus',
};

describe('Snapweb as a controller', () => {
  async function openControl(inbox: ControlInbox, known = new KnownThings()) {
    const control = await stage.webSocket(upgrade('/jsonrpc'), ({ first, payload }) => {
      // Text, in one piece, not compressed.
      expect(first).toBe(0x81);
      inbox.add(payload.toString());
      known.hear(inbox.messages.at(-1)!);
    });
    control.send(Buffer.from('{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"}'), 'text');
    await inbox.answer(1);
    return control;
  }

  it('is connected to the port that the page and the audio come from', async () => {
    stage = await ProgramStage.open('stream.source=tone:///?name=default');
    const inbox = new ControlInbox();
    await openControl(inbox);
    await openStream();
    const update = await inbox.until(
      ({ method, params }) => method !== undefined && JSON.stringify(params).includes(uuid),
      'the page is told of the player in it',
    );
    expect(update.method).toBe('Server.OnUpdate');
    const { server } = update.params as unknown as { server: ServerStatus };
    expect(groupOf(server, uuid)).toMatchObject({ stream_id: 'default', muted: false });
  });

  it('is never told of a client, group or stream that it does not know', async () => {
    stage = await ProgramStage.open('stream.source=tone:///?name=default&codec=pcm');
    const inbox = new ControlInbox();
    const known = new KnownThings();
    const isThere = (id: string) =>
      JSON.stringify(inbox.notifications('Server.OnUpdate').at(-1) ?? {}).includes(`"id":"${id}"`);
    await openControl(inbox, known);
    const [kitchen] = await stage.greeted('kitchen', 'bath');
    // At once, while the page may not have been told of the two yet.
    const all = ['kitchen', 'bath'];
    for (const id of all) await stage.ask('Client.SetVolume', { id, volume: { percent: 40 } });
    await stage.ask('Stream.AddStream', { streamUri: 'tone:///?name=Party&codec=pcm' });
    const { server } = (await stage.ask('Server.GetStatus')) as { server: ServerStatus };
    const group = groupOf(server, 'bath');
    await stage.ask('Group.SetStream', { id: group.id, stream_id: 'Party' });
    await stage.ask('Group.SetClients', { id: group.id, clients: all });
    await stage.ask('Group.SetMute', { id: group.id, mute: true });
    await stage.ask('Group.SetClients', { id: group.id, clients: ['kitchen'] });
    await stage.ask('Group.SetName', { id: group.id, name: 'Upstairs' });
    await stage.ask('Stream.RemoveStream', { id: 'Party' });
    await until(() => isThere('kitchen'), 'the page knows the kitchen');
    kitchen?.close();
    await inbox.told('Client.OnDisconnect');
    await stage.ask('Server.DeleteClient', { id: 'kitchen' });
    await stage.ask('Client.SetName', { id: 'bath', name: 'Bathroom' });
    await stage.greeted('attic');
    await stage.ask('Client.SetName', { id: 'attic', name: 'Attic' });
    await until(() => isThere('attic') && !isThere('kitchen'), 'the page knows how it ended');
    await stage.ask('Client.SetLatency', { id: 'attic', latency: 5 });
    expect(await inbox.told('Client.OnLatencyChanged')).toEqual({ id: 'attic', latency: 5 });
    expect(known.surprises).toEqual([]);
  });
});
