import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeHello } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';

const count = 1000;

describe.skipIf(browserIsMissing)('the page of a house with a thousand players', () => {
  let browser: Browser;
  let server: TestServer;
  let controller: ControlClient;
  let page: WatchedPage;
  const players: ScriptedClient[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    server = await TestServer.start(
      'stream.source=pipe:///tmp/zerocast-none?name=Silent&codec=pcm&mode=read',
      'limits.max_connections_per_address=2000',
    );
    controller = await ControlClient.connect(server.controlPort);
    for (let index = 0; index < count; index += 1) {
      const player = await ScriptedClient.connect(server.port, { onMessage: () => {} });
      player.send(encodeHello(helloOf(`p${index}`, { hostName: `Player ${index}` }), 2));
      players.push(player);
    }
    await until(() => server.application.registry.clients.size === count);
    const groups = [...server.application.registry.groups.values()];
    const members = Array.from({ length: 400 }, (_, index) => `p${index}`);
    await controller.request('Group.SetClients', { id: groups[0]!.id, clients: members });
    page = await openPage(browser, `http://127.0.0.1:${server.httpPort}/`);
    await page.getByRole('slider', { name: 'Volume of Player 1', exact: true }).waitFor();
  });

  afterAll(async () => {
    await browser?.close();
    controller?.close();
    for (const player of players) player.close();
    await server?.stop();
  });

  const rows = () => page.locator('.row').count();

  it('has no more rows than one sees, wherever one scrolls', async () => {
    const seen: number[] = [];
    for (const part of [0, 0.3, 0.7, 1]) {
      await page.evaluate((to) => scrollTo(0, to * document.documentElement.scrollHeight), part);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
      seen.push(await rows());
    }
    for (const shown of seen) expect(shown).toBeLessThanOrEqual(60);
    for (const shown of seen) expect(shown).toBeGreaterThan(5);
    await page.getByRole('slider', { name: 'Volume of Player 999', exact: true }).waitFor();
  });

  it('finds one of them', async () => {
    await page.getByRole('searchbox').fill('player 777');
    await page.getByRole('slider', { name: 'Volume of Player 777', exact: true }).waitFor();
    expect(await rows()).toBe(1);
    await page.getByRole('searchbox').fill('');
  });

  it('does not scroll below a sheet, which would go with its row', async () => {
    await page.evaluate(() => scrollTo(0, 0));
    await page.getByRole('button', { name: 'Silent' }).first().click();
    await page.getByRole('dialog').waitFor();
    await page.mouse.move(5, 5);
    await page.mouse.wheel(0, 5000);
    await page.waitForTimeout(300);
    expect(await page.evaluate(() => scrollY)).toBe(0);
    expect(await page.getByRole('dialog').count()).toBe(1);
    await page.keyboard.press('Escape');
  });

  it('tells of each of them whether it is in step, with no more rows than one sees', async () => {
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/sync`);
    await page.getByText('1000 players have a fault').waitFor();
    expect(await rows()).toBeLessThanOrEqual(60);
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight / 2));
    // Those that are seen now are asked for.
    await page.locator('.sync-row .figures').first().waitFor();
    expect(await rows()).toBeGreaterThan(5);
    expect(await rows()).toBeLessThanOrEqual(60);
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/rooms`);
  });

  it('has little to do while each of them changes once a second', async () => {
    await page.evaluate(() => scrollTo(0, 0));
    // Most of it is what a browser does for each message, whatever becomes of that.
    const bare = await openPage(browser, `http://127.0.0.1:${server.httpPort}/healthz`);
    await bare.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket(`ws://${location.host}/jsonrpc`);
          socket.onmessage = ({ data }) => JSON.parse(data);
          socket.onopen = resolve;
        }),
    );
    const shareOf = [await watchThread(page), await watchThread(bare)];
    for (let second = 0; second < 5; second += 1) {
      const begun = performance.now();
      for (let index = 0; index < count; index += 1) {
        const volume = { percent: 10 + ((index + second) % 80) };
        void controller.request('Client.SetVolume', { id: `p${index}`, volume });
        if (index % 20 === 19) {
          const dueMs = begun + index;
          await new Promise((resolve) =>
            setTimeout(resolve, Math.max(0, dueMs - performance.now())),
          );
        }
      }
    }
    const [own = 0, least = 0] = await Promise.all(shareOf.map((share) => share()));
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    process.stderr.write(`${percent(own)} of the main thread, ${percent(least)} of a bare page\n`);
    expect(own - least).toBeLessThan(0.05);
    expect(page.complaints).toEqual([]);
    await bare.context().close();
  });
});

/** Returns what tells the share of time for which the main thread of a page was busy since. */
async function watchThread(page: WatchedPage): Promise<() => Promise<number>> {
  const devTools = await page.context().newCDPSession(page);
  await devTools.send('Performance.enable');
  const look = async () => {
    const { metrics } = await devTools.send('Performance.getMetrics');
    const figure = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
    return { busy: figure('TaskDuration'), at: figure('Timestamp') };
  };
  const before = await look();
  return async () => {
    const after = await look();
    return (after.busy - before.busy) / (after.at - before.at);
  };
}
