import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { monotonicClock } from '../../../src/base/clock.ts';
import { feedPipe } from '../../support/feeder.ts';
import { clockBody, playerMessage, readClock, textBody } from '../../support/player-messages.ts';
import { ProgramStage } from '../../support/program-stage.ts';
import type { ScriptedClient } from '../../support/scripted-client.ts';
import { groupOf, type ServerStatus } from '../../support/server-status.ts';
import { until } from '../../support/waiting.ts';

// What these programs write and rely on: protocol reference, 3 and 7.1.

const [codecHeader, wireChunk, serverSettings, time, hello] = [1, 2, 3, 4, 5];
const flacTone = 'stream.source=tone:///?name=default';
const pcmTone = 'stream.source=tone:///?name=default&codec=pcm';
let stage: ProgramStage;

afterEach(() => stage.close());

/** The clock of a player, which is this far ahead of the server's. */
const clockAhead = (aheadUs: number) => () => Math.floor(monotonicClock.nowUs()) + aheadUs;

/** All messages as they came, headers included. */
function rawMessages(player: ScriptedClient): Buffer[] {
  const messages: Buffer[] = [];
  let rest = Buffer.alloc(0);
  player.socket.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 26 && rest.length >= 26 + rest.readUInt32LE(22)) {
      const end = 26 + rest.readUInt32LE(22);
      messages.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  });
  return messages;
}

const jsonOf = (message: Buffer) => JSON.parse(message.subarray(30).toString());

describe('snapclient 0.26', () => {
  const text =
    '{"Arch":"x86_64","ClientName":"Snapclient","HostName":"vm","ID":"02:fc:00:00:00:01",' +
    '"Instance":1,"MAC":"02:fc:00:00:00:01","OS":"Debian GNU/Linux 12 (bookworm)",' +
    '"SnapStreamProtocolVersion":2,"Version":"0.26.0"}';

  it('learns the settings before the codec, and the time from 50 requests in a row', async () => {
    stage = await ProgramStage.open(flacTone);
    const player = await stage.player();
    const messages = rawMessages(player);
    const aheadUs = 300_000;
    const nowUs = clockAhead(aheadUs);
    const ask = (id: number) => {
      const sentUs = nowUs();
      const body = clockBody(sentUs);
      player.send(playerMessage({ type: time, id, sentUs, receivedUs: sentUs, body }));
      return sentUs;
    };
    player.send(playerMessage({ type: hello, id: 2, sentUs: nowUs(), body: textBody(text) }));
    // It does not wait for the answer to its Hello.
    for (let id = 3; id < 53; id += 1) {
      const askedUs = ask(id);
      const isReply = (message: Buffer) =>
        message.readUInt16LE(0) === time && message.readUInt16LE(4) === id;
      await until(() => messages.some(isReply), `the reply to ${id}`);
      const repliedUs = nowUs();
      const reply = messages.find(isReply)!;
      expect(reply.readUInt16LE(2)).toBe(id);
      expect(reply.readUInt32LE(22)).toBe(8);
      expect(reply.readInt32LE(30)).toBeGreaterThanOrEqual(0);
      expect(reply.readInt32LE(30)).toBeLessThan(1_000_000);
      // The estimate is wrong by half of the way there and back at most, whatever that took.
      const offsetUs = (readClock(reply, 26) - (repliedUs - readClock(reply, 6))) / 2;
      expect(Math.abs(offsetUs + aheadUs)).toBeLessThanOrEqual((repliedUs - askedUs) / 2 + 2);
      // Its clock is ahead: what was received seems to come from the future.
      if (repliedUs - askedUs < aheadUs) expect(reply.readInt32LE(26)).toBeLessThan(0);
    }
    await player.untilCount(wireChunk, 10);
    const types = messages.map((message) => message.readUInt16LE(0));
    expect(types[0]).toBe(serverSettings);
    expect(types.indexOf(codecHeader)).toBeLessThan(types.indexOf(wireChunk));
    expect(new Set(types)).toEqual(new Set([codecHeader, wireChunk, serverSettings, time]));
    expect(messages[0]?.readUInt16LE(4)).toBe(2);
    // It takes any message that refers to a request for its answer.
    for (const message of messages.slice(1)) {
      if (message.readUInt16LE(0) !== time) expect(message.readUInt16LE(4)).toBe(0);
    }
    expect(jsonOf(messages[0]!)).toEqual({ bufferMs: 1000, latency: 0, muted: false, volume: 100 });
    const header = messages.find((message) => message.readUInt16LE(0) === codecHeader)!;
    expect(header.toString('latin1', 30, 34)).toBe('flac');
    expect(header.toString('latin1', 38, 42)).toBe('fLaC');
    // A longer one makes it crash.
    expect(header.readUInt32LE(34)).toBeLessThan(8192);
    const [chunk] = messages.filter((message) => message.readUInt16LE(0) === wireChunk);
    expect(chunk?.subarray(38, 40).toString('hex')).toBe('fff8');
  });
});

describe('snapclient 0.34 over WebSocket', () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const text =
    '{"Arch":"x86_64","ClientName":"Snapclient","HostName":"vm","ID":"probe","Instance":2,' +
    '"MAC":"02:fc:00:00:00:01","OS":"Debian GNU/Linux 12 (bookworm)",' +
    '"SnapStreamProtocolVersion":2,"Version":"0.34.0"}';

  it('gets one message in each unfragmented binary frame', async () => {
    stage = await ProgramStage.open(pcmTone);
    const socket = await stage.webSocket(
      `GET /stream HTTP/1.1\r\nHost: 127.0.0.1:${stage.server.httpPort}\r\n` +
        'Upgrade: websocket\r\nConnection: upgrade\r\n' +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nUser-Agent: Snapcast\r\n\r\n`,
    );
    const accepted = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    expect(socket.head).toMatch(/^HTTP\/1\.1 101 /);
    expect(socket.head).toContain(`\r\nSec-WebSocket-Accept: ${accepted.digest('base64')}`);
    socket.send(playerMessage({ type: hello, id: 2, body: textBody(text) }), 'binary');
    socket.send(playerMessage({ type: time, id: 3, body: clockBody(0) }), 'binary');
    const ofType = (type: number) =>
      socket.frames.filter(({ payload }) => payload.readUInt16LE(0) === type);
    await until(() => ofType(wireChunk).length >= 10 && ofType(time).length > 0);
    for (const { first, payload } of socket.frames) {
      expect(first).toBe(0x82);
      expect(payload.length).toBe(26 + payload.readUInt32LE(22));
    }
    expect(socket.frames[0]?.payload.readUInt16LE(0)).toBe(serverSettings);
    expect(socket.frames[0]?.payload.readUInt16LE(4)).toBe(2);
    expect(ofType(codecHeader)).toHaveLength(1);
    expect(ofType(time)[0]?.payload.readUInt16LE(4)).toBe(3);
    // Its second instance is a player of its own.
    expect(await stage.ask('Client.GetStatus', { id: 'probe#2' })).toMatchObject({
      client: { config: { instance: 2 }, connected: true },
    });
  });
});

describe('CarlosDerSeher ESP32', () => {
  const mac = 'A4:CF:12:05:C6:D8';
  const text =
    `{"MAC":"${mac}","HostName":"esp32-snapclient","Version":"0.0.2","ClientName":"libsnapcast",` +
    `"OS":"esp32","Arch":"xtensa","Instance":1,"ID":"${mac}","SnapStreamProtocolVersion":2}`;

  it('gets all four settings and no message without a body, though it writes in pieces', async () => {
    stage = await ProgramStage.open(flacTone);
    const player = await stage.player();
    const greeting = playerMessage({ type: hello, id: 0, body: textBody(text) });
    player.send(greeting.subarray(0, 26));
    await delay(20);
    player.send(greeting.subarray(26));
    // Only now does it begin to ask for the time, with an empty latency.
    await player.untilCount(codecHeader, 1);
    for (let id = 0; id < 10; id += 1) {
      player.send(playerMessage({ type: time, id, sentUs: id * 10_000, body: clockBody(0) }));
      await delay(10);
    }
    await player.untilCount(time, 10);
    await stage.ask('Client.SetVolume', { id: mac, volume: { muted: true, percent: 30 } });
    const [first, pushed] = await player.untilCount(serverSettings, 2);
    const settingsOf = (body: Buffer | undefined) => JSON.parse(String(body?.subarray(4)));
    expect(settingsOf(first?.body)).toEqual({
      bufferMs: 1000,
      latency: 0,
      muted: false,
      volume: 100,
    });
    expect(settingsOf(pushed?.body)).toMatchObject({ muted: true, volume: 30 });
    for (const { type, body } of player.received) {
      expect(body.length, `message of type ${type}`).toBeGreaterThan(0);
      expect([codecHeader, wireChunk, serverSettings, time]).toContain(type);
    }
    // 16 bits, two channels, at most 1152 samples in a frame.
    const [header] = player.of(codecHeader);
    const streamInfo = header!.body.subarray(4 + 4 + 4 + 8);
    expect(streamInfo.readUInt16BE(2)).toBeLessThanOrEqual(1152);
    expect(streamInfo.readUInt32BE(10) >>> 12).toBe(48_000);
    expect(((streamInfo.readUInt32BE(10) >>> 9) & 7) + 1).toBe(2);
    expect(((streamInfo.readUInt32BE(10) >>> 4) & 31) + 1).toBe(16);
  });
});

describe('jorgen ESP32', () => {
  const mac = '24:0a:c4:12:34:56';
  const text =
    `{"MAC":"${mac}","HostName":"ESP32-Caster","Version":"0.0.2","ClientName":"libsnapcast",` +
    `"OS":"esp32","Arch":"xtensa","Instance":1,"ID":"${mac}","SnapStreamProtocolVersion":2}`;

  it.each([
    ['pcm', randomBytes(192_000)],
    ['flac', musicLike()],
  ])('has room for every message of a %s stream with default settings', async (codec, audio) => {
    stage = await ProgramStage.open(`stream.source=pipe://FOLDER/fifo?name=default&codec=${codec}`);
    const player = await stage.player();
    player.send(playerMessage({ type: hello, id: 0, body: textBody(text) }));
    await player.untilCount(codecHeader, 1);
    await feedPipe(join(stage.folder, 'fifo'), audio);
    await player.untilCount(wireChunk, 30);
    for (const { type, body } of player.received) {
      expect(body.length, `message of type ${type}`).toBeLessThanOrEqual(4000);
    }
  });

  /** A second of loud chords with noise, 48000:16:2. */
  function musicLike(): Buffer {
    const audio = Buffer.alloc(192_000);
    const noise = randomBytes(96_000);
    for (let index = 0; index < audio.length / 2; index += 1) {
      const phase = (index >> 1) / 48_000;
      const chord = [220, 277, 330, 1760].map((hz) => Math.sin(2 * Math.PI * hz * phase));
      const sum = chord.reduce((total, part) => total + part, 0) * 6000;
      audio.writeInt16LE(Math.round(sum) + (noise[index] ?? 0) * 8 - 1024, 2 * index);
    }
    return audio;
  }
});

describe('arduino-snapclient', () => {
  const mac = '8C:AA:B5:00:11:22';
  const text =
    `{"MAC":"${mac}","HostName":"arduino-snapclient","Version":"0.1.0","ClientName":"libsnapcast",` +
    `"OS":"arduino","Arch":"xtensa","Instance":1,"ID":"${mac}","SnapStreamProtocolVersion":2}`;

  it('stays connected while it is muted or its stream is idle, and says nothing then', async () => {
    stage = await ProgramStage.open(
      pcmTone,
      'stream.source=pipe://FOLDER/fifo?name=idle',
      'tcp-streaming.stall_timeout=1000',
      'tcp-streaming.hello_timeout=200',
    );
    const player = await stage.player();
    player.send(playerMessage({ type: hello, id: 1, body: textBody(text) }));
    await player.untilCount(wireChunk, 1);
    await stage.ask('Client.SetVolume', { id: mac, volume: { muted: true } });
    const [idle] = await stage.greeted('idle');
    const { server } = (await stage.ask('Server.GetStatus')) as { server: ServerStatus };
    const { id } = groupOf(server, 'idle');
    await stage.ask('Group.SetStream', { id, stream_id: 'idle' });
    // What was on the way still arrives.
    await player.untilCount(serverSettings, 2);
    await delay(200);
    const heard = player.received.length;
    await delay(2300);
    expect(player.isClosed || idle!.isClosed).toBe(false);
    expect(player.received.length).toBe(heard);
    await stage.ask('Client.SetVolume', { id: mac, volume: { muted: false } });
    await player.until(() => player.received.length > heard + 10, 'chunks flow again');
    expect(stage.server.log.with('session closed')).toEqual([]);
    // It waits for all of a message to lie in its receive window before it reads any.
    for (const { body } of player.received) expect(body.length).toBeLessThanOrEqual(5700);
  });
});
