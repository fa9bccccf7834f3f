import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../support/control-client.ts';
import { scratchFolder } from '../support/fifo.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';
import { CutOff } from './cut-off.ts';
import { median, percentile, recordPage, type Sounded, soundOf, Witness } from './heard.ts';
import { HideableTab } from './hideable-tab.ts';
import { writeNumberedFile } from './numbered-audio.ts';

const bufferMs = 1000;
/** So long the player may take until it is in step, and in step again. */
const settlingMs = 4000;
const recoveryMs = 2000;
/** One stream fades out within 10 ms, the other fades in within as much, at worst behind it. */
const longestFadeMs = 25;
/** What the browser itself says about the tests. */
const expectedComplaint = /ScriptProcessorNode is deprecated/;

let browser: Browser;
let folder: ReturnType<typeof scratchFolder>;
let server: ServerProcess;
let ports: { readonly stream: number; readonly http: number; readonly control: number };
let witnesses: { readonly first: Witness; readonly second: Witness };
let page: WatchedPage;

function startServer(): Promise<ServerProcess> {
  const sources = [
    `file://${folder.path}/first.pcm?name=First&codec=pcm`,
    `file://${folder.path}/second.pcm?name=Second&codec=flac`,
    `file://${folder.path}/first.pcm?name=Third&codec=opus`,
    `file://${folder.path}/first.pcm?name=Fourth&codec=pcm&sampleformat=44100:16:2`,
  ];
  return ServerProcess.start({
    sources,
    folder: folder.path,
    streamPort: ports.stream,
    options: [
      '--http.enabled=true',
      '--http.bind_to_address=127.0.0.1',
      `--http.port=${ports.http}`,
      '--tcp-control.enabled=true',
      '--tcp-control.bind_to_address=127.0.0.1',
      `--tcp-control.port=${ports.control}`,
      `--stream.buffer=${bufferMs}`,
    ],
  });
}

async function connectWitnesses(): Promise<void> {
  witnesses.first.connect(ports.stream, 'first-witness');
  witnesses.second.connect(ports.stream, 'second-witness');
  await until(() => witnesses.first.hasHeard && witnesses.second.hasHeard);
  await play('second-witness', 'Second');
}

/** Opens the page, and listens. */
async function listen(
  host = `127.0.0.1:${ports.http}`,
  prepare: () => void = () => undefined,
): Promise<WatchedPage> {
  const opened = await openPage(browser, 'about:blank', { bypassCSP: host.startsWith('127.') });
  await recordPage(opened);
  await opened.addInitScript(prepare);
  await opened.goto(`http://${host}/`);
  await opened.getByRole('button', { name: 'Listen here' }).click();
  await opened.getByText('Plays here').waitFor();
  return opened;
}

/** Changes something of a client, or of its group. */
async function change(
  client: string,
  request: (ids: { id: string; groupId: string }) => readonly [method: string, params: object],
): Promise<void> {
  const control = await ControlClient.connect(ports.control);
  const { server } = (await control.request('Server.GetStatus')) as {
    server: { groups: { id: string; clients: { id: string }[] }[] };
  };
  const group = server.groups.find(({ clients }) => clients[0]?.id.startsWith(client));
  const [method, params] = request({ id: group!.clients[0]!.id, groupId: group!.id });
  await control.request(method, params);
  control.close();
}

/** Has the group of a client play a stream. */
function play(client: string, stream: string): Promise<void> {
  return change(client, ({ groupId }) => ['Group.SetStream', { id: groupId, stream_id: stream }]);
}

/** What is played until then, from its first sound on; the clock is that of the server. */
async function sound(): Promise<readonly Sounded[]> {
  const all = await soundOf(page, { witnesses, bufferMs });
  return all.slice(all.findIndex(({ isSilent }) => !isSilent));
}

function serverMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Compares with what another player of the same stream should have played. */
function expectInStep(
  sounds: readonly Sounded[],
  { stream = 'first', earlierMs = 0 }: { stream?: 'first' | 'second'; earlierMs?: number } = {},
): void {
  const clear = sounds.filter((sound) => sound.stream === stream);
  const errors = clear.flatMap(({ errorMs }) => (errorMs === undefined ? [] : errorMs + earlierMs));
  const [middle, p99] = [median(errors), percentile(errors, 0.99)];
  process.stderr.write(
    `${errors.length} readings, median ${middle.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms\n`,
  );
  expect(errors.length).toBeGreaterThan(300);
  expect(Math.abs(middle)).toBeLessThanOrEqual(1);
  expect(p99).toBeLessThanOrEqual(5);
}

/** Where it was silent although there was sound to play. */
function silencesIn(sounds: readonly Sounded[]): readonly Sounded[] {
  const isDue = (timeMs: number) => witnesses.first.frameAt(timeMs - bufferMs) !== undefined;
  const fadeMs = 20;
  return sounds.filter(
    ({ isSilent, atMs }) => isSilent && isDue(atMs) && isDue(atMs - fadeMs) && isDue(atMs + fadeMs),
  );
}

/** How long it was longest neither one stream nor silent. */
function longestBlendMs(sounds: readonly Sounded[]): number {
  let longest = 0;
  let clearMs = sounds[0]?.atMs ?? 0;
  for (const { atMs, stream, isSilent } of sounds) {
    if (stream || isSilent) clearMs = atMs;
    longest = Math.max(longest, atMs - clearMs);
  }
  return longest;
}

beforeAll(async () => {
  if (browserIsMissing) return;
  browser = await launchBrowser('--host-resolver-rules=MAP zerobox 127.0.0.1');
});
afterAll(() => browser?.close());

describe.skipIf(browserIsMissing)('a browser that listens', () => {
  beforeEach(async () => {
    folder = scratchFolder();
    writeNumberedFile(join(folder.path, 'first.pcm'), 'first');
    writeNumberedFile(join(folder.path, 'second.pcm'), 'second');
    ports = { stream: await freePort(), http: await freePort(), control: await freePort() };
    server = await startServer();
    witnesses = { first: new Witness(), second: new Witness() };
    await connectWitnesses();
  });

  afterEach(async () => {
    await page?.context().close();
    witnesses.first.close();
    witnesses.second.close();
    await server.stop();
    folder.remove();
  });

  it('plays pcm, flac and opus at any rate over plain HTTP, where browsers withhold most', async () => {
    page = await listen(`zerobox:${ports.http}`);
    const withheld = await page.evaluate(() => {
      const { isSecure, hasWorklet, hasDecoder } = globalThis.heard;
      return { isSecure, hasWorklet, hasDecoder };
    });
    expect(withheld).toEqual({ isSecure: false, hasWorklet: false, hasDecoder: false });
    for (const [stream, format] of [
      ['First', 'PCM 48/16'],
      ['Second', 'FLAC 48/16'],
      ['Third', 'Opus'],
      ['Fourth', 'PCM 44.1/16'],
    ] as const) {
      await play('web-', stream);
      await page.getByText(format).waitFor();
      const from = await page.evaluate(() => globalThis.heard.taps.length);
      await page.waitForFunction((from) => {
        const taps = globalThis.heard.taps.slice(from);
        return taps.filter(([, left, right]) => left !== 0 || right !== 0).length > 40;
      }, from);
    }
    expect(page.complaints.filter((text) => !expectedComplaint.test(text))).toEqual([]);
  });

  it('is in step with another player, sample by sample', async () => {
    page = await listen();
    await wait(settlingMs + 20_000);
    const sounds = await sound();
    const settled = sounds.filter(({ atMs }) => atMs > sounds[0]!.atMs + settlingMs);
    expectInStep(settled);
    expect(silencesIn(settled)).toEqual([]);
    const clear = settled.filter(({ stream }) => stream);
    expect(clear.filter(({ isExact }) => isExact).length / clear.length).toBeGreaterThan(0.8);
  });

  it('stays in step while the main thread is busy', async () => {
    page = await listen();
    await page.evaluate(() =>
      setInterval(() => {
        const endMs = performance.now() + 300;
        while (performance.now() < endMs);
      }, 500),
    );
    await wait(settlingMs + 10_000);
    const sounds = await sound();
    const settled = sounds.filter(({ atMs }) => atMs > sounds[0]!.atMs + settlingMs);
    expectInStep(settled);
    expect(silencesIn(settled)).toEqual([]);
  });

  it('stays in step while its timers are slow, as those of hidden pages', async () => {
    page = await listen(undefined, () => {
      const { setInterval } = globalThis;
      globalThis.setInterval = ((callback: () => void, everyMs: number) =>
        setInterval(callback, Math.max(1000, everyMs))) as typeof setInterval;
    });
    await wait(settlingMs + 8000);
    const sounds = await sound();
    const settled = sounds.filter(({ atMs }) => atMs > sounds[0]!.atMs + settlingMs);
    expectInStep(settled);
    expect(silencesIn(settled)).toEqual([]);
  });

  it('plays on in a tab that is hidden, where it draws nothing', async () => {
    const tab = await HideableTab.open(browser, `http://127.0.0.1:${ports.http}/`);
    const isTrue = (expression: string) =>
      expect.poll(() => tab.evaluate(expression), { timeout: 10_000 }).toBe(true);
    await isTrue(`document.querySelector('.player-bar button') !== null`);
    await tab.evaluate(`
      globalThis.blocks = [];
      globalThis.pictures = 0;
      const { start } = AudioBufferSourceNode.prototype;
      AudioBufferSourceNode.prototype.start = function (atS) {
        blocks.push({ hidden: document.hidden, atS, endS: atS + this.buffer.duration });
        return start.call(this, atS);
      };
      const { requestAnimationFrame: request } = globalThis;
      globalThis.requestAnimationFrame = (draw) => request((now) => {
        if (document.hidden) pictures += 1;
        draw(now);
      });
      document.querySelector('.player-bar button').click();
    `);
    await isTrue('blocks.length > 60');
    await tab.hide();
    await isTrue('document.hidden');
    await isTrue('blocks.filter(({ hidden }) => hidden).length > 50');
    const { gaps, pictures } = (await tab.evaluate(`({
      gaps: blocks.filter(({ hidden, atS }, index) =>
        hidden && Math.abs(atS - blocks[index - 1].endS) > 0.001).length,
      pictures,
    })`)) as { gaps: number; pictures: number };
    await tab.close();
    // One jump is two: what fades away, and what follows.
    expect(gaps).toBeLessThanOrEqual(2);
    expect(pictures).toBe(0);
  });

  it('is in step again after the connection was cut', async () => {
    const way = await CutOff.open(ports.http);
    page = await listen(`127.0.0.1:${way.port}`);
    await wait(settlingMs);
    way.cut();
    await page.getByText('Connecting again').first().waitFor();
    await wait(3000);
    way.mend();
    const mendedMs = serverMs();
    await wait(recoveryMs + 5000);
    expectInStep((await sound()).filter(({ atMs }) => atMs > mendedMs + recoveryMs));
    way.close();
  });

  it('is in step again after the server has started anew', async () => {
    page = await listen();
    await wait(settlingMs);
    await server.stop();
    server = await startServer();
    await connectWitnesses();
    const startedMs = serverMs();
    await wait(recoveryMs + 5000);
    const after = (await sound()).filter(({ atMs }) => atMs > startedMs + recoveryMs);
    expectInStep(after);
  });

  it('plays another stream at once, and never both', async () => {
    page = await listen();
    await wait(settlingMs);
    await play('web-', 'Second');
    const switchedMs = serverMs();
    await wait(recoveryMs + 5000);
    const sounds = await sound();
    const after = sounds.filter(({ atMs }) => atMs > switchedMs + recoveryMs);
    expectInStep(after, { stream: 'second' });
    expect(after.filter(({ stream }) => stream === 'first')).toEqual([]);
    const around = sounds.filter(({ atMs }) => Math.abs(atMs - switchedMs) < recoveryMs);
    expect(longestBlendMs(around)).toBeLessThanOrEqual(longestFadeMs);
    // The new one is there at once, as the server sends what can still be played.
    expect(around.filter(({ isSilent }) => isSilent).length * 2.67).toBeLessThan(500);
  });

  it('is in step again when the system has stopped it meanwhile', async () => {
    page = await listen();
    await wait(settlingMs);
    await page.evaluate(() => globalThis.heard.contexts[0]?.suspend());
    await page.getByText('Tap to hear').first().waitFor();
    await wait(2000);
    await page.getByRole('button', { name: 'Tap to hear' }).click();
    const resumedMs = serverMs();
    await wait(recoveryMs + 4000);
    expectInStep((await sound()).filter(({ atMs }) => atMs > resumedMs + recoveryMs));
  });

  it('plays earlier by its latency and its own offset, at once when they change', async () => {
    page = await listen();
    await wait(settlingMs);
    await change('web-', ({ id }) => ['Client.SetLatency', { id, latency: 100 }]);
    const changedMs = serverMs();
    await wait(5000);
    const after = (await sound()).filter(({ atMs }) => atMs > changedMs + 500);
    expectInStep(after, { earlierMs: 100 });
    // What the listener sets adds to it, and is there the next time.
    await page.getByRole('button', { name: 'Align this browser' }).click();
    const earlier = page.getByRole('button', { name: 'Play 25 ms earlier' });
    await earlier.click();
    await earlier.click();
    await page.getByRole('button', { name: 'Done' }).click();
    const alignedMs = serverMs();
    await wait(4000);
    const aligned = (await sound()).filter(({ atMs }) => atMs > alignedMs + 500);
    expectInStep(aligned, { earlierMs: 150 });
    await page.reload();
    await page.getByRole('button', { name: 'Listen here' }).click();
    await page.getByRole('button', { name: 'Align this browser' }).click();
    await page.getByText('+50 ms', { exact: true }).waitFor();
  });

  it('turns the volume of this player for everybody', async () => {
    page = await listen();
    await page.getByRole('slider', { name: 'Volume of this browser' }).press('PageDown');
    await page.getByText('95', { exact: true }).waitFor();
  });
});
