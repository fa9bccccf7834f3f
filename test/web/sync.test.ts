import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { namespacesAreOff } from '../support/network-namespace.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { SyncScene } from '../support/sync-scene.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { axeFaults } from './axe-faults.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';
import { sidewaysScroll } from './sideways-scroll.ts';

let browser: Browser;
const ends: (() => unknown)[] = [];

async function open(
  server: TestServer,
  options: Parameters<typeof openPage>[2] = {},
): Promise<WatchedPage> {
  const page = await openPage(browser, `http://127.0.0.1:${server.httpPort}/#/sync`, options);
  ends.push(() => page.context().close());
  return page;
}

async function start(...players: readonly string[]): Promise<TestServer> {
  const server = await TestServer.start('stream.source=tone:///?name=Radio&codec=pcm');
  ends.push(() => server.stop());
  for (const id of players) {
    const player = await ScriptedClient.greet(server.port, id, { hostName: id });
    const timer = setInterval(() => player.requestTime(7), 1000);
    ends.push(() => {
      clearInterval(timer);
      player.close();
    });
    await until(() => server.application.registry.clients.get(id)?.isConnected === true);
  }
  return server;
}

const row = (page: Page, verdict: string, name: string) =>
  page.getByRole('button', { name: new RegExp(`^${verdict}.*${name}`) });

beforeAll(async () => {
  if (!browserIsMissing) browser = await launchBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe.skipIf(browserIsMissing)('the place that tells who is in step', () => {
  it.skipIf(namespacesAreOff)('blames network, player and source, each where it is', async () => {
    const scene = await SyncScene.open();
    ends.push(() => scene.close());
    const page = await open(scene.server);
    for (const name of ['weak', 'stuck', 'fed', 'well']) await row(page, 'good', name).waitFor();
    await page.getByText('All is well').waitFor();
    scene.weakNetwork.disturb({ lossPercent: 8, delayMs: 5, jitterMs: 5 });
    scene.stuckMachine.freeze(true);
    scene.producer.pause(true);
    const within = { timeout: 15_000 };
    await Promise.all([
      row(page, 'network', 'weak').waitFor(within),
      row(page, 'player', 'stuck').waitFor(within),
      row(page, 'source', 'fed').waitFor(within),
    ]);
    await row(page, 'good', 'well').waitFor();
    const names = await page.locator('.sync-row .who').allTextContents();
    expect(names.at(-1)).toBe('well');
    await row(page, 'network', 'weak').click();
    const sheet = page.getByRole('dialog');
    await sheet.getByText(/packets a second were sent again/).waitFor();
    await sheet.getByText(/nearer to its access point/).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('listitem').getByText('Nothing came from the source of Live').waitFor();
    expect(page.complaints).toEqual([]);
  });

  it('shows how exactly this browser plays', async () => {
    const server = await start('Kitchen');
    const page = await open(server);
    await row(page, 'good', 'Kitchen').waitFor();
    await page.getByRole('button', { name: 'Listen here' }).click();
    const own = page.locator('.sync-row').getByRole('button', { name: /this browser/ });
    await own.getByText(/ ms off/).waitFor();
    await own.click();
    await page.getByRole('dialog').getByText('Jumps and gaps').waitFor();
  });

  it('says that there is nobody, and who comes and goes', async () => {
    const server = await start();
    const page = await open(server);
    await page.getByText('No player is connected').waitFor();
    const player = await ScriptedClient.greet(server.port, 'Bath', { hostName: 'Bath' });
    await page.getByRole('listitem').getByText('Bath has come').waitFor();
    await row(page, 'good', 'Bath').waitFor();
    await server.application.request('Announce.Play', { targets: { all: true }, chime: 'ding' });
    await page.getByText('Announcement: On its way', { exact: true }).waitFor();
    player.close();
    await page.getByText(/Bath has gone: closed by the client/).waitFor();
    await page.getByText('1 offline').waitFor();
  });

  it('says what is not measured, and gives no number for it', async () => {
    process.env.ZEROCAST_NATIVE = 'off';
    const server = await start('Kitchen');
    delete process.env.ZEROCAST_NATIVE;
    const page = await open(server);
    await page.getByText(/that needs Linux and the native addon/).waitFor();
    await row(page, 'good', 'Kitchen').click();
    const sheet = page.getByRole('dialog');
    await sheet.getByText('Skipped in 10 s').waitFor();
    const measures = sheet.locator('dt', { hasText: /Round trip|Still on its way|Sent again/ });
    expect(await measures.count()).toBe(3);
    expect(await sheet.getByText('not measured here').count()).toBe(3);
    await sheet.getByText('not known yet').waitFor();
  });

  it('is used by keys alone, and has no fault of access, its evidence included', async () => {
    const server = await start('Kitchen', 'x'.repeat(80));
    for (const width of [320, 1280]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const viewport = { width, height: 800 };
        const page = await open(server, { colorScheme, viewport, bypassCSP: true });
        await row(page, 'good', 'Kitchen').focus();
        expect(await axeFaults(page), `${colorScheme} ${width}`).toEqual([]);
        expect(await sidewaysScroll(page), `${width}`).toBe(0);
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').getByText('Nothing is wrong with it.').waitFor();
        expect(await axeFaults(page), `evidence ${colorScheme} ${width}`).toEqual([]);
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/Kitchen/);
      }
    }
  });
});
