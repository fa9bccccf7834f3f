import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { maxLastLines } from '../../../../src/audio/sources/program-log.ts';
import { noProperties } from '../../../../src/audio/stream-properties.ts';
import type { Clock } from '../../../../src/base/clock.ts';
import { openDescriptors, scratchFolder } from '../../../support/fifo.ts';
import { LogLines } from '../../../support/log-lines.ts';
import { PluginRig, pluginScript, type RigOptions } from '../../../support/plugin-rig.ts';
import { turn, until } from '../../../support/waiting.ts';

const folder = scratchFolder();
const rigs: PluginRig[] = [];
/** Long enough to look at what happens between two runs. */
const once = { timing: { firstRestartMs: 60_000 } };

function start(script: string, options: RigOptions = {}): PluginRig {
  const rig = new PluginRig(script, options);
  rigs.push(rig);
  return rig;
}

/** A script with any content and rights. */
function scriptFile(name: string, text: string, mode = 0o755): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** Numbers of the processes of a group that are no zombies. */
function membersOf(group: number, pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return fields[0] !== 'Z' && Number(fields[2]) === group;
    } catch {
      return false;
    }
  });
}

afterEach(() => Promise.all(rigs.splice(0).map((rig) => rig.plugin.stop())));
afterAll(() => folder.remove());

describe('a control script that ends', () => {
  it('takes its properties, image and open requests with it', async () => {
    const rig = start(pluginScript('player.mjs'), once);
    await until(() => rig.announced.length === 1, 'it has told its properties');
    const artData = { data: Buffer.from('red').toString('base64'), extension: 'png' };
    await rig.sendProperties({ canControl: true, metadata: { artData } });
    const name = String(rig.properties.metadata?.artUrl).split('=')[1] ?? '';
    expect(rig.images.get(name)).toBeDefined();
    const open = rig.plugin.control('be silent').catch((error: unknown) => error);
    await expect(rig.plugin.setProperty('exit', 3)).rejects.toMatchObject({
      rpcCode: -32603,
      data: 'the control script has ended',
    });
    expect(await open).toMatchObject({ data: 'the control script has ended' });
    expect(rig.announced.at(-1)).toBe(noProperties);
    expect(rig.images.get(name)).toBeUndefined();
    await expect(rig.plugin.control('play')).rejects.toMatchObject({
      data: 'the control script is not running',
    });
  });

  it('is started again, and numbers of requests go on', async () => {
    const rig = start(pluginScript('player.mjs'), { timing: { firstRestartMs: 10 } });
    await until(() => rig.announced.length === 1, 'it has told its properties');
    await expect(rig.plugin.setProperty('exit', 0)).rejects.toThrow();
    await until(() => rig.announced.length === 3, 'it has told its properties again');
    expect(rig.announced[2]).toEqual(rig.announced[0]);
    await rig.plugin.setProperty('write', '{"id":4,"error":{"code":1,"message":"of now"}}\n').then(
      () => expect.unreachable(),
      (error: unknown) => expect(error).toMatchObject({ message: 'of now' }),
    );
  });

  it('is started later and later, up to a limit, and its last words are logged', async () => {
    const timing = { firstRestartMs: 10, slowestRestartMs: 40 };
    const rig = start(pluginScript('exits.sh'), { timing });
    const ends = () => rig.log.with('control script ended').map(({ fields }) => fields);
    await until(() => ends().length === 5, 'it ended five times');
    expect(ends().map(({ restartMs }) => restartMs)).toEqual([10, 20, 40, 40, 40]);
    expect(ends()[0]).toMatchObject({ code: 3, lastLine: 'ERROR: no player here' });
    expect(rig.announced).toEqual([]);
  });

  it('is started soon again when it was well for long, and only then', async () => {
    const runsMs = [0, 999, 999, 1000, 0];
    const timing = { firstRestartMs: 1, slowestRestartMs: 8, healthyRunMs: 1000 };
    const logger = new LogLines();
    // Each run takes its time when it says its last words.
    const words = () => logger.with('control script says').length;
    const clock: Clock = {
      nowUs: () => 1000 * runsMs.slice(0, words()).reduce((sum, runMs) => sum + runMs, 0),
    };
    start(pluginScript('exits.sh'), { timing, clock, logger });
    const ends = () => logger.with('control script ended').map(({ fields }) => fields);
    await until(() => ends().length >= 5, 'it ended five times');
    expect(
      ends()
        .map(({ restartMs }) => restartMs)
        .slice(0, 5),
    ).toEqual([1, 2, 4, 1, 2]);
  });

  it.each([
    ['control.py', '#!/usr/bin/env node\n', 0o644, 'chmod +x'],
    ['lonely.py', '#!/nonexistent/python3\n', 0o755, 'the program that its first line names'],
    ['plain.sh', '', 0o755, undefined],
  ])('at once, as %s does, is told with its remedy', async (name, text, mode, remedy) => {
    const before = openDescriptors();
    const rig = start(scriptFile(name, text, mode), once);
    const problem = () => rig.log.lines.find(({ fields }) => fields.restartMs !== undefined);
    await until(() => problem() !== undefined, 'it is logged');
    if (remedy) {
      expect(problem()).toMatchObject({
        level: 'error',
        phrase: 'control script cannot be started',
      });
      expect(String(problem()?.fields.remedy)).toContain(remedy);
    }
    await expect(rig.plugin.control('play')).rejects.toThrow('Internal error');
    await rig.plugin.stop();
    await until(() => openDescriptors() === before, 'nothing stays open');
  });

  it('is told of once when it is missing, and started when it is there', async () => {
    const timing = { firstRestartMs: 5, slowestRestartMs: 20 };
    const rig = start(join(folder.path, 'late.mjs'), { timing });
    const said = () => rig.log.with('control script cannot be started');
    await until(() => said().length > 0, 'it is logged');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(said()).toHaveLength(1);
    copyFileSync(pluginScript('player.mjs'), join(folder.path, 'late.mjs'));
    chmodSync(join(folder.path, 'late.mjs'), 0o755);
    await until(() => rig.announced.length === 1, 'it has told its properties');
  });

  it('is not started with arguments that the system refuses', async () => {
    const rig = start(pluginScript('exits.sh'), { ...once, params: `x${'\0'}` });
    await until(() => rig.log.with('cannot be started').length === 1, 'it is logged');
  });

  it('is not started at all when its arguments cannot be split', () => {
    expect(() => start(pluginScript('exits.sh'), { params: '"open' })).toThrow('is not closed');
  });
});

describe('a control script that misbehaves', () => {
  it('is started again when it writes a line without end', async () => {
    const rig = start(pluginScript('floods.sh'), { timing: { firstRestartMs: 10 } });
    await until(() => rig.log.with('control script ended').length === 1, 'it is ended');
    expect(rig.log.with('a line without end')[0]).toMatchObject({ level: 'error' });
  });

  it('may write what is no message', async () => {
    const rig = start(pluginScript('garbage.sh'));
    await until(() => rig.properties.canControl, 'the one good message is taken');
    expect(rig.log.with('something else than messages').length).toBe(5);
    expect(rig.log.with('what nobody takes').map(({ fields }) => fields)).toMatchObject([
      { kind: 'notification', method: 'no name' },
      { kind: 'request', method: 'Server.GetStatus' },
    ]);
    expect(rig.log.with('not an object').length).toBe(1);
  });

  it('may close its input: requests are refused, what it tells is taken', async () => {
    const rig = start(pluginScript('closes-input.sh'));
    await until(() => rig.properties.canControl, 'it has told its properties');
    for (const _attempt of [1, 2]) {
      await expect(rig.plugin.control('play')).rejects.toMatchObject({
        rpcCode: -32603,
        data: 'the control script takes no requests',
      });
    }
    expect(rig.log.with('takes no requests').length).toBe(1);
    expect(rig.properties.canControl).toBe(true);
  });

  it('is not sent more than it can leave unread', async () => {
    const rig = start(pluginScript('never-reads.sh'));
    await until(() => rig.properties.canControl, 'it has told its properties');
    const answers: unknown[] = [];
    for (let sent = 0; sent < 20; sent += 1) {
      rig.plugin
        .setProperty('loopStatus', 'x'.repeat(100_000))
        .catch((error: unknown) => answers.push(error));
      await turn();
    }
    await until(() => answers.length >= 5, 'some are refused');
    expect(answers[0]).toMatchObject({ data: 'the control script does not read its requests' });
    expect(answers.length).toBeLessThan(12);
    await rig.plugin.stop();
    expect(answers.length).toBe(20);
  });

  it('is killed with all that it started when it does not want to end', async () => {
    const rig = start(pluginScript('stubborn.sh'));
    await until(() => rig.log.with('control script says').length === 1, 'it runs');
    const leader = Number(rig.log.with('control script says')[0]?.fields.line);
    const children = () => readFileSync(`/proc/${leader}/task/${leader}/children`, 'utf8');
    await until(() => children().trim().split(' ').length === 2, 'it has started something');
    const pids = [leader, ...children().trim().split(' ').map(Number)];
    expect(membersOf(leader, pids)).toContain(leader);
    await rig.plugin.stop();
    expect(membersOf(leader, [leader])).toEqual([]);
    await until(() => membersOf(leader, pids).length === 0, 'what it started is gone, too');
  });
});

describe('a control script that is stopped', () => {
  it('is gone, without a further word or announcement', async () => {
    const before = openDescriptors();
    const listeners = process.listenerCount('exit');
    const rig = start(pluginScript('player.mjs'));
    await until(() => rig.announced.length === 1, 'it has told its properties');
    expect(process.listenerCount('exit')).toBe(listeners + 1);
    const open = rig.plugin.control('be silent').catch((error: unknown) => error);
    await Promise.all([rig.plugin.stop(), rig.plugin.stop()]);
    expect(await open).toMatchObject({ data: 'the control script has ended' });
    expect(rig.announced.length).toBe(1);
    expect(rig.log.lines).toEqual([]);
    expect(process.listenerCount('exit')).toBe(listeners);
    await until(() => openDescriptors() === before, 'nothing stays open');
  });

  it.each([
    ['gets the signal to end while its input is open', 'parts.sh', 'a signal\n'],
    ['sees the end of its input when it does not heed the signal', 'deaf.sh', 'end of input\n'],
  ])('%s', async (_what, script, noted) => {
    const notes = join(folder.path, script);
    const rig = start(pluginScript(script), { ...once, params: notes });
    await until(() => rig.properties.canControl, 'it has told its properties');
    await rig.plugin.stop();
    expect(readFileSync(notes, 'utf8')).toBe(noted);
  });

  it('does not fill the log when it spins on the end of its input', async () => {
    const rig = start(pluginScript('spins.sh'), once);
    await until(() => rig.properties.canControl, 'it has told its properties');
    await rig.plugin.stop();
    expect(rig.log.with('the end of my input')).toEqual([]);
  });

  it('has few last words, and the rest is counted', async () => {
    const rig = start(pluginScript('spins.sh'), { ...once, params: 'stubborn' });
    await until(() => rig.properties.canControl, 'it has told its properties');
    await rig.plugin.stop();
    expect(rig.log.with('the end of my input')).toHaveLength(maxLastLines);
    expect(rig.log.with('says too much')).toHaveLength(1);
  });

  it('is not started again', async () => {
    const rig = start(pluginScript('exits.sh'), once);
    await until(() => rig.log.with('control script ended').length === 1, 'it waits');
    await rig.plugin.stop();
    expect(rig.log.with('control script ended').length).toBe(1);
  });

  it('is killed when this process is forced to end', async () => {
    const before = new Set(process.listeners('exit'));
    const rig = start(pluginScript('stubborn.sh'), once);
    await until(() => rig.log.with('control script says').length === 1, 'it runs');
    for (const listener of process.listeners('exit')) if (!before.has(listener)) listener(0);
    await until(() => rig.log.with('control script ended').length === 1, 'it is gone');
    expect(rig.log.with('control script ended')).toMatchObject([{ fields: { signal: 'SIGKILL' } }]);
  });

  it('may be stopped before it has begun', async () => {
    const rig = start(pluginScript('player.mjs'));
    await rig.plugin.stop();
    expect(rig.announced).toEqual([]);
  });
});
