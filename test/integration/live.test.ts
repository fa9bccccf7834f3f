import { afterEach, describe, expect, it } from 'vitest';
import { melOf } from '../../src/dsp/mel-scale.ts';
import { melShapeOf } from '../../src/dsp/mel-shape.ts';
import { metricsAgeMs } from '../../src/http/metrics-route.ts';
import { readMeterFrame } from '../../src/metering/meter-frame.ts';
import { basic } from '../support/http-rig.ts';
import { LiveClient } from '../support/live-client.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm&level=-20';
const logins = [
  'authorization.enabled=true',
  'authorization.role=viewer:Live,Server.GetStatus',
  'authorization.role=player:Streaming',
  'authorization.user=ann:secret:viewer',
  'authorization.user=ben:secret:player',
];
const credentials = (user: string, password: string) => ({
  scheme: 'Plain',
  param: `${user}:${password}`,
});

let server: TestServer;
const clients: LiveClient[] = [];

async function start(...settings: string[]): Promise<void> {
  server = await TestServer.start(tone, ...settings);
}

async function open(headers?: Record<string, string>): Promise<LiveClient> {
  const client = await LiveClient.open(server.httpPort, headers);
  clients.push(client);
  return client;
}

async function refused(headers: Record<string, string>): Promise<number> {
  const client = new LiveClient(server.httpPort, headers);
  await until(() => client.refusal !== undefined, 'the viewer is refused');
  return client.refusal!;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.webSocket.terminate();
  await server.stop();
});

describe('a viewer', () => {
  it('is told what time it is', async () => {
    await start();
    const client = await open();
    const before = Number(process.hrtime.bigint()) / 1000;
    const { time, serverUs } = await client.ask({ time: 12.5 });
    const after = Number(process.hrtime.bigint()) / 1000;
    expect(time).toBe(12.5);
    expect(serverUs).toBeGreaterThan(before);
    expect(serverUs).toBeLessThan(after);
  });

  it.each([
    ['no JSON', '{"watch":', '', /no JSON object/],
    ['no object', '[1]', '', /no JSON object/],
    ['nothing that is known', { dance: 1 }, 'dance', /unknown here: ask for watch/],
    ['no watch', { watch: 7 }, 'watch', /\{"watch":/],
    ['what cannot be watched', { watch: { colours: 1 } }, 'watch', /"colours" is unknown/],
    [
      'too much at once',
      Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`time ${index}`, 1])),
      '',
      /at most 16 requests/,
    ],
    ['a time that is none', { time: 'noon' }, 'time', /\{"time":1\}/],
    ['half a login', { login: { scheme: 'Plain' } }, 'login', /\{"login":/],
  ])('that says %s is told so, and served on', async (_, request, name, message) => {
    await start();
    const client = await open();
    const answer = await client.ask(request);
    expect(answer).toEqual({ error: { request: name, message: expect.stringMatching(message) } });
    expect(await client.ask({ time: 1 })).toMatchObject({ time: 1 });
  });

  it('says no more than 64 KiB at once', async () => {
    await start();
    const client = await open();
    expect(await client.ask({ watch: {}, ['x'.repeat(60_000)]: 1 })).toHaveProperty('error');
    client.webSocket.send(JSON.stringify({ x: 'x'.repeat(64 * 1024) }));
    await until(() => client.closed !== undefined, 'the viewer is sent away');
    expect(client.closed?.code).toBe(1009);
    expect(await (await open()).ask({ time: 1 })).toMatchObject({ time: 1 });
  });

  it('counts as a controller', async () => {
    await start('limits.max_controllers=2');
    await open();
    await open();
    expect(await refused({})).toBe(503);
    clients[0]!.webSocket.close();
    await until(() => clients[0]!.closed !== undefined, 'one has gone');
    await open();
  });

  it('is no page of others', async () => {
    await start();
    expect(await refused({ Origin: 'http://evil.example' })).toBe(403);
    await open({ Origin: `http://127.0.0.1:${server.httpPort}` });
  });

  it('hears of the end of the server', async () => {
    await start();
    const client = await open();
    const stopped = server.application.close();
    await until(() => client.closed !== undefined, 'the viewer is told');
    expect(client.closed?.code).toBe(1001);
    await stopped;
  });
});

describe('a viewer where logins are on', () => {
  it('shows its login with the request', async () => {
    await start(...logins);
    const client = await open(basic('ann', 'secret'));
    expect(await client.ask({ time: 1 })).toMatchObject({ time: 1 });
    expect(await refused(basic('ann', 'wrong'))).toBe(401);
    expect(await refused(basic('ben', 'secret'))).toBe(403);
  });

  it('or by its first message, and gets nothing before', async () => {
    await start(...logins);
    const client = await open();
    expect(await client.ask({ time: 1 })).toMatchObject({ error: { request: 'time' } });
    const wrong = await client.ask({ login: credentials('ann', 'wrong') });
    expect(wrong).toEqual({ error: { request: 'login', message: 'Wrong user or password' } });
    const forbidden = await client.ask({ login: credentials('ben', 'secret') });
    expect(forbidden).toMatchObject({ error: { message: expect.stringContaining('Live') } });
    // What follows at once waits for the login.
    client.webSocket.send(JSON.stringify({ login: credentials('ann', 'secret') }));
    client.webSocket.send(JSON.stringify({ time: 2 }));
    await until(() => client.texts.length === 5, 'both are answered');
    expect(client.texts.slice(3)).toMatchObject([{ login: { user: 'ann' } }, { time: 2 }]);
  });

  it('does not stay for long without', async () => {
    await start(...logins, 'limits.login_timeout=200');
    const client = await open();
    await until(() => client.closed !== undefined, 'the viewer is sent away');
    expect(client.closed?.code).toBe(1001);
  });
});

describe('the levels of streams', () => {
  interface Directory {
    readonly truePeak: boolean;
    readonly mel: number;
    readonly streams: readonly { readonly id: string; readonly channels: number }[];
  }

  const players: ScriptedClient[] = [];
  afterEach(() => {
    for (const player of players.splice(0)) player.close();
  });

  const streamOf = (id: string) => server.application.streams.channels.get(id)!.stream;
  const directoryOf = ({ texts }: LiveClient) =>
    texts.findLast(({ meters }) => meters !== undefined)?.meters as Directory | undefined;
  const recordsOf = ({ frames }: LiveClient) =>
    frames.flatMap((frame) => readMeterFrame(new Uint8Array(frame).buffer));

  async function listen(id = 'a'): Promise<void> {
    players.push(await ScriptedClient.greet(server.port, id));
  }

  async function watch(wanted: object, headers?: Record<string, string>): Promise<LiveClient> {
    const client = await open(headers);
    await client.ask({ watch: wanted });
    return client;
  }

  /** What looks at the PCM of a stream. */
  function countObservers(id: string): { count: number; calls: number } {
    const { stages } = streamOf(id);
    const { observe, unobserve } = stages!;
    const seen = { count: 0, calls: 0 };
    Object.assign(stages!, {
      observe(observer: Parameters<typeof observe>[0]) {
        seen.count += 1;
        seen.calls += 1;
        observe.call(stages, observer);
      },
      unobserve(observer: Parameters<typeof observe>[0]) {
        seen.count -= 1;
        unobserve.call(stages, observer);
      },
    });
    return seen;
  }

  it('are those of what players hear, at the time at which they hear it', async () => {
    await start();
    await listen();
    const client = await watch({ meters: ['Tone'], mel: 80 });
    expect(directoryOf(client)).toEqual({
      version: 1,
      truePeak: true,
      mel: 80,
      streams: [{ id: 'Tone', channels: 2, rate: 48_000, bufferMs: 1000 }],
    });
    await until(() => recordsOf(client).length > 100, 'there are records');
    const { serverUs } = (await client.ask({ time: 1 })) as { serverUs: number };
    const records = recordsOf(client);
    const levels = records.filter((record) => record.levels);
    for (const { levels: one } of levels.slice(1)) {
      for (const db of [...Array.from(one!.peakDb), ...Array.from(one!.truePeakDb)]) {
        expect(Math.abs(db + 20)).toBeLessThan(0.2);
      }
      for (const db of Array.from(one!.rmsDb)) expect(Math.abs(db + 23)).toBeLessThan(0.2);
    }
    expect(Math.abs(levels.at(-1)!.levels!.momentaryLufs + 20.7)).toBeLessThan(0.3);
    const times = levels.map(({ heardUs }) => heardUs);
    for (const [index, heardUs] of times.entries()) {
      expect(heardUs - times[0]!).toBeCloseTo(index * 40_000, 0);
    }
    // Captured just now, heard after the buffer.
    expect(times.at(-1)! - serverUs).toBeGreaterThan(500_000);
    expect(times.at(-1)! - serverUs).toBeLessThan(1_100_000);
    const rows = records.filter((record) => record.mel);
    expect(rows.length).toBeGreaterThan(40);
    // The tone has 440 Hz.
    const shape = melShapeOf('display', 48_000);
    const expected = Math.round((melOf(440) / melOf(24_000)) * (shape.bands + 1)) - 1;
    for (const { mel } of rows.slice(1)) {
      const loudest = mel!.indexOf(Math.max(...mel!));
      expect(Math.abs(loudest - expected)).toBeLessThanOrEqual(1);
      // -20 dB of -90 to 0.
      expect(Math.abs(mel![loudest]! - (255 * 70) / 90)).toBeLessThan(6);
    }
  });

  it('are computed once for all who watch, and for nobody not at all', async () => {
    await start();
    await listen();
    const observers = countObservers('Tone');
    const viewers = [
      await watch({ meters: ['Tone'], mel: 80 }),
      await watch({ meters: ['Tone'], mel: 80 }),
      await watch({ meters: '*', mel: 80 }),
    ];
    expect(observers.count).toBe(2);
    await until(() => viewers.every((viewer) => recordsOf(viewer).length > 20), 'all are told');
    // Who wants the same gets the very same bytes.
    const [first, second] = viewers.map(({ frames }) =>
      frames.map((frame) => frame.toString('hex')),
    );
    expect(second!.slice(1, 10).every((frame) => first!.includes(frame))).toBe(true);
    // Nothing is begun anew for who asks again.
    await viewers[0]!.ask({ watch: { meters: ['Tone'] } });
    expect(observers).toEqual({ count: 2, calls: 2 });
    viewers[0]!.webSocket.close();
    viewers[1]!.webSocket.terminate();
    viewers[2]!.webSocket.send(JSON.stringify({ watch: {} }));
    await until(() => observers.count === 0, 'nothing is measured any more');
    const { length } = viewers[2]!.frames;
    await viewers[2]!.ask({ time: 1 });
    expect(viewers[2]!.frames.length - length).toBeLessThanOrEqual(1);
    expect(observers.calls).toBe(2);
  });

  it.each([
    ['no streams', { meters: 7 }, /"\*" for all streams/],
    ['names that are none', { meters: ['Tone', 7] }, /"\*" for all streams/],
    ['too many names', { meters: Array.from({ length: 257 }, String) }, /256 at most/],
    ['other bands', { meters: '*', mel: 17 }, /80, or 0/],
    ['bands alone', { mel: 80 }, /goes with "meters"/],
  ])('of %s are refused, and what was watched goes on', async (_, wanted, message) => {
    await start();
    await listen();
    const client = await watch({ meters: '*' });
    const answer = await client.ask({ watch: wanted });
    expect(answer).toEqual({
      error: { request: 'watch', message: expect.stringMatching(message) },
    });
    const { length } = client.frames;
    await until(() => client.frames.length > length + 3, 'the watch before goes on');
  });

  it('follow the streams as they come, go and change', async () => {
    await start();
    await listen();
    const all = await watch({ meters: '*' });
    const named = await watch({ meters: ['Later', 'Tone'] });
    expect(directoryOf(named)!.streams.map(({ id }) => id)).toEqual(['Tone']);
    const { streams } = server.application;
    await streams.addTrusted('tone:///?name=Later&codec=pcm&sampleformat=44100:16:1');
    await until(
      () => [all, named].every((viewer) => directoryOf(viewer)!.streams.length === 2),
      'both are told of the new one',
    );
    expect(directoryOf(named)!.streams.find(({ id }) => id === 'Later')).toMatchObject({
      channels: 1,
      rate: 44_100,
    });
    await streams.remove('Tone');
    await until(
      () => [all, named].every((viewer) => directoryOf(viewer)!.streams.length === 1),
      'both are told that one has gone',
    );
    // Its players hear the other one now, whose place is the first.
    await until(() => {
      const last = recordsOf(all).findLast(({ levels }) => levels);
      return last?.index === 0 && last.levels?.peakDb.length === 1;
    }, 'the other one is measured');
    await streams.addTrusted('tone:///?name=Tone&codec=pcm&level=-30');
    await until(() => {
      const { streams: told } = directoryOf(named)!;
      const index = told.findIndex(({ id }) => id === 'Tone');
      const last = recordsOf(named).findLast((record) => record.index === index);
      return Math.abs((last?.levels?.peakDb[0] ?? 0) + 30) < 0.2 && told.length === 2;
    }, 'the one that came back is measured');
  });

  async function lostFrames(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, metricsAgeMs + 50));
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
    const found = /^zerocast_live_lost_frames_total (.*)$/m.exec(await response.text());
    return Number(found?.[1]);
  }

  it('leave frames out for who takes none, and keep little for it', async () => {
    await start();
    await listen();
    const slow = await watch({ meters: '*', mel: 80 });
    const quick = await watch({ meters: '*', mel: 80 });
    slow.webSocket.pause();
    // Answers fill what the kernel keeps, which frames would do within minutes.
    while ((await lostFrames()) === 0) {
      const question = JSON.stringify({ ['x'.repeat(64)]: 1 });
      for (let index = 0; index < 5000; index += 1) slow.webSocket.send(question);
    }
    const { length } = quick.frames;
    const lost = await lostFrames();
    await until(() => quick.frames.length >= length + 50, 'the quick one gets all');
    expect((await lostFrames()) - lost).toBeGreaterThanOrEqual(40);
    slow.webSocket.resume();
    const before = slow.frames.length;
    await until(() => slow.frames.length > before + 20, 'the slow one gets what comes now');
    const { serverUs } = (await quick.ask({ time: 1 })) as { serverUs: number };
    await until(() => recordsOf(slow).at(-1)!.heardUs > serverUs, 'that is the latest');
    expect(slow.frames.length).toBeLessThan(quick.frames.length - 40);
  });

  it('end when the login may not see them any more', async () => {
    await start();
    const text = (permission: string) =>
      `${sources('tone:///?name=T&codec=pcm')}[authorization]\nenabled = true\n` +
      `role = all:Streaming,${permission}\nuser = ann:secret:all\n`;
    const rig = await ReloadRig.start(text('Live'));
    const { http } = rig.application.ports;
    const client = await LiveClient.open(http, basic('ann', 'secret'));
    clients.push(client);
    await client.ask({ watch: { meters: '*' } });
    rig.application.streams.channels.get('T')!.stream.activate();
    await until(() => client.frames.length > 2, 'the viewer sees something');
    await rig.reload(text('Metrics'));
    await until(() => client.closed !== undefined, 'the viewer is sent away');
    expect(client.closed?.code).toBe(1008);
    rig.application.streams.channels.get('T')!.stream.deactivate();
    await rig.close();
  });
});
