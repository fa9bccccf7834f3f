import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeServerCertificate } from '../../src/certificates/server-certificate.ts';
import type { Config } from '../../src/config/config.ts';
import { diagnoseServer } from '../../src/doctor/diagnose-server.ts';
import { Log } from '../../src/log/log.ts';
import { ControlClient } from '../support/control-client.ts';
import { basic } from '../support/http-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm';
const logins = [
  'authorization.enabled=true',
  'authorization.role=all:*',
  'authorization.role=health:Health',
  'authorization.role=player:Streaming',
  'authorization.user=ann:a-secret-word:all',
  'authorization.user=hal:another-secret:health',
  'authorization.user=ben:a-third-secret:player',
  'authorization.token_secret=the secret that signs the tokens here',
];
const diagnose = (config: Config) => diagnoseServer({ config, configFile: undefined });

let server: TestServer | undefined;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await server?.stop();
  server = undefined;
});

const ask = (headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${server?.httpPort}/health.json`, { headers });

/** Of who calls the server by this name, as a page of elsewhere can make a browser do. */
function statusBy(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { port: server?.httpPort, path: '/health.json', headers: { Host: host } };
    get({ host: '127.0.0.1', ...options }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

interface Told {
  readonly warnings: readonly { readonly text: string }[];
  readonly checks: readonly { readonly name: string }[];
}

const healthOf = async (response: Response) => (await response.json()) as Told;

function openLog(): Log {
  const log = new Log({ format: 'text', sink: 'null', filter: ['*:info'] });
  ends.push(() => log.close());
  return log;
}

describe('/health.json', () => {
  it('tells what runs here, and how much of it', async () => {
    server = await TestServer.start(tone, 'limits.max_players=77');
    const player = await ScriptedClient.greet(server.port, 'a');
    const controller = await ControlClient.connect(server.controlPort);
    ends.push(
      () => player.close(),
      () => controller.close(),
    );
    await controller.request('Server.GetRPCVersion', {});
    const response = await ask();
    expect(response.headers.get('cache-control')).toBe('no-store');
    const health = await response.json();
    expect(health).toMatchObject({
      version: '0.1.0',
      node: process.version,
      ports: server.application.ports,
      counts: { streams: 1, players: 1, controllers: 1, clients: 1 },
      limits: { players: 77 },
      controllers: [{ address: '127.0.0.1', transport: 'TCP' }],
      encoders: { flac: { name: expect.stringMatching(/flac/i) } },
      checks: [],
    });
    expect(health).not.toHaveProperty('certificate');
    expect(health).not.toHaveProperty('warnings');
  });

  it('has the last 200 warnings of the log, none of which is long', async () => {
    const log = openLog();
    server = await TestServer.startWith(
      { logger: log.logger, recentWarnings: () => log.recentWarnings },
      tone,
    );
    log.logger.info('no warning');
    for (let index = 0; index < 250; index += 1) log.logger.warn('look', { index });
    log.logger.error('bad', { password: 'hunter22', text: 'x'.repeat(5000) });
    const { warnings } = await healthOf(await ask());
    expect(warnings).toHaveLength(200);
    expect(warnings[0]?.text).toBe('(Snapserver) look index=51');
    expect(warnings.at(-1)).toMatchObject({ level: 'error', time: expect.stringMatching(/Z$/) });
    expect(warnings.at(-1)?.text.length).toBeLessThanOrEqual(500);
  });

  it('has what the doctor finds cheaply, looked at once for all who ask', async () => {
    let looks = 0;
    const counted = (config: Config) => {
      looks += 1;
      return diagnose(config);
    };
    server = await TestServer.startWith({ diagnose: counted }, tone);
    const answers = await Promise.all([ask(), ask(), ask()]);
    const { checks } = await healthOf(answers[0]!);
    expect(looks).toBe(1);
    const names = checks.map(({ name }) => name);
    expect(names).toEqual([
      'system',
      'native addon',
      'flac',
      'limits',
      'memory',
      'web pages and TLS',
    ]);
    expect(JSON.stringify(checks)).toContain('(of the server)');
  });

  it('tells of the certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-health-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const { fingerprint } = await makeServerCertificate(
      { names: [], mode: 'new', isSelfSigned: false, days: 400 },
      { dataFolder: folder, machine: { hostName: 'pi', addresses: [] } },
    );
    server = await TestServer.startWith(
      { diagnose },
      tone,
      'http.ssl_enabled=true',
      'http.ssl_port=0',
      'http.ssl_bind_to_address=127.0.0.1',
      `ssl.certificate=${folder}/tls/server.crt`,
      `ssl.certificate_key=${folder}/tls/server.key`,
    );
    const text = await (await ask()).text();
    const { certificate } = JSON.parse(text);
    expect(certificate).toMatchObject({
      names: expect.arrayContaining(['pi', 'pi.local', '127.0.0.1']),
      isSelfSigned: false,
      authority: fingerprint,
    });
    expect(Math.round((certificate.validTo - Date.now()) / 86_400_000)).toBe(400);
    expect(text).not.toContain('server.key');
    expect(text).not.toContain(readFileSync(`${folder}/tls/server.key`, 'utf8').slice(30, 60));
  });

  it.each([
    ['nobody', {}, 401],
    ['who has a wrong password', basic('ann', 'x'), 401],
    ['a player', basic('ben', 'a-third-secret'), 403],
  ])('is not for %s', async (_, headers, status) => {
    server = await TestServer.start(tone, ...logins);
    expect((await ask(headers as Record<string, string>)).status).toBe(status);
  });

  it('shows the log only to who may see it, and secrets to none', async () => {
    const log = openLog();
    server = await TestServer.startWith(
      { logger: log.logger, recentWarnings: () => log.recentWarnings, diagnose },
      tone,
      ...logins,
    );
    log.logger.warn('somebody tried a-secret-word and the secret that signs the tokens here');
    expect(await (await ask(basic('hal', 'another-secret'))).json()).not.toHaveProperty('warnings');
    const text = await (await ask(basic('ann', 'a-secret-word'))).text();
    expect(text).toContain('somebody tried *** and ***');
    for (const secret of [
      'a-secret-word',
      'another-secret',
      'a-third-secret',
      'signs the tokens',
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it('is not for the pages of others', async () => {
    server = await TestServer.start(tone);
    expect((await ask({ Origin: 'http://evil.example' })).status).toBe(403);
    expect(await statusBy('evil.example')).toBe(403);
    for (const name of ['127.0.0.1', 'living-pi', 'living-pi.local', '[::1]:1780']) {
      expect(await statusBy(name), name).toBe(200);
    }
  });

  it('is for who calls the server by a name that is allowed', async () => {
    server = await TestServer.start(tone, 'http.allowed_origin=https://music.example.org');
    expect(await statusBy('music.example.org')).toBe(200);
    expect(await statusBy('other.example.org')).toBe(403);
  });
});
