import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signingKey } from '../../src/auth/token-key.ts';
import { signToken } from '../../src/auth/tokens.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { axeFaults } from './axe-faults.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';

const secret = 'a secret of just enough length: 32';
const settings = [
  'stream.source=tone:///?name=Radio&codec=pcm',
  'authorization.enabled=true',
  'authorization.role=admin:*',
  'authorization.role=guest:Server.GetStatus,Client.SetVolume,Health',
  'authorization.role=blind:Client.SetVolume',
  'authorization.user=ada:pässword:admin',
  'authorization.user=gus:secret:guest',
  'authorization.user=ben:secret:blind',
];

let browser: Browser;
let server: TestServer;
let player: ScriptedClient;
const pages: Page[] = [];

async function start(...more: readonly string[]): Promise<void> {
  server = await TestServer.start(...settings, ...more);
  const auth = { scheme: 'Plain', param: 'ada:pässword' };
  player = await ScriptedClient.greet(server.port, 'a', { hostName: 'a', auth });
  await until(() => server.application.registry.clients.get('a')?.isConnected === true);
}

async function stop(): Promise<void> {
  player.close();
  await server.stop();
}

async function open(path = '', options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage> {
  const page = await openPage(browser, `http://127.0.0.1:${server.httpPort}/${path}`, options);
  pages.push(page);
  return page;
}

async function logIn(page: Page, user: string, password: string): Promise<void> {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).last().click();
}

const slider = (page: Page) => page.getByRole('slider', { name: 'Volume of a', exact: true });
const storedTokens = (page: Page) =>
  page.evaluate(() =>
    [sessionStorage, localStorage].map((storage) => storage.getItem('zerocast.token') !== null),
  );

beforeAll(async () => {
  if (!browserIsMissing) browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.skipIf(browserIsMissing)('the page of a server with logins', () => {
  beforeEach(() => start());
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    await stop();
  });

  it('asks who is there, says when the password is wrong, and lets in with the right one', async () => {
    const page = await open();
    await page.getByText('This server wants to know who controls it.').waitFor();
    await logIn(page, 'ada', 'wrong');
    await page.getByRole('alert').getByText('Wrong user or password').waitFor();
    await logIn(page, 'ada', 'pässword');
    await slider(page).focus();
    await page.keyboard.press('PageDown');
    await until(() => server.application.registry.clients.get('a')?.volume === 95);
    expect(await storedTokens(page)).toEqual([true, false]);
    const token = await page.evaluate(() => sessionStorage.getItem('zerocast.token'));
    for (const address of [...page.addresses, page.url()]) {
      expect(address).not.toContain(token);
      expect(address).not.toContain('ssword');
    }
    // The browser tells of the refused password, and of nothing else.
    expect(page.complaints.filter((text) => !/401/.test(text))).toEqual([]);
  });

  it('plays here and looks at the server with the same login', async () => {
    const page = await open();
    await logIn(page, 'ada', 'pässword');
    await slider(page).waitFor();
    await page.getByRole('button', { name: 'Listen here' }).click();
    await page.getByText('Plays here').waitFor();
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/more`);
    await page.getByText('Zerocast 0.1.0').waitFor();
    await page.getByText('Logged in as ada').waitFor();
    await page.getByText(/^Connected controllers: /).click();
    await page.getByText('WebSocket, ada').waitFor();
  });

  it('announces a file with the same login, and not without the permission', async () => {
    const page = await open();
    await logIn(page, 'ada', 'pässword');
    await slider(page).waitFor();
    await page.getByRole('region', { name: 'Scenes' }).waitFor();
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/announce`);
    await page.getByRole('radio', { name: 'File or voice' }).check();
    const buffer = wavFile(Buffer.alloc(9600));
    await page
      .getByLabel('Choose a file')
      .setInputFiles({ name: 'bell.wav', mimeType: 'audio/wav', buffer });
    await page.getByText('bell.wav · ').waitFor();
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.getByText('Done').first().waitFor();
    expect(page.complaints).toEqual([]);
    const other = await open('#/announce');
    await logIn(other, 'gus', 'secret');
    const send = other.getByRole('button', { name: 'Announce' });
    await send.waitFor();
    expect(await send.isDisabled()).toBe(true);
    expect(await send.getAttribute('title')).toBe('Your role does not allow this');
    await other.goto(`http://127.0.0.1:${server.httpPort}/#/rooms`);
    await slider(other).waitFor();
    expect(await other.getByRole('region', { name: 'Scenes' }).count()).toBe(0);
  });

  it('disables what the role forbids, and says why', async () => {
    const page = await open();
    await logIn(page, 'gus', 'secret');
    await slider(page).waitFor();
    expect(await slider(page).isEnabled()).toBe(true);
    const room = page.getByRole('region', { name: 'a', exact: true });
    await room.getByRole('button', { name: 'Radio' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Your role does not allow what is greyed out here.').waitFor();
    expect(await dialog.getByRole('radio', { name: /Radio/ }).isDisabled()).toBe(true);
    expect(await dialog.getByRole('checkbox', { name: 'a' }).isDisabled()).toBe(true);
    expect(await dialog.getByLabel('Name of the room').isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/streams`);
    const add = page.getByRole('button', { name: 'Add a stream' });
    expect(await add.isDisabled()).toBe(true);
    expect(await add.getAttribute('title')).toBe('Your role does not allow this');
    await page.getByRole('button', { name: 'Listen here' }).click();
    await page.getByText('Your role may not listen').waitFor();
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/more`);
    await page.getByText('Your role may not see the log.').waitFor();
  });

  it('says so when the role may not even look', async () => {
    const page = await open();
    await logIn(page, 'ben', 'secret');
    await page.getByText(/Your role may not see what the server plays/).waitFor();
    await logIn(page, 'ada', 'pässword');
    await slider(page).waitFor();
  });

  it('stays logged in where that is wanted, until one logs out', async () => {
    const page = await open();
    await page.getByLabel(/^Stay logged in/).check();
    await logIn(page, 'ada', 'pässword');
    await slider(page).waitFor();
    expect(await storedTokens(page)).toEqual([false, true]);
    const next = await page.context().newPage();
    await next.goto(`http://127.0.0.1:${server.httpPort}/#/more`);
    await next.getByRole('button', { name: 'Log out' }).click();
    await next.getByText('This server wants to know who controls it.').waitFor();
    expect(await storedTokens(next)).toEqual([false, false]);
  });

  it('asks again when the login has ended, and goes on where it was', async () => {
    const page = await open('#/streams');
    await logIn(page, 'ada', 'pässword');
    await page.getByRole('meter').first().waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Add a stream' }).click();
    await page.getByLabel('Kind').selectOption({ label: 'A test tone' });
    await page.getByLabel('Name').fill('Third');
    const { httpPort } = server;
    await stop();
    // What its own key has signed is lost with it.
    await start(`http.port=${httpPort}`);
    await page.getByText('Your login has ended. Log in again to go on.').waitFor();
    const noLevels = page.getByText('Your role may not see levels.');
    await noLevels.waitFor();
    await logIn(page, 'ada', 'pässword');
    await page.getByText('Your login has ended').waitFor({ state: 'detached' });
    await noLevels.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Save' }).click();
    await until(() => server.application.streams.channels.has('Third'));
    expect(page.url()).toContain('#/streams');
  });

  it('asks again when the token has expired', async () => {
    await stop();
    await start(`authorization.token_secret=${secret}`);
    const token = await signToken({ user: 'ada', lifetimeSeconds: -3600 }, signingKey({ secret }));
    const context = await browser.newContext({ locale: 'en' });
    const page = await context.newPage();
    pages.push(page);
    await page.addInitScript((value) => {
      if (!localStorage.getItem('seen')) sessionStorage.setItem('zerocast.token', value);
      localStorage.setItem('seen', 'true');
    }, token);
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/streams`);
    await page.getByText('Your login has ended. Log in again to go on.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByText('You are not logged in.').waitFor();
    await page.getByRole('button', { name: 'Log in' }).click();
    await logIn(page, 'ada', 'pässword');
    await page.getByRole('region', { name: 'Radio' }).waitFor();
  });

  it('has no fault of access, asking and forbidding', async () => {
    for (const width of [320, 1280]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const viewport = { width, height: 800 };
        const page = await open('', { colorScheme, viewport, bypassCSP: true });
        await page.getByText('This server wants to know who controls it.').waitFor();
        expect(await axeFaults(page), `asking ${colorScheme} ${width}`).toEqual([]);
        await page.getByRole('button', { name: 'Close' }).click();
        await page.getByText('You are not logged in.').waitFor();
        expect(await axeFaults(page), `not logged in ${colorScheme} ${width}`).toEqual([]);
        await page.getByRole('button', { name: 'Log in' }).click();
        await logIn(page, 'gus', 'secret');
        const room = page.getByRole('region', { name: 'a', exact: true });
        await room.getByRole('button', { name: 'Radio' }).click();
        await page
          .getByRole('dialog')
          .getByText('Your role does not allow what is greyed out here.')
          .waitFor();
        expect(await axeFaults(page), `forbidding ${colorScheme} ${width}`).toEqual([]);
      }
    }
  });
});
