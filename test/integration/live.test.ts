import { afterEach, describe, expect, it } from 'vitest';
import { basic } from '../support/http-rig.ts';
import { LiveClient } from '../support/live-client.ts';
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
    ['nothing that is known', { dance: 1 }, 'dance', /"dance" is unknown/],
    ['no watch', { watch: 7 }, 'watch', /\{"watch":/],
    ['what cannot be watched', { watch: { colours: 1 } }, 'watch', /"colours" is unknown/],
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
