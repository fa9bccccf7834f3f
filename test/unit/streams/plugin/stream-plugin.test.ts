import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maxWindowLines } from '../../../../src/audio/sources/program-log.ts';
import { noProperties } from '../../../../src/audio/stream-properties.ts';
import { maxPendingRequests } from '../../../../src/streams/plugin/plugin-requests.ts';
import { maxWarnedFaults } from '../../../../src/streams/plugin/stream-plugin.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { PluginRig, pluginScript, streamId } from '../../../support/plugin-rig.ts';
import { until } from '../../../support/waiting.ts';

const folder = scratchFolder();
const record = join(folder.path, 'a record');
let rig: PluginRig;

/** Lines of the record: first the arguments, then one per request. */
const recorded = () => readFileSync(record, 'utf8').trim().split('\n');

async function start(options: ConstructorParameters<typeof PluginRig>[1] = {}): Promise<void> {
  rig = new PluginRig(pluginScript('player.mjs'), options);
  await until(() => rig.announced.length > 0, 'the script has told its properties');
}

afterEach(() => rig.plugin.stop());
afterAll(() => folder.remove());

describe('what a control script is told', () => {
  it('has the form of the reference, byte by byte', async () => {
    const http = { host: 'vm', port: 1780 };
    await start({ params: `--queue="a b" "--record=${record}" it's`, http });
    await rig.plugin.control('setPosition', { position: 3.5 });
    await rig.plugin.control('play');
    await rig.plugin.setProperty('loopStatus', 'track');
    await rig.plugin.setProperty('mute', false);
    expect(JSON.parse(recorded()[0] ?? '')).toEqual([
      '--queue=a b',
      `--record=${record}`,
      "it's",
      `--stream=${streamId}`,
      '--snapcast-port=1780',
      '--snapcast-host=vm',
    ]);
    expect(recorded().slice(1)).toEqual([
      '{"id":1,"jsonrpc":"2.0","method":"Plugin.Stream.Player.GetProperties"}',
      '{"id":2,"jsonrpc":"2.0","method":"Plugin.Stream.Player.Control","params":{"command":"setPosition","params":{"position":3.5}}}',
      '{"id":3,"jsonrpc":"2.0","method":"Plugin.Stream.Player.Control","params":{"command":"play"}}',
      '{"id":4,"jsonrpc":"2.0","method":"Plugin.Stream.Player.SetProperty","params":{"loopStatus":"track"}}',
      '{"id":5,"jsonrpc":"2.0","method":"Plugin.Stream.Player.SetProperty","params":{"mute":false}}',
    ]);
  });

  it('does not say where the server is when there is no plain HTTP', async () => {
    const own = join(folder.path, 'another');
    await start({ params: `"--record=${own}"` });
    const [args = ''] = readFileSync(own, 'utf8').split('\n');
    expect(JSON.parse(args)).toEqual([`--record=${own}`, `--stream=${streamId}`]);
  });
});

describe('a request to a control script', () => {
  it('rejects with the code, standard text and explanation of an error', async () => {
    await start();
    await expect(rig.plugin.control('refuse')).rejects.toMatchObject({
      rpcCode: 6,
      message: 'Stream property canSeek is false: a live stream',
      data: undefined,
    });
  });

  it('passes the message of an error without explanation on', async () => {
    await start();
    await expect(rig.plugin.control('fail')).rejects.toMatchObject({
      rpcCode: 42,
      message: 'broken',
    });
  });

  it('rejects in the end when there is no answer, while others are answered', async () => {
    await start({ timing: { answerTimeoutMs: 2000 } });
    const silent = expect(rig.plugin.control('be silent')).rejects.toMatchObject({
      rpcCode: -32603,
      message: 'Internal error',
      data: 'the control script did not answer within 2 s',
    });
    await rig.plugin.control('play');
    await silent;
    await rig.notify('Plugin.Stream.Log', { message: 'still here' });
    await rig.plugin.setProperty('write', '{"id":2,"jsonrpc":"2.0","result":"ok"}\n');
    expect(rig.log.with('nobody waits for')).toMatchObject([
      { level: 'debug', fields: { id: '2' } },
    ]);
  });

  it('is refused when too many are open', async () => {
    await start();
    const open = Array.from({ length: maxPendingRequests }, () =>
      rig.plugin.control('be silent').catch((error: unknown) => error),
    );
    await expect(rig.plugin.control('play')).rejects.toMatchObject({
      data: `the control script has ${maxPendingRequests} requests to answer already`,
    });
    await rig.plugin.stop();
    expect(await Promise.all(open)).toHaveLength(maxPendingRequests);
  });

  it('survives odd errors', async () => {
    await start();
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const errors: readonly [error: string, rpcCode: number, message: string][] = [
      ['"text"', -32603, 'Internal error: text'],
      ['{"code":98}', 98, 'the control script reports an error'],
      ['{"code":1.5,"message":7,"data":8}', -32603, 'Internal error: 8'],
      ['{"code":99,"message":"own","data":"why"}', 99, 'own: why'],
      [`{"code":2,"data":${deep}}`, 2, 'Stream property canGoNext is false'],
      [`{"code":3,"message":"${'x'.repeat(5000)}"}`, 3, `${'x'.repeat(1000)}…`],
    ];
    for (const [at, [error, rpcCode, message]] of errors.entries()) {
      const refused = expect(rig.plugin.control('be silent')).rejects.toMatchObject({
        rpcCode,
        message,
      });
      // The first request asked for the properties, and each round makes two.
      await rig.plugin.setProperty('write', `{"id":${2 + 2 * at},"error":${error}}\n`);
      await refused;
    }
  });
});

describe('what a control script tells', () => {
  beforeEach(() => start());

  it('is asked for when it is ready', () => {
    expect(rig.announced).toEqual([
      { ...noProperties, canControl: true, canPlay: true, metadata: { title: 'first' } },
    ]);
  });

  it('replaces everything but missing metadata', async () => {
    await rig.sendProperties({ canPause: true, volume: 30 });
    const metadata = { title: 'first' };
    expect(rig.properties).toEqual({
      ...noProperties,
      canPause: true,
      metadata,
      volume: 30,
    });
    await rig.sendProperties({ metadata: { title: 'second' } });
    expect(rig.properties).toEqual({ ...noProperties, metadata: { title: 'second' } });
    expect(rig.announced.length).toBe(3);
  });

  it('is announced only when something is different', async () => {
    await rig.sendProperties({ position: 1, canPlay: true });
    await rig.sendProperties({ canPlay: true, position: 1, metadata: { title: 'first' } });
    await rig.sendProperties({ position: 2, canPlay: true });
    expect(rig.announced.slice(1).map(({ position }) => position)).toEqual([1, 2]);
  });

  it('has its image kept as long as the metadata refers to it', async () => {
    const artData = { data: Buffer.from('red').toString('base64'), extension: 'png' };
    await rig.sendProperties({ metadata: { artData } });
    const artUrl = String(rig.properties.metadata?.artUrl);
    expect(artUrl).toMatch(/^http:\/\/host:1780\/__image_cache\?name=[0-9a-f]{32}\.png$/);
    expect(rig.properties.metadata).toEqual({ artUrl });
    const name = artUrl.split('=')[1] ?? '';
    expect(rig.images.get(name)?.bytes.toString()).toBe('red');
    await rig.sendProperties({ position: 1 });
    expect(rig.images.get(name)).toBeDefined();
    await rig.sendProperties({ metadata: { title: 'another' } });
    expect(rig.images.get(name)).toBeUndefined();
  });

  it('has each of its faults warned of once, and not without end', async () => {
    await rig.sendProperties({ volume: 'loud', position: 1 });
    await rig.sendProperties({ volume: 'loud', position: 2 });
    expect(rig.log.with('left out')).toMatchObject([
      {
        level: 'warn',
        fields: { stream: streamId, name: 'volume', fault: 'is not a whole number' },
      },
    ]);
    for (let at = 0; at < 2 * maxWarnedFaults; at += 1) await rig.sendProperties({ [`x${at}`]: 1 });
    expect(rig.log.with('left out').length).toBe(maxWarnedFaults);
  });
});

describe('what a control script says', () => {
  beforeEach(() => start());

  const said = () =>
    rig.log.with('control script says').map(({ level, fields }) => [fields.line, level]);

  it('is logged with the severity that it names', async () => {
    const severities: readonly [severity: unknown, level: string][] = [
      ['warning', 'warn'],
      ['Error', 'error'],
      ['critical', 'fatal'],
      ['trace', 'trace'],
      ['tagged', 'info'],
      [7, 'info'],
    ];
    for (const [severity] of severities) {
      await rig.notify('Plugin.Stream.Log', { severity, message: `as ${severity}` });
    }
    expect(said()).toEqual(severities.map(([severity, level]) => [`as ${severity}`, level]));
    expect(rig.log.lines[0]?.fields.stream).toBe(streamId);
  });

  it('on its standard error has its severity guessed', async () => {
    const lines: readonly [line: string, level: string][] = [
      ['2026 WARNING no player', 'warn'],
      ['[error] and a warning', 'error'],
      ['Traceback (most recent call last):', 'info'],
      ['some information', 'info'],
    ];
    await rig.plugin.setProperty('say', lines.map(([line]) => `${line}\n`).join(''));
    await until(() => said().length === lines.length, 'all is logged');
    expect(said()).toEqual(lines);
  });

  it('is cut', async () => {
    await rig.notify('Plugin.Stream.Log', { message: 'x'.repeat(5000) });
    const [line] = rig.log.with('control script says');
    expect(String(line?.fields.line).length).toBeLessThan(1100);
  });

  it('is dropped beyond what the log can bear, and counted', async () => {
    const text = '{"method":"Plugin.Stream.Log","params":{"message":"again"}}\n';
    await rig.plugin.setProperty('write', text.repeat(maxWindowLines + 50));
    expect(rig.log.with('again').length).toBe(maxWindowLines);
    await rig.plugin.stop();
    expect(rig.log.with('says too much')).toMatchObject([{ fields: { droppedLines: 50 } }]);
  });

  it('may have blank lines in between', async () => {
    await rig.plugin.setProperty('write', '\n \r\n\t\n');
    expect(rig.log.lines).toEqual([]);
  });

  it('is never its answers', async () => {
    await rig.sendProperties({ metadata: { title: 'a secret title' } });
    expect(rig.log.with('secret')).toEqual([]);
    expect(rig.log.with('first')).toEqual([]);
  });
});
