import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { melOf } from '../../src/dsp/mel-scale.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import { scratchFolder } from '../support/fifo.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { axeFaults } from './axe-faults.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';

const rateHz = 48_000;
const bufferMs = 1000;
const bands = 80;
const moving = { reducedMotion: 'no-preference' } as const;

let browser: Browser;
let server: TestServer;
let page: WatchedPage;
const players: ScriptedClient[] = [];

const tone = (name: string, rest = '') => `stream.source=tone:///?name=${name}&codec=pcm${rest}`;

async function start(...settings: readonly string[]): Promise<void> {
  server = await TestServer.start(...settings, `stream.buffer=${bufferMs}`);
}

/** Someone hears it, so it is read. */
async function listen(stream: string): Promise<ScriptedClient> {
  const player = await ScriptedClient.greet(server.port, stream);
  players.push(player);
  const { clients } = server.application.registry;
  await until(() => clients.get(stream)?.isConnected === true, 'the player is there');
  const { group } = clients.get(stream)!;
  await server.application.request('Group.SetStream', { id: group.id, stream_id: stream });
  return player;
}

const address = () => `http://127.0.0.1:${server.httpPort}/#/streams`;
const meterOf = (stream: string, side: 'left' | 'right') =>
  page.getByRole('meter', { name: `Level of ${stream}, ${side}` });
const cardOf = (stream: string) => page.getByRole('region', { name: stream });

async function levelOf(stream: string, side: 'left' | 'right' = 'left'): Promise<number> {
  const number = cardOf(stream)
    .locator('.peaks span')
    .nth(side === 'left' ? 0 : 1);
  return Number.parseFloat((await number.textContent()) ?? '');
}

async function expectLevel(stream: string, db: number): Promise<void> {
  await expect.poll(async () => Math.abs((await levelOf(stream)) - db)).toBeLessThanOrEqual(0.2);
}

/** How strong each band is in one column of a spectrum, from the lowest. */
function columnOf(stream: string, fromRight: number): Promise<number[]> {
  return cardOf(stream)
    .locator('canvas.mel')
    .evaluate((canvas: HTMLCanvasElement, back) => {
      const context = canvas.getContext('2d')!;
      const { width, height } = canvas;
      const { data } = context.getImageData(width - 1 - back, 0, 1, height);
      const ground = getComputedStyle(canvas)
        .backgroundColor.match(/[\d.]+/g)!
        .map(Number);
      return Array.from({ length: height }, (_, row) => {
        const at = 4 * (height - 1 - row);
        if (data[at + 3] === 0) return 0;
        return [0, 1, 2].reduce((sum, one) => sum + Math.abs(data[at + one]! - ground[one]!), 0);
      });
    }, fromRight);
}

/** What the page asks to watch. */
function watchesOf(watched: Page): (readonly string[])[] {
  const watches: (readonly string[])[] = [];
  watched.on('websocket', (socket) => {
    if (!socket.url().endsWith('/live')) return;
    socket.on('framesent', ({ payload }) => {
      const { watch } = JSON.parse(String(payload)) as { watch?: { meters?: readonly string[] } };
      if (watch) watches.push(watch.meters ?? []);
    });
    socket.on('close', () => watches.push(['closed']));
  });
  return watches;
}

beforeAll(async () => {
  if (!browserIsMissing) browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.skipIf(browserIsMissing)('the levels on the page', () => {
  afterEach(async () => {
    await page.context().close();
    for (const player of players.splice(0)) player.close();
    await server.stop();
  });

  it('are those of a tone: its level, and the band of its frequency', async () => {
    await start(tone('Tone', '&freq=1000&level=-20'));
    await listen('Tone');
    page = await openPage(browser, address(), moving);
    await expectLevel('Tone', -20);
    expect(Math.abs((await levelOf('Tone', 'right')) + 20)).toBeLessThanOrEqual(0.2);
    const meter = meterOf('Tone', 'left');
    await expect.poll(() => meter.getAttribute('value')).toBe('-20');
    expect(await meter.getAttribute('aria-valuetext')).toMatch(/^-20\.[01]\u00a0dB$|^-19\.9/);
    const wanted = Math.round((melOf(1000) / melOf(rateHz / 2)) * (bands + 1)) - 1;
    await expect.poll(async () => Math.max(...(await columnOf('Tone', 20)))).toBeGreaterThan(0);
    for (const back of [0, 5, 10]) {
      const column = await columnOf('Tone', back);
      const strongest = column.indexOf(Math.max(...column));
      expect(Math.abs(strongest - wanted)).toBeLessThanOrEqual(1);
      expect(column[strongest]).toBeGreaterThan(4 * (column[70] ?? 0) + 50);
    }
    // A sine of -20 dB at 1 kHz in two channels.
    const loudness = async (name: string) =>
      Number.parseFloat((await cardOf('Tone').locator(`dd[data-figure=${name}]`).textContent())!);
    await expect.poll(() => loudness('momentary')).toBeCloseTo(-20, 0);
    await expect.poll(() => loudness('truePeak')).toBeCloseTo(-20, 0);
    expect(page.complaints).toEqual([]);
  });

  it('are shown when they are heard', async () => {
    const folder = scratchFolder();
    const file = join(folder.path, 'bursts.pcm');
    // Half a second of sound, half a second of silence.
    const samples = new Int16Array(2 * 10 * rateHz);
    for (let frame = 0; frame < 10 * rateHz; frame += 1) {
      const isOn = frame % rateHz < rateHz / 2;
      const sample = isOn ? 20_000 * (frame % 96 < 48 ? 1 : -1) : 0;
      samples.fill(sample, 2 * frame, 2 * frame + 2);
    }
    writeFileSync(file, samples);
    await start(`stream.source=file://${file}?name=Bursts&codec=pcm`);
    const player = await listen('Bursts');
    page = await openPage(browser, address(), moving);
    await meterOf('Bursts', 'left').waitFor();
    const seen = await cardOf('Bursts')
      .locator('canvas.bars')
      .evaluate(async (canvas: HTMLCanvasElement) => {
        const context = canvas.getContext('2d')!;
        const socket = new WebSocket(`ws://${location.host}/live`);
        await new Promise((resolve) => socket.addEventListener('open', resolve));
        /** How far the server is ahead, by the quickest of its answers. */
        let best = { trip: Number.POSITIVE_INFINITY, ahead: 0 };
        socket.addEventListener('message', ({ data }) => {
          const now = performance.now();
          const { time, serverUs } = JSON.parse(String(data)) as { time: number; serverUs: number };
          if (now - time < best.trip) {
            best = { trip: now - time, ahead: serverUs / 1000 - (now + time) / 2 };
          }
        });
        const shown: number[] = [];
        let wasOn: boolean | undefined;
        const endMs = performance.now() + 9000;
        while (performance.now() < endMs) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          const now = performance.now();
          socket.send(JSON.stringify({ time: now }));
          // The bar is as long as loud: a fifth of it is for what is hardly to be heard.
          const isOn = context.getImageData(canvas.width / 5, 4, 1, 1).data[3]! > 128;
          if (isOn && wasOn === false) shown.push(now);
          wasOn = isOn;
        }
        socket.close();
        return shown.map((atMs) => atMs + best.ahead);
      });
    const begun: number[] = [];
    let wasOn = true;
    for (const { body } of player.received.filter(({ type }) => type === messageType.wireChunk)) {
      const { timestampUs, payload } = decodeWireChunk(body);
      for (let at = 0; at < payload.length; at += 4) {
        const isOn = payload[at] !== 0 || payload[at + 1] !== 0;
        if (isOn && !wasOn) begun.push(timestampUs / 1000 + (at / 4 / rateHz) * 1000 + bufferMs);
        wasOn = isOn;
      }
    }
    const misses = seen.map((shownMs) => {
      const nearest = begun.reduce((a, b) =>
        Math.abs(b - shownMs) < Math.abs(a - shownMs) ? b : a,
      );
      return shownMs - nearest;
    });
    process.stderr.write(`shown late by ${misses.map((miss) => miss.toFixed(0)).join(' ')} ms\n`);
    expect(misses.length).toBeGreaterThanOrEqual(5);
    const sorted = [...misses].sort((a, b) => a - b);
    expect(Math.abs(sorted[Math.floor(sorted.length / 2)]!)).toBeLessThanOrEqual(40);
    folder.remove();
  });

  it('are watched of what is seen alone, and not at all while the page is hidden', async () => {
    await start(...Array.from({ length: 10 }, (_, index) => tone(`S${index}`)));
    for (const { stream } of server.application.streams.channels.values()) stream.activate();
    page = await openPage(browser, 'about:blank', {
      ...moving,
      viewport: { width: 400, height: 700 },
    });
    await page.addInitScript(() => {
      const { requestAnimationFrame } = globalThis;
      Object.assign(globalThis, { pictures: 0 });
      globalThis.requestAnimationFrame = (callback) => {
        (globalThis as unknown as { pictures: number }).pictures += 1;
        return requestAnimationFrame(callback);
      };
    });
    const watches = watchesOf(page);
    await page.goto(address());
    await until(() => watches.at(-1)?.includes('S0') === true, 'the first is watched');
    expect(watches.at(-1)!.length).toBeLessThan(6);
    expect(watches.at(-1)).not.toContain('S9');
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await until(() => watches.at(-1)?.includes('S9') === true, 'the last is watched');
    expect(watches.at(-1)).not.toContain('S0');
    await expectLevel('S9', -20);
    const show = (state: string) =>
      page.evaluate((state) => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, value: state });
        document.dispatchEvent(new Event('visibilitychange'));
      }, state);
    const pictures = () =>
      page.evaluate(() => (globalThis as unknown as { pictures: number }).pictures);
    await show('hidden');
    await until(() => watches.at(-1)?.[0] === 'closed', 'nothing is watched any more');
    await page.waitForTimeout(100);
    const before = await pictures();
    await page.waitForTimeout(1000);
    expect(await pictures()).toBe(before);
    await show('visible');
    await until(() => watches.at(-1)?.includes('S9') === true, 'it is watched again');
    await expect.poll(pictures).toBeGreaterThan(before + 10);
    await page.getByRole('link', { name: 'Rooms' }).click();
    await until(() => watches.at(-1)?.[0] === 'closed', 'elsewhere nothing is watched');
    for (const { stream } of server.application.streams.channels.values()) stream.deactivate();
    expect(page.complaints).toEqual([]);
  });

  it('stay right when messages are no frames, and say what is left out', async () => {
    await start(tone('Tone'));
    await listen('Tone');
    page = await openPage(browser, 'about:blank', moving);
    let way: WebSocketRoute | undefined;
    await page.routeWebSocket(/\/live$/, (route) => {
      way = route;
      const far = route.connectToServer();
      far.onMessage((message) => {
        const text = String(message);
        route.send(
          text.startsWith('{"meters"')
            ? text.replace('"truePeak":true', '"truePeak":false')
            : message,
        );
      });
    });
    await page.goto(address());
    await expectLevel('Tone', -20);
    await page.getByText('The true peak is left out').waitFor();
    const bytes = (...values: number[]) => Buffer.from(values);
    for (const bad of [
      bytes(),
      bytes(1),
      bytes(1, 9, 1, 0),
      bytes(1, 1, 255, 255, 0, 0, 2, 0),
      bytes(1, 1, 1, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0),
      bytes(77, 1, 2, 3),
      '{',
      '7',
      'null',
      '{"meters":null}',
      '{"meters":{"streams":7}}',
    ]) {
      way!.send(bad);
    }
    const column = await columnOf('Tone', 0);
    await page.waitForTimeout(200);
    expect((await columnOf('Tone', 0)).indexOf(Math.max(...column))).toBeGreaterThan(0);
    expect(page.complaints).toEqual([]);
  });

  it('are said to be there while somebody hears the stream', async () => {
    await start(tone('Tone'));
    page = await openPage(browser, address());
    const hint = cardOf('Tone').getByText('Levels show while somebody hears it.');
    await hint.waitFor();
    await listen('Tone');
    await expectLevel('Tone', -20);
    expect(await hint.count()).toBe(0);
    expect(page.complaints).toEqual([]);
  });

  it('do not scroll for those who want no motion', async () => {
    await start(tone('Tone'));
    await listen('Tone');
    page = await openPage(browser, address());
    await expectLevel('Tone', -20);
    const emptyColumns = () =>
      cardOf('Tone')
        .locator('canvas.mel')
        .evaluate((canvas: HTMLCanvasElement) => {
          const { data } = canvas.getContext('2d')!.getImageData(0, 79, canvas.width, 1);
          return Array.from({ length: canvas.width }, (_, column) => data[4 * column + 3] === 0);
        });
    const filled = (columns: readonly boolean[]) => columns.filter((isEmpty) => !isEmpty).length;
    const before = await emptyColumns();
    await expect
      .poll(async () => filled(await emptyColumns()))
      .toBeGreaterThan(filled(before) + 10);
    const after = await emptyColumns();
    // What was written stays where it was.
    const moved = before.filter((isEmpty, column) => !isEmpty && after[column]);
    expect(moved.length).toBeLessThanOrEqual(8);
  });

  it('of ten streams leave the main thread to others', async () => {
    await start(...Array.from({ length: 10 }, (_, index) => tone(`S${index}`)));
    for (const { stream } of server.application.streams.channels.values()) stream.activate();
    page = await openPage(browser, address(), {
      ...moving,
      viewport: { width: 1280, height: 4000 },
    });
    await expectLevel('S9', -20);
    const devTools = await page.context().newCDPSession(page);
    // Not the time that others have the processors for.
    await devTools.send('Performance.enable', { timeDomain: 'threadTicks' });
    const figures = async () => {
      const { metrics } = await devTools.send('Performance.getMetrics');
      const figure = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
      return {
        busy: figure('TaskDuration'),
        script: figure('ScriptDuration'),
        at: performance.now() / 1000,
      };
    };
    const before = await figures();
    await page.waitForTimeout(5000);
    const after = await figures();
    const share = (name: 'busy' | 'script') =>
      (after[name] - before[name]) / (after.at - before.at);
    process.stderr.write(
      `${(100 * share('busy')).toFixed(1)} % of the main thread, ${(100 * share('script')).toFixed(1)} % script\n`,
    );
    for (const { stream } of server.application.streams.channels.values()) stream.deactivate();
    expect(share('busy')).toBeLessThan(0.15);
    expect(page.complaints).toEqual([]);
  });

  it('of this browser fill the screen while it listens, with all that is to be known', async () => {
    await start(tone('Tone', '&freq=1000&level=-20'));
    page = await openPage(browser, address(), { ...moving, viewport: { width: 320, height: 700 } });
    await page.getByRole('button', { name: 'Listen here' }).click();
    await page.getByRole('link', { name: 'Show all of listening here' }).click();
    const screen = page.getByRole('dialog', { name: 'Listening in this browser' });
    await screen.getByText('PCM 48/16').waitFor();
    const number = screen.locator('.peaks span').first();
    await expect
      .poll(async () => Math.abs(Number.parseFloat((await number.textContent())!) + 20))
      .toBeLessThan(0.5);
    await expect
      .poll(() => screen.locator('meter').first().getAttribute('aria-valuetext'))
      .toMatch(/^-(?:20|19\.9)/);
    // The tallest bar is that of the tone.
    const tallest = await screen
      .locator('canvas.spectrum')
      .evaluate((canvas: HTMLCanvasElement) => {
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height);
        const tops = Array.from({ length: 48 }, (_, bar) => {
          const x = Math.floor(((bar + 0.5) * width) / 48);
          for (let y = 0; y < height; y += 1) if (data[4 * (y * width + x) + 3]! > 0) return y;
          return height;
        });
        return tops.indexOf(Math.min(...tops));
      });
    expect(Math.abs(tallest - Math.floor((48 * melOf(1000)) / melOf(16_000)))).toBeLessThanOrEqual(
      1,
    );
    await screen.getByRole('button', { name: 'Play 5 ms earlier' }).click();
    await screen.getByRole('button', { name: 'Play 1 ms later' }).click();
    await screen
      .getByText('+4 ms', { exact: true })
      .or(screen.getByText('4 ms', { exact: true }))
      .first()
      .waitFor();
    await screen.getByRole('button', { name: 'Stop' }).click();
    await screen.getByRole('button', { name: 'Listen here' }).click();
    await screen.getByText('Plays here').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 320]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 700 });
        expect(await axeFaults(page), `${colorScheme} ${width}`).toEqual([]);
      }
    }
    expect(await screen.evaluate((element) => element.scrollWidth <= element.clientWidth)).toBe(
      true,
    );
    await page.keyboard.press('Escape');
    await until(() => page.url().endsWith('#/streams'), 'the page is where it was');
    expect(await screen.count()).toBe(0);
    await page.goBack();
    expect(page.url()).toMatch(/#\/streams$/);
    expect(page.complaints).toEqual([]);
  });
});
