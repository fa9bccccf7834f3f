import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { reloadPauseMs } from '../../src/app/config-reload.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { ControlClient } from '../support/control-client.ts';
import { openDescriptors } from '../support/fifo.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { ServerProcess } from '../support/server-process.ts';
import { expectUnbroken } from '../support/stream-checks.ts';
import { until } from '../support/waiting.ts';

let rig: ReloadRig;

afterEach(async () => {
  vi.unstubAllEnvs();
  await rig.close();
});

const tone = (name: string, more = '') => `tone:///?name=${name}&codec=pcm${more}`;

describe.each([
  ['native code', 'on'],
  ['JavaScript', 'off'],
])('a stream that stays, sent by %s', (_, native) => {
  it('has no gap and no wrong byte while others come, go and change', async () => {
    // Only what a reload does shall show, not how busy the machine is.
    const patient = 'buffer = 4000\nresync_tolerance = 3000\n';
    const stream = (...addresses: string[]) => `${sources(...addresses)}${patient}`;
    if (native === 'off') vi.stubEnv('ZEROCAST_NATIVE', 'off');
    rig = await ReloadRig.start(stream(tone('first')));
    const content = randomBytes(192_000 * 30);
    const file = join(rig.folder, 'still.pcm');
    writeFileSync(file, content);
    const still = `file://${file}?name=Still&codec=pcm`;
    await rig.reload(stream(still));
    const client = await ScriptedClient.greet(rig.application.ports.streaming, 'p');
    onTestFinished(() => client.close());
    await client.untilCount(messageType.wireChunk, 10);
    const channel = rig.application.streams.channels.get('Still');
    const changes = [
      [still, tone('A'), tone('B')],
      [tone('A'), still, tone('B', '&freq=880')],
      [tone('B'), still],
      [still],
    ];
    for (let round = 0; round < 20; round += 1) {
      await rig.reload(stream(...(changes[round % changes.length] ?? [])));
      const seen = client.of(messageType.wireChunk).length;
      await client.untilCount(messageType.wireChunk, seen + 2);
    }
    expect(rig.application.streams.channels.get('Still')).toBe(channel);
    expect(client.of(messageType.codecHeader)).toHaveLength(1);
    expectUnbroken(client);
    const audio = client.of(messageType.wireChunk).map(({ body }) => body.subarray(12));
    expect(content.indexOf(Buffer.concat(audio))).toBeGreaterThanOrEqual(0);
  });
});

describe('a bad file', () => {
  const good = sources(tone('A'));
  const other = sources(tone('B'));
  const faults: readonly [string, () => void][] = [
    ['a file that is gone', () => rmSync(rig.file)],
    [
      'a folder',
      () => {
        rmSync(rig.file);
        mkdirSync(rig.file);
      },
    ],
    ['a file that is being saved, and empty', () => writeFileSync(rig.file, '')],
    ['a line that is no section', () => rig.write(`${other}[broken\n`)],
    ['bytes that are no text', () => rig.write(`${other}codec = \u0000\n`)],
    ['a bad value', () => rig.write(`${other}chunk_ms = many\n`)],
    ['values that do not fit', () => rig.write(`${other}chunk_ms = 500\nbuffer = 100\n`)],
    [
      'a user without password',
      () => rig.write(`${other}[authorization]\nenabled = true\nuser = ann\n`),
    ],
    [
      'a certificate that is missing',
      () =>
        rig.write(
          `${other}[http]\nssl_enabled = true\n[ssl]\ncertificate = /no\ncertificate_key = /no\n`,
        ),
    ],
    ['a log that cannot be opened', () => rig.write(`${other}[logging]\nsink = file:/no/log\n`)],
  ];

  it.each(faults)('%s changes nothing', async (_, spoil) => {
    const { Log } = await import('../../src/log/log.ts');
    const log = new Log({ sink: 'null', format: 'text', filter: ['*:info'] });
    onTestFinished(() => log.close());
    rig = await ReloadRig.start(good, { configureLog: (logging) => log.configure(logging) });
    const channel = rig.application.streams.channels.get('A');
    spoil();
    await expect(rig.application.request('Server.ReloadConfig', {})).rejects.toMatchObject({
      rpcCode: -32603,
      data: expect.stringMatching(/./),
    });
    expect(rig.streams).toEqual(['A']);
    expect(rig.application.streams.channels.get('A')).toBe(channel);
    expect(rig.log.with('nothing has changed')).toHaveLength(1);
    const lines = rig.log.with('fault of the configuration');
    expect(lines.length).toBeGreaterThan(0);
    for (const { fields } of lines) expect(String(fields.fault)).not.toContain('\n');
    expect(rig.log.with('setting has changed')).toEqual([]);
    // And the next good one is read as if nothing had been.
    rmSync(rig.file, { recursive: true, force: true });
    expect((await rig.reload(other)).streams).toMatchObject({ added: ['B'], removed: ['A'] });
  });

  it('is told with file and line, without passwords', async () => {
    rig = await ReloadRig.start(good);
    rig.write(`${good}[authorization]\nenabled = true\nuser = ann:secret-word:nobody\n`);
    const line = 14;
    await expect(rig.application.reload()).rejects.toMatchObject({
      faults: [expect.stringContaining(`${rig.file}, line ${line}: [authorization] user "ann"`)],
    });
    expect(JSON.stringify(rig.log.lines)).not.toContain('secret-word');
  });
});

describe('reloads', () => {
  it('that are asked for at the same time are one', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    rig.write(sources(tone('B')));
    const storm = Array.from({ length: 50 }, () => rig.application.reload());
    const reports = await Promise.all(storm);
    expect(new Set(reports).size).toBe(1);
    const running = rig.application.reload();
    await Promise.resolve();
    await Promise.resolve();
    rig.write(sources(tone('C')));
    await Promise.all([running, rig.application.reload()]);
    expect(rig.streams).toEqual(['C']);
  });

  it('end in order while controllers add and remove streams of the same names', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    const { application } = rig;
    const outcomes: Promise<unknown>[] = [];
    for (let step = 0; step < 60; step += 1) {
      const name = ['A', 'B', 'C'][step % 3] ?? '';
      outcomes.push(
        step % 2 === 0
          ? application
              .request('Stream.AddStream', { streamUri: tone(name) })
              .catch(() => undefined)
          : application.request('Stream.RemoveStream', { id: name }).catch(() => undefined),
      );
      if (step % 5 === 0) outcomes.push(rig.reload(sources(tone(name), tone('D'))));
    }
    await Promise.all(outcomes);
    for (const name of ['A', 'B', 'C', 'D']) await application.streams.remove(name);
    await rig.reload(sources(tone('B'), tone('A')));
    expect(rig.streams).toEqual(['B', 'A']);
  });

  it('tell controllers what adding and removing tells them, and warn only of what is new', async () => {
    rig = await ReloadRig.start(`${sources(tone('A'))}unknown = 1\n`);
    const first = await rig.reload(`${sources(tone('B'))}unknown = 1\n`);
    expect(first.warnings).toHaveLength(1);
    expect(rig.log.with('no such key')).toHaveLength(0);
    expect(rig.log.with('warnings as before')).toHaveLength(1);
    await rig.reload(`${sources(tone('B'))}other = 1\n`);
    expect(rig.log.with('no such key')).toHaveLength(1);
  });

  it('leave nothing behind, a thousand of them', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    const round = (index: number) =>
      rig.reload(sources(tone('A'), `tcp://127.0.0.1:0?name=T${index % 2}&codec=pcm`));
    for (let index = 0; index < 10; index += 1) await round(index);
    const held = () => ({
      descriptors: openDescriptors(),
      resources: process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length,
    });
    const before = held();
    for (let index = 0; index < 1000; index += 1) await round(index);
    await until(
      () => held().descriptors <= before.descriptors && held().resources <= before.resources,
      'all is given back',
    );
    expect(rig.streams).toEqual(['A', 'T1']);
  }, 120_000);

  it('end with the server', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    rig.write(sources(tone('B'), tone('C')));
    const reload = rig.application.reload();
    await rig.application.close();
    await reload.catch(() => undefined);
    await expect(rig.application.reload()).rejects.toThrow('the server stops');
  });
});

describe('a reload that leaves [authorization] alone', () => {
  it('does not give those who guess passwords a new start', async () => {
    const text = `${sources(tone('A'))}[authorization]\nenabled = true\nrole = r:*\nuser = ann:pw:r\n`;
    rig = await ReloadRig.start(text);
    const client = await ControlClient.connect(rig.application.ports.control);
    onTestFinished(() => client.close());
    const code = async (param: string) => {
      const seen = client.raw.length;
      const params = { scheme: 'Plain', param };
      const request = { id: 1, jsonrpc: '2.0', method: 'Server.Authenticate', params };
      client.send(`${JSON.stringify(request)}\r\n`);
      await until(() => client.raw.length > seen, 'it is answered');
      return /"code":(\d+)/.exec(String(client.raw.at(-1)))?.[1];
    };
    // The guesses of one second count: a busy machine may need another attempt.
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const beganAtMs = performance.now();
      for (let guess = 0; guess < 30; guess += 1) if ((await code(`ann:no${guess}`)) === '2') break;
      await rig.reload(`${text}[stream]\nbuffer = ${500 + attempt}\n`);
      const after = await code('ann:pw');
      if (performance.now() - beganAtMs > 900) continue;
      expect(after).toBe('2');
      return;
    }
    throw new Error('this machine is too busy to make some guesses in a second');
  });
});

describe('controllers that ask without end', () => {
  const ask = () => rig.application.request('Server.ReloadConfig', {});
  const count = () => rig.log.with('the configuration was reloaded').length;

  it('get one reload after a pause, which they share', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    const beganAtMs = performance.now();
    await ask();
    const storm = Array.from({ length: 50 }, ask);
    rig.write(sources(tone('B')));
    await Promise.all(storm);
    expect(rig.streams).toEqual(['B']);
    await ask();
    expect(count()).toBe(3);
    expect(performance.now() - beganAtMs).toBeGreaterThan(2 * reloadPauseMs - 10);
  });

  it('hold up neither the owner nor the end of the server', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    await ask();
    const beganAtMs = performance.now();
    const waiting = ask().then(
      () => 'reloaded',
      ({ data }) => data,
    );
    for (let reload = 0; reload < 5; reload += 1) await rig.application.reload();
    expect(count()).toBeGreaterThanOrEqual(6);
    const isPause = performance.now() - beganAtMs < reloadPauseMs;
    await rig.application.close();
    // A machine that was busy for as long has reloaded in between.
    expect(['the server stops', ...(isPause ? [] : ['reloaded'])]).toContain(await waiting);
    await expect(ask()).rejects.toMatchObject({ data: 'the server stops' });
  });
});

describe('SIGHUP', () => {
  it('has a server read its file again, also fifty of them, and never ends it', async () => {
    rig = await ReloadRig.start(sources(tone('A')));
    const server = await ServerProcess.start({ sources: [tone('A')] });
    onTestFinished(() => server.kill());
    const file = /config=(\S+)/.exec(server.log.text)?.[1] ?? '';
    const text = readFileSync(file, 'utf8');
    const client = await ScriptedClient.greet(server.streamPort, 'p');
    onTestFinished(() => client.close());
    await client.untilCount(messageType.wireChunk, 3);
    writeFileSync(file, text.replace('[logging]', `source = ${tone('B')}\n[logging]`));
    for (let count = 0; count < 50; count += 1) server.signal('SIGHUP');
    await server.log.waitFor(/the configuration was reloaded.* added=B/);
    writeFileSync(file, '[broken\n');
    server.signal('SIGHUP');
    await server.log.waitFor(/the configuration was not reloaded, nothing has changed/);
    const seen = client.of(messageType.wireChunk).length;
    await client.untilCount(messageType.wireChunk, seen + 10);
    expect(client.of(messageType.codecHeader)).toHaveLength(1);
    await server.stop();
  });
});
