import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PluginProcess } from '../../../../src/streams/plugin/plugin-process.ts';
import { takeDescriptors } from '../../../support/descriptors.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { looksUntil } from '../../../support/looks.ts';
import { pluginScript } from '../../../support/plugin-rig.ts';
import { until } from '../../../support/waiting.ts';

const folder = scratchFolder();
afterAll(() => folder.remove());

/** A script that runs, and where it makes notes. */
async function start(name: string) {
  const notes = join(folder.path, name);
  const messages: string[] = [];
  const script = new PluginProcess(
    { script: pluginScript(name), args: [notes] },
    { message: (line) => messages.push(line), flooded() {}, log() {}, deaf() {} },
  );
  await until(() => messages.length === 1, 'it runs');
  const noted = () => {
    try {
      return readFileSync(notes, 'utf8');
    } catch {
      return '';
    }
  };
  return { script, noted };
}

describe('a control script that cannot be started for want of descriptors', () => {
  it('counts as one that exited at once', async () => {
    const giveBack = takeDescriptors();
    try {
      const script = new PluginProcess(
        { script: pluginScript('deaf.sh'), args: [] },
        { message() {}, flooded() {}, log() {}, deaf() {} },
      );
      await script.hushed;
      expect(await script.finish(() => true)).toMatchObject({
        code: null,
        error: expect.stringContaining('EMFILE'),
      });
    } finally {
      giveBack();
    }
  });
});

describe('a control script that is told to end', () => {
  it('has half a second for the signal, and then sees the end of its input', async () => {
    const { script, noted } = await start('deaf.sh');
    const finished = script.finish(() => true);
    const looks = await looksUntil(until(() => noted() === 'end of input\n'));
    expect(looks).toBeGreaterThan(20);
    expect(looks).toBeLessThan(50);
    expect(await finished).toMatchObject({ code: 0 });
  });
});

describe('a control script that was not told to end', () => {
  it('has half a second and two seconds after the end of its input', async () => {
    const { script, noted } = await start('heedless.sh');
    let asks = 0;
    let looksAtFirstAsk = 0;
    let looks = 0;
    const counter = setInterval(() => {
      looks += 1;
    }, 20);
    const exit = await script.finish(() => {
      asks += 1;
      if (asks === 2) looksAtFirstAsk = looks;
      return false;
    });
    clearInterval(counter);
    expect(looksAtFirstAsk).toBeGreaterThan(20);
    expect(looksAtFirstAsk).toBeLessThan(50);
    expect(asks).toBe(1 + 100);
    expect(noted()).toBe('a signal\n');
    expect(exit).toMatchObject({ code: 1 });
  });
});
