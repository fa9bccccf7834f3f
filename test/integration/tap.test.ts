import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { TimedPcm } from '../../src/audio/stage.ts';
import { openDsp } from '../../src/dsp/dsp.ts';
import { newMelPlan } from '../../src/dsp/mel-plan.ts';
import { metricsAgeMs } from '../../src/http/metrics-route.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import { basic } from '../support/http-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { type HeardFrame, TapClient } from '../support/tap-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const bufferUs = 1_000_000;
const tone = (rest = '') => `stream.source=tone:///?name=Tone&codec=pcm&level=-6${rest}`;

let server: TestServer;
const clients: TapClient[] = [];

async function start(...settings: string[]): Promise<void> {
  server = await TestServer.start(...settings);
}

async function tap(query: string, stream = 'Tone'): Promise<TapClient> {
  const client = await TapClient.open(server.httpPort, `/streams/${stream}/tap?${query}`);
  clients.push(client);
  return client;
}

const refused = (path: string) => TapClient.refused(server.httpPort, path);

/** Figures are measured a few times per second at most. */
const pause = () => new Promise((resolve) => setTimeout(resolve, metricsAgeMs + 50));

async function figure(name: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(await response.text())?.[1]);
}

const encodedChunks = (id = 'Tone') =>
  server.application.streams.channels.get(id)?.stream.encodeFigures.encodedChunks;

async function untilFrames(client: TapClient, count: number): Promise<void> {
  await until(() => client.frames.length >= count, `${count} frames`);
}

function peakOf(pcm: Buffer): number {
  let peak = 0;
  for (let at = 0; at < pcm.length; at += 2) peak = Math.max(peak, Math.abs(pcm.readInt16LE(at)));
  return peak;
}

function expectSameAudio(frames: readonly HeardFrame[], player: ScriptedClient): void {
  const played = new Map(
    player.chunks.map(({ body }) => {
      const { timestampUs, payload } = decodeWireChunk(body);
      return [timestampUs, Buffer.from(payload)];
    }),
  );
  expect(frames.length).toBeGreaterThan(0);
  for (const { heardUs, data } of frames) {
    // A chunk says whole microseconds.
    const capturedUs = Math.round(heardUs - bufferUs);
    const audio = [0, 1].map((us) => played.get(capturedUs - us)).find((found) => found);
    expect(audio?.equals(data)).toBe(true);
  }
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.webSocket.terminate();
  await server.stop();
});

describe('a tap of PCM', () => {
  it('gives bit by bit what players get, with the time at which they play it', async () => {
    await start(tone());
    const player = await ScriptedClient.greet(server.port, 'a');
    const client = await tap('as=pcm');
    expect(client.texts[0]).toMatchObject({
      stream: 'Tone',
      version: 1,
      as: 'pcm',
      rate: 48_000,
      bits: 16,
      channels: 2,
      frameBytes: 4,
      headerBytes: 16,
      bufferMs: 1000,
    });
    await untilFrames(client, 50);
    await player.untilCount(messageType.wireChunk, player.chunks.length + 60);
    for (const { kind, version, count, data } of client.frames) {
      expect([kind, version, count]).toEqual([1, 1, data.length / 4]);
    }
    expectSameAudio(client.frames.slice(0, 50), player);
    player.close();
  });

  it('gives what is announced over the music as players get it', async () => {
    await start(tone());
    const player = await ScriptedClient.greet(server.port, 'a');
    const client = await tap('as=pcm');
    await untilFrames(client, 60);
    await server.application.request('Announce.Play', { chime: 'ding' });
    await untilFrames(client, client.frames.length + 100);
    await player.untilCount(messageType.wireChunk, player.chunks.length + 60);
    const from = client.frames.length - 100;
    const levels = client.frames.slice(from, from + 90).map(({ data }) => peakOf(data));
    // The music goes down, and comes back.
    expect(Math.min(...levels)).toBeLessThan(0.8 * peakOf(client.frames[40]!.data));
    expectSameAudio(client.frames.slice(40, from + 90), player);
    player.close();
  });

  it('gives what is announced while nothing else plays', async () => {
    const fifo = join(await mkdtemp(join(tmpdir(), 'zerocast-tap-')), 'fifo');
    await start(`stream.source=pipe://${fifo}?name=Tone&codec=pcm`);
    const player = await ScriptedClient.greet(server.port, 'a');
    const client = await tap('as=pcm');
    expect(client.frames).toEqual([]);
    await server.application.request('Announce.Play', { chime: 'ding' });
    await until(() => client.frames.some(({ data }) => peakOf(data) > 1000), 'the bell is heard');
    expect(client.frames[0]?.startsRun).toBe(true);
    player.close();
    await rm(dirname(fifo), { recursive: true });
  });

  it('has a source read that no player listens to, and nothing encoded', async () => {
    await start(tone());
    const client = await tap('as=pcm');
    await untilFrames(client, 100);
    expect(encodedChunks()).toBe(0);
    expect(client.frames.map(({ startsRun }) => startsRun).indexOf(true, 1)).toBe(-1);
    for (const [index, { heardUs }] of client.frames.entries()) {
      expect(heardUs).toBeCloseTo(client.frames[0]!.heardUs + index * 20_000, 1);
    }
    client.webSocket.close();
    await until(() => client.closed !== undefined);
    const { stream } = server.application.streams.channels.get('Tone')!;
    const taken: number[] = [];
    const counter = {
      take: ({ timestampUs }: TimedPcm) => taken.push(timestampUs),
      endRun: () => undefined,
    };
    stream.stages?.observe(counter);
    await pause();
    expect(taken).toEqual([]);
    stream.stages?.unobserve(counter);
  });

  it('gives 16 kHz mono to who wants that, at the same times', async () => {
    await start(tone('&freq=1000'));
    const [client, plain] = await Promise.all([tap('as=pcm&rate=16000&channels=1'), tap('as=pcm')]);
    expect(client.texts[0]).toMatchObject({ rate: 16_000, bits: 16, channels: 1, frameBytes: 2 });
    await Promise.all([untilFrames(client, 60), untilFrames(plain, 60)]);
    const at = new Map<number, number>();
    for (const { heardUs, data, count } of plain.frames) {
      for (let frame = 0; frame < count; frame += 3) {
        at.set(Math.round(heardUs + (frame * 1e6) / 48_000), data.readInt16LE(frame * 4));
      }
    }
    let compared = 0;
    for (const { heardUs, data, count } of client.frames.slice(5)) {
      for (let frame = 0; frame < count; frame += 1) {
        const sample = at.get(Math.round(heardUs + (frame * 1e6) / 16_000));
        if (sample === undefined) continue;
        compared += 1;
        expect(Math.abs(sample - data.readInt16LE(2 * frame))).toBeLessThan(20);
      }
    }
    expect(compared).toBeGreaterThan(5000);
  });

  it('says how much was left out for who takes too little, and keeps little for it', async () => {
    await start(tone('&sampleformat=192000:32:8'));
    const client = await tap('as=pcm');
    await untilFrames(client, 5);
    client.webSocket.pause();
    while ((await figure('zerocast_tap_lost_frames_total')) < 20) await pause();
    client.webSocket.resume();
    await until(() => client.texts.length > 1, 'it is told');
    const { frames, count } = client.texts[1]!.lost as { frames: number; count: number };
    await pause();
    expect(await figure('zerocast_tap_lost_frames_total')).toBe(frames);
    expect(count).toBe(frames * 3840);
    const { length } = client.frames;
    await untilFrames(client, length + 5);
    const times = client.frames.map(({ heardUs }) => heardUs);
    const gaps = times.slice(1).filter((time, index) => time - times[index]! > 30_000);
    expect(gaps).toHaveLength(1);
  });

  it('has an end when the peer takes nothing any more', async () => {
    await start(tone('&sampleformat=192000:32:8'), 'server.peer_timeout=2000');
    const client = await tap('as=pcm');
    await untilFrames(client, 5);
    client.webSocket.pause();
    while ((await figure('zerocast_taps')) > 0) await pause();
  });

  it('answers what time it is', async () => {
    await start(tone());
    const client = await tap('as=mel');
    client.webSocket.send('{"time": 12.5}');
    await until(() => client.texts.length > 1);
    const [{ serverUs: before }, answer] = client.texts as [{ serverUs: number }, object];
    expect(answer).toMatchObject({ time: 12.5 });
    expect((answer as { serverUs: number }).serverUs).toBeGreaterThan(before);
  });
});

describe('a tap of mel rows', () => {
  it('gives the rows of the very audio that others get as PCM', async () => {
    await start(tone('&freq=1000&sampleformat=16000:16:1'));
    const [client, plain] = await Promise.all([tap('as=mel&preset=speech'), tap('as=pcm')]);
    expect(client.texts[0]).toMatchObject({
      as: 'mel',
      preset: 'speech',
      rate: 16_000,
      bands: 80,
      window: 400,
      hop: 160,
    });
    await Promise.all([untilFrames(client, 60), untilFrames(plain, 70)]);
    const pcm = plain.audio;
    const dsp = await openDsp({ reason: 'the twin is the reference' });
    const samples = new Float32Array(pcm.length / 2);
    dsp.toFloat(new Uint8Array(pcm), { bits: 16 }, samples);
    const plan = newMelPlan({
      rate: 16_000,
      bands: 80,
      window: 400,
      hop: 160,
      scale: 'log10',
      norm: 'area',
    });
    let compared = 0;
    for (const { heardUs, count, data } of client.frames) {
      expect(data).toHaveLength(count * 80 * 4);
      const first = Math.round(((heardUs - plain.frames[0]!.heardUs) * 16_000) / 1e6);
      const length = 400 + 160 * (count - 1);
      if (first < 0 || first + length > samples.length) continue;
      const rows = new Float32Array(count * 80);
      dsp.melSpectrum(samples.subarray(first, first + length), plan, rows);
      const heard = new Float32Array(data.buffer, data.byteOffset, count * 80);
      for (const [index, value] of rows.entries()) expect(heard[index]).toBeCloseTo(value, 2);
      compared += count;
    }
    expect(compared).toBeGreaterThan(50);
  });

  it.each([
    ['preset=display', 25, 80],
    ['preset=speech', 100, 80],
    ['preset=speech&bands=128', 100, 128],
  ])('of %s has %i rows a second of %i bands, at their times', async (query, rate, bands) => {
    await start(tone());
    const client = await tap(`as=mel&${query}`);
    await until(() => client.audio.length >= rate * bands * 4, 'a second of rows');
    let next = client.frames[0]!.heardUs;
    for (const { kind, count, heardUs, startsRun, data } of client.frames) {
      expect([kind, startsRun, data.length]).toEqual([
        2,
        heardUs === client.frames[0]!.heardUs,
        count * bands * 4,
      ]);
      expect(heardUs).toBeCloseTo(next, 0);
      next += (count * 1e6) / rate;
    }
  });

  it('is made of what has a lower rate, however much of it is read at a time', async () => {
    await start(tone('&sampleformat=8000:16:1&chunk_ms=600'), 'stream.buffer=2000');
    const client = await tap('as=mel');
    await untilFrames(client, 6);
    expect(client.closed).toBeUndefined();
    expect(server.application.streams.channels.get('Tone')?.stream.state).toBe('playing');
  });

  it('is made once for all who want the same', async () => {
    await start(tone());
    const [first, second] = await Promise.all([tap('as=mel'), tap('preset=speech&as=mel')]);
    await Promise.all([untilFrames(first, 20), untilFrames(second, 20)]);
    const common = first.frames.filter(({ heardUs }) =>
      second.frames.some((frame) => frame.heardUs === heardUs),
    );
    expect(common.length).toBeGreaterThan(10);
    expect(await figure('zerocast_taps')).toBe(2);
  });
});

describe('a tap that cannot be had', () => {
  it.each([
    ['/streams/Gone/tap?as=pcm', 404, 'There is no stream "Gone": Server.GetStatus lists all'],
    ['/streams/%ff/tap?as=pcm', 404, 'not found'],
    ['/streams/Tone/tap', 400, 'ask for as=pcm or as=mel'],
    ['/streams/Tone/tap?as=mp3', 400, 'as=mp3 is no kind of tap: ask for as=pcm or as=mel'],
    ['/streams/Tone/tap?as=pcm&as=mel', 400, 'as is there twice'],
    ['/streams/Tone/tap?as=pcm&rate=1', 400, 'leave it out, or ask for 8000, 11025'],
    ['/streams/Tone/tap?as=pcm&rate=1e4', 400, 'no whole number'],
    ['/streams/Tone/tap?as=pcm&rate=', 400, 'no whole number'],
    ['/streams/Tone/tap?as=pcm&channels=5', 400, 'leave it out for all 2, or ask for 1'],
    ['/streams/Tone/tap?as=pcm&bands=80', 400, 'bands is unknown: as=pcm takes as, rate, channels'],
    ['/streams/Tone/tap?as=mel&preset=loud', 400, 'ask for speech or display'],
    ['/streams/Tone/tap?as=mel&bands=81', 400, 'preset=speech has 80 or 128'],
    ['/streams/Tone/tap?as=mel&__proto__=1', 400, '__proto__ is unknown'],
  ])('%s is answered by %i and how to mend it', async (path, status, text) => {
    await start(tone());
    const refusal = await refused(path);
    expect(refusal.status).toBe(status);
    expect(refusal.text).toContain(text);
  });

  it('of a stream that is disabled is answered by 503', async () => {
    await start('stream.source=process:///no/such/program?name=Broken', tone());
    const refusal = await refused('/streams/Broken/tap?as=pcm');
    expect(refusal).toMatchObject({ status: 503, text: expect.stringContaining('is disabled') });
  });

  it('is not for pages of others, nor for who may not listen', async () => {
    await start(
      tone(),
      'authorization.enabled=true',
      'authorization.role=all:*',
      'authorization.role=listener:Tap',
      'authorization.role=player:Streaming,Stream.*',
      'authorization.user=ann:secret:all',
      'authorization.user=eve:secret:listener',
      'authorization.user=ben:secret:player',
    );
    const path = '/streams/Tone/tap?as=pcm';
    const as = (user: string, password = 'secret') =>
      TapClient.refused(server.httpPort, path, basic(user, password));
    expect(await refused(path)).toMatchObject({ status: 401 });
    expect(await as('ann', 'wrong')).toMatchObject({ status: 401 });
    expect(await as('ben')).toEqual({
      status: 403,
      text: 'Forbidden: the role needs the permission Tap',
    });
    // What streams there are is not told to who may not listen.
    expect(await refused('/streams/Gone/tap?as=pcm')).toMatchObject({ status: 401 });
    const foreign = { Origin: 'http://evil.example', ...basic('ann', 'secret') };
    expect(await TapClient.refused(server.httpPort, path, foreign)).toMatchObject({ status: 403 });
    for (const user of ['ann', 'eve']) {
      clients.push(await TapClient.open(server.httpPort, path, basic(user, 'secret')));
    }
  });

  it('by a plain request is told to ask for an upgrade', async () => {
    await start(tone());
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/streams/Tone/tap?as=pcm`);
    expect(response.status).toBe(426);
    expect(response.headers.get('upgrade')).toBe('websocket');
  });

  it('beyond the limit of all, or of one address, is answered by 503', async () => {
    await start(tone(), 'limits.max_taps=3', 'limits.max_taps_per_address=2');
    await Promise.all([tap('as=pcm'), tap('as=mel')]);
    const refusal = await refused('/streams/Tone/tap?as=pcm');
    expect(refusal).toMatchObject({ status: 503, text: expect.stringContaining('Too many taps') });
    expect(server.log.with('max_taps_per_address')).toHaveLength(1);
    clients[0]!.webSocket.close();
    await until(() => clients[0]!.closed !== undefined);
    await tap('as=pcm');
  });

  it('and is none at all with a limit of 0', async () => {
    await start(tone(), 'limits.max_taps=0');
    expect(await refused('/streams/Tone/tap?as=pcm')).toMatchObject({ status: 503 });
  });
});

describe('a tap that ends', () => {
  it('says that its stream is gone', async () => {
    await start(tone(), 'stream.source=tone:///?name=Other&codec=pcm');
    const [client, other] = await Promise.all([tap('as=pcm'), tap('as=pcm', 'Other')]);
    await untilFrames(client, 3);
    await server.application.streams.remove('Tone');
    await until(() => client.closed !== undefined, 'it is closed');
    expect(client.closed).toEqual({
      code: 1001,
      reason: 'the stream was removed, replaced or disabled: connect again',
    });
    await untilFrames(other, other.frames.length + 10);
    expect(other.closed).toBeUndefined();
  });

  it('says that the server stops, and its chunks are home', async () => {
    await start(tone());
    const client = await tap('as=pcm');
    await untilFrames(client, 3);
    await server.application.close();
    expect(server.application.pool.isFull).toBe(true);
    await until(() => client.closed !== undefined);
    expect(client.closed).toEqual({ code: 1001, reason: 'the server stops' });
  });

  it.each<[string, (client: TapClient) => void, number]>([
    ['words', ({ webSocket }) => webSocket.send('hello'), 1003],
    ['bytes', ({ webSocket }) => webSocket.send(Buffer.alloc(10)), 1003],
    ['what is too long', ({ webSocket }) => webSocket.send('x'.repeat(2000)), 1009],
  ])('by %s does no harm to others', async (_, harm, code) => {
    await start(tone());
    const [client, other] = await Promise.all([tap('as=pcm'), tap('as=pcm')]);
    harm(client);
    await until(() => client.closed !== undefined, 'it is closed');
    expect(client.closed?.code).toBe(code);
    await untilFrames(other, other.frames.length + 10);
  });

  it('is asked for the time without end answers as much as is read, and others hear on', async () => {
    await start(tone());
    const [client, other] = await Promise.all([tap('as=pcm'), tap('as=pcm')]);
    await untilFrames(other, 10);
    client.webSocket.pause();
    const questions = 200_000;
    for (let count = 0; count < questions; count += 1) {
      client.webSocket.send(`{"time":${count}}`);
      if (count % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => client.webSocket.bufferedAmount === 0, 'all is asked');
    client.webSocket.resume();
    while (client.texts.at(-1)?.time !== -1) {
      client.webSocket.send('{"time":-1}');
      await pause();
    }
    // What was not read was not answered, beyond what the kernel and 256 KiB hold.
    expect(client.texts.length).toBeLessThan(questions);
    expect(client.closed).toBeUndefined();
    await untilFrames(other, other.frames.length + 10);
    const steps = other.frames
      .slice(1)
      .map(({ heardUs }, index) => heardUs - other.frames[index]!.heardUs);
    // A tone that is held up longer than it keeps goes on later, for all who hear it.
    const gaps = steps.filter((step) => step > 20_001);
    expect(gaps.length).toBeLessThanOrEqual(server.log.with('resync').length);
  });

  it('in the middle of its start leaves nothing behind', async () => {
    await start(tone());
    for (let round = 0; round < 20; round += 1) {
      const client = new TapClient(server.httpPort, '/streams/Tone/tap?as=mel&preset=display');
      client.webSocket.on('open', () => client.webSocket.terminate());
      await until(() => client.closed !== undefined);
    }
    while ((await figure('zerocast_taps')) > 0) await pause();
    const before = encodedChunks();
    expect(before).toBe(0);
  });
});
