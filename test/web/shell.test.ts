import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../support/control-client.ts';
import { scratchFolder } from '../support/fifo.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { axeFaults } from './axe-faults.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';
import { sidewaysScroll } from './sideways-scroll.ts';

const places = ['rooms', 'streams', 'sync', 'announce', 'more'];
const sources = ['tone:///?name=Radio', 'tone:///?name=Jazz'];

let browser: Browser;
let server: TestServer;
let controller: ControlClient;
const players: ScriptedClient[] = [];
const pages: Page[] = [];

async function start(...settings: readonly string[]): Promise<void> {
  const streams = sources.map((source) => `stream.source=${source}&codec=pcm`);
  server = await TestServer.start(...streams, ...settings);
  controller = await ControlClient.connect(server.controlPort);
}

async function player(id: string, hostName = id): Promise<void> {
  players.push(await ScriptedClient.greet(server.port, id, { hostName }));
  await until(
    () => server.application.registry.clients.get(id)?.isConnected === true,
    `${id} is there`,
  );
}

async function open(path = '', options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage> {
  const page = await openPage(browser, `http://127.0.0.1:${server.httpPort}/${path}`, options);
  pages.push(page);
  return page;
}

const groupOf = (id: string) => server.application.registry.clients.get(id)!.group;
const volumeOf = (id: string) => server.application.registry.clients.get(id)!.volume;
/** Opens the sheet of a room by what it plays. */
async function roomSheet(page: Page, name: string) {
  const room = page.getByRole('region', { name, exact: true });
  await room.getByRole('button', { name: 'Radio' }).click();
  return page.getByRole('dialog');
}

const slider = (page: Page, name: string) =>
  page.getByRole('slider', { name: `Volume of ${name}`, exact: true });

beforeAll(async () => {
  if (!browserIsMissing) browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.skipIf(browserIsMissing)('the page', () => {
  beforeEach(async () => {
    server = await TestServer.start(
      ...sources.map((source) => `stream.source=${source}&codec=pcm`),
    );
    controller = await ControlClient.connect(server.controlPort);
  });

  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    for (const one of players.splice(0)) one.close();
    controller.close();
    await server.stop();
  });

  it('needs nothing from elsewhere, and has nothing to complain about', async () => {
    await player('a');
    const page = await open();
    await slider(page, 'a').waitFor();
    for (const place of places) {
      await page.goto(`http://127.0.0.1:${server.httpPort}/#/${place}`);
      // Most places are loaded when they are first shown.
      await page.locator('main :is(section, fieldset)').first().waitFor();
    }
    const hosts = new Set(page.addresses.map((address) => new URL(address).host));
    expect([...hosts]).toEqual([`127.0.0.1:${server.httpPort}`]);
    expect(page.complaints).toEqual([]);
  });

  it('says what to do while nobody is there, and shows who comes', async () => {
    const page = await open();
    await page.getByText('There is no player yet').waitFor();
    await player('Kitchen');
    await slider(page, 'Kitchen').waitFor();
    expect(await page.getByText('There is no player yet').count()).toBe(0);
  });

  it('changes a volume by its keys, step by step', async () => {
    await player('a');
    const page = await open();
    await slider(page, 'a').focus();
    await page.keyboard.press('ArrowLeft');
    await until(() => volumeOf('a') === 99);
    await page.keyboard.press('PageDown');
    await until(() => volumeOf('a') === 94);
    await page.keyboard.press('Home');
    await until(() => volumeOf('a') === 0);
    expect(await slider(page, 'a').getAttribute('aria-valuetext')).toBe('0 percent');
  });

  it('moves the thumb, and beside it one step; wheel and scrolling change nothing', async () => {
    await player('a');
    await controller.request('Client.SetVolume', { id: 'a', volume: { percent: 25 } });
    const page = await open();
    await until(() => volumeOf('a') === 25);
    await page.getByText('25', { exact: true }).waitFor();
    const { x, y, width, height } = (await slider(page, 'a').boundingBox())!;
    const middle = y + height / 2;
    await page.mouse.move(x + width / 2, middle);
    await page.mouse.wheel(0, 300);
    await page.mouse.wheel(0, -300);
    await page.mouse.click(x + width - 5, middle);
    await until(() => volumeOf('a') === 30);
    await page.mouse.click(x + 5, middle);
    await until(() => volumeOf('a') === 25);
    const calls = () => page.calls.filter(({ method }) => method === 'Client.SetVolume');
    await until(() => calls().length >= 2);
    expect(calls()).toHaveLength(2);
    await page.mouse.move(x + width / 2, middle);
    await page.mouse.down();
    await page.mouse.move(x + width, middle, { steps: 5 });
    await page.mouse.up();
    await until(() => volumeOf('a') === 100);
  });

  it('changes no volume by fingers that scroll over it, one step by a tap, all by the thumb', async () => {
    for (let index = 0; index < 12; index += 1) {
      await player(`p${index}`);
      const volume = { percent: 49 };
      await controller.request('Client.SetVolume', { id: `p${index}`, volume });
    }
    const page = await open('', { viewport: { width: 375, height: 800 }, hasTouch: true });
    await slider(page, 'p4').waitFor();
    const devTools = await page.context().newCDPSession(page);
    const touch = (
      type: 'touchStart' | 'touchMove' | 'touchEnd',
      ...touchPoints: { x: number; y: number }[]
    ) => devTools.send('Input.dispatchTouchEvent', { type, touchPoints });
    const drag = async (from: { x: number; y: number }, to: { x: number; y: number }) => {
      await touch('touchStart', from);
      for (let step = 1; step <= 10; step += 1) {
        const part = step / 10;
        const x = from.x + part * (to.x - from.x);
        await touch('touchMove', { x, y: from.y + part * (to.y - from.y) });
      }
      await touch('touchEnd');
    };
    const places = async () => {
      const { x, y, width, height } = (await slider(page, 'p2').boundingBox())!;
      const middle = y + height / 2;
      // In the quadratic curve 49 percent are 70 percent of the way.
      const thumb = x + 22 + 0.7 * (width - 44);
      return { thumb: { x: thumb, y: middle }, beside: { x: x + 40, y: middle } };
    };
    const calls = () => page.calls.filter(({ method }) => method === 'Client.SetVolume');
    /** To the top, when what was thrown has come to rest. */
    const toTop = () =>
      page.evaluate(async () => {
        for (let still = 0; still < 5; still = scrollY === 0 ? still + 1 : 0) {
          scrollTo(0, 0);
          await new Promise(requestAnimationFrame);
        }
      });
    for (const at of ['thumb', 'beside'] as const) {
      await toTop();
      const from = (await places())[at];
      await drag(from, { x: from.x + 12, y: from.y - 150 });
      await page.waitForFunction(() => scrollY > 50);
    }
    await toTop();
    const { beside } = await places();
    await drag(beside, { x: beside.x + 120, y: beside.y + 4 });
    expect(calls()).toEqual([]);
    await page.touchscreen.tap(beside.x, beside.y);
    await until(() => volumeOf('p2') === 44);
    const { thumb } = await places();
    await drag({ ...thumb, x: thumb.x - 10 }, { x: thumb.x + 90, y: thumb.y + 3 });
    await until(() => volumeOf('p2') > 80);
    expect(volumeOf('p3')).toBe(49);
  });

  it('follows another page within half a second, and keeps the focus', async () => {
    await player('a');
    const [one, two] = [await open(), await open()];
    await slider(one, 'a').focus();
    await slider(two, 'a').focus();
    const shown = one.getByText('95', { exact: true }).waitFor();
    const startedMs = performance.now();
    await two.keyboard.press('PageDown');
    await shown;
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(await one.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
      'Volume of a',
    );
    // Also when rooms are made anew around it.
    await player('b');
    await slider(one, 'b').waitFor();
    expect(await one.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
      'Volume of a',
    );
  });

  it('mutes, and makes a group quieter with its balance kept', async () => {
    await player('a');
    await player('b');
    await controller.request('Group.SetClients', { id: groupOf('a').id, clients: ['a', 'b'] });
    await controller.request('Client.SetVolume', { id: 'a', volume: { percent: 20 } });
    await controller.request('Client.SetVolume', { id: 'b', volume: { percent: 60 } });
    const page = await open();
    const all = page.getByRole('slider', { name: 'Volume of all in a + 1' });
    await all.focus();
    await until(() => volumeOf('b') === 60);
    await page.getByText('40', { exact: true }).waitFor();
    for (let press = 0; press < 4; press += 1) await page.keyboard.press('PageDown');
    await until(() => volumeOf('a') === 10 && volumeOf('b') === 30);
    await page.getByRole('button', { name: 'Mute a', exact: true }).click();
    await until(() => server.application.registry.clients.get('a')!.isMuted);
    await page.getByRole('button', { name: 'Mute all in a + 1' }).click();
    await until(() => groupOf('a').isMuted);
  });

  it('brings players together, and brings them back to where they were', async () => {
    for (const id of ['a', 'b', 'c']) await player(id);
    await controller.request('Group.SetClients', { id: groupOf('b').id, clients: ['b', 'c'] });
    await controller.request('Group.SetName', { id: groupOf('b').id, name: 'Upstairs' });
    await controller.request('Group.SetStream', { id: groupOf('b').id, stream_id: 'Jazz' });
    const page = await open();
    const sheet = await roomSheet(page, 'a');
    await sheet.getByRole('button', { name: 'Everybody', exact: true }).click();
    await until(() => groupOf('a') === groupOf('b') && groupOf('a') === groupOf('c'));
    await sheet.getByRole('button', { name: 'Undo' }).click();
    await until(() => groupOf('b').name === 'Upstairs' && groupOf('b').streamId === 'Jazz');
    expect(groupOf('c')).toBe(groupOf('b'));
    expect(groupOf('a')).not.toBe(groupOf('b'));
    await sheet.getByRole('checkbox', { name: /^c/ }).check();
    await until(() => groupOf('a') === groupOf('c'));
    await sheet.getByRole('button', { name: 'Undo' }).last().click();
    await until(() => groupOf('b') === groupOf('c'));
    expect(groupOf('b').name).toBe('Upstairs');
  });

  it('takes a room apart, and puts it together again', async () => {
    for (const id of ['a', 'b']) await player(id);
    await controller.request('Group.SetClients', { id: groupOf('a').id, clients: ['a', 'b'] });
    const page = await open();
    const sheet = await roomSheet(page, 'a + 1');
    await sheet.getByRole('button', { name: 'Each on its own' }).click();
    await until(() => groupOf('a') !== groupOf('b'));
    await sheet.getByRole('button', { name: 'Undo' }).click();
    await until(() => groupOf('a') === groupOf('b'));
  });

  it('names a room, changes what it plays, and takes both back', async () => {
    await player('a');
    const page = await open();
    const sheet = await roomSheet(page, 'a');
    await sheet.getByLabel('Name of the room').fill('Downstairs');
    await sheet.getByRole('button', { name: 'Save' }).click();
    await until(() => groupOf('a').name === 'Downstairs');
    await sheet.getByRole('button', { name: 'Undo' }).click();
    await until(() => groupOf('a').name === '');
    await sheet.getByRole('radio', { name: /Jazz/ }).check();
    await until(() => groupOf('a').streamId === 'Jazz');
    await sheet.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await until(() => groupOf('a').streamId === 'Radio');
  });

  it('unmutes the only player of a room, whichever way it was muted', async () => {
    await player('a');
    await controller.request('Group.SetMute', { id: groupOf('a').id, mute: true });
    const page = await open();
    const mute = page.getByRole('button', { name: 'Mute a', exact: true });
    await page.getByRole('button', { name: 'Mute a', exact: true, pressed: true }).click();
    await until(() => !groupOf('a').isMuted);
    await mute.click();
    await until(() => server.application.registry.clients.get('a')!.isMuted);
    expect(groupOf('a').isMuted).toBe(false);
  });

  it('names and finds a player', async () => {
    await player('a');
    const page = await open();
    await page.getByTitle('More about a').click();
    await page.getByLabel('Name', { exact: true }).fill('Stove');
    await page.getByRole('button', { name: 'Save' }).click();
    await until(() => server.application.registry.clients.get('a')?.name === 'Stove');
    await page.getByRole('button', { name: 'Play a chime there' }).click();
    await page.getByText('Stove chimes now').waitFor();
  });

  it('aligns a player by ticks that it and another one play, and goes back', async () => {
    await player('a');
    await player('b');
    await controller.request('Client.SetLatency', { id: 'a', latency: 10 });
    const page = await open();
    const latencyOf = () => server.application.registry.clients.get('a')?.latencyMs;
    await page.getByTitle('More about a').click();
    await page.getByRole('button', { name: 'Align…' }).click();
    const sheet = page.getByRole('dialog', { name: 'Align a' });
    await sheet.getByRole('button', { name: 'Play 25 ms later' }).click();
    await sheet.getByRole('button', { name: 'Play 5 ms earlier' }).click();
    await sheet.getByRole('button', { name: 'Play 1 ms earlier' }).click();
    await until(() => latencyOf() === -9);
    await sheet.getByText('−9 ms').waitFor();
    await sheet.getByRole('button', { name: 'Play ticks' }).click();
    await sheet.getByRole('button', { name: 'Stop the ticks' }).click();
    await until(() => page.calls.some(({ method }) => method === 'Announce.Stop'));
    const play = page.calls.find(({ method }) => method === 'Announce.Play');
    expect(play?.params).toMatchObject({ chime: 'ticks', targets: { clients: ['a', 'b'] } });
    await sheet.getByRole('button', { name: 'Back to +10 ms' }).click();
    await until(() => latencyOf() === 10);
    expect(await page.getByText('Not done').count()).toBe(0);
  });

  it('shows volumes alone where it is asked to', async () => {
    await player('a');
    const page = await open('#/rooms?view=compact', { viewport: { width: 300, height: 200 } });
    await slider(page, 'a').focus();
    await page.keyboard.press('PageDown');
    await until(() => volumeOf('a') === 95);
    expect(await page.getByRole('navigation').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Listen here' }).count()).toBe(0);
    expect(await sidewaysScroll(page)).toBe(0);
  });

  it('deletes who is gone when that can no longer be undone', async () => {
    await player('a');
    await player('b');
    players[1]!.close();
    const page = await open();
    await page.getByRole('button', { name: '1 room is offline' }).click();
    await page.getByRole('button', { name: /^b.*offline/ }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: /^b.*offline/ }).waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await until(() => !server.application.registry.clients.has('b'));
    expect(await page.getByRole('button', { name: /^b/ }).count()).toBe(0);
  });

  it('adds, changes and removes a stream, and shows a fault at its field', async () => {
    await player('a');
    const page = await open('#/streams');
    await page.getByRole('button', { name: 'Add a stream' }).click();
    await page.getByLabel('Kind').selectOption({ label: 'A test tone' });
    await page.getByLabel('Name').fill('Third');
    await page.getByLabel('Sample format').fill('nonsense');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.field', { hasText: 'Sample format' }).getByRole('alert').waitFor();
    expect(server.application.streams.channels.has('Third')).toBe(false);
    await page.getByLabel('Sample format').fill('44100:16:2');
    await page.getByRole('button', { name: 'Save' }).click();
    await until(() => server.application.streams.channels.has('Third'));
    const third = page.getByRole('region', { name: 'Third' });
    await third.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Codec').selectOption('opus');
    await page.getByLabel('Sample format').fill('48000:16:2');
    await page.getByRole('button', { name: 'Save' }).click();
    await third.getByText('tone · opus · 48000:16:2').waitFor();
    await third.getByRole('button', { name: 'Play in…' }).click();
    await page.getByRole('checkbox', { name: 'a' }).check();
    await until(() => groupOf('a').streamId === 'Third');
    await page.getByRole('button', { name: 'Close' }).click();
    await third.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Name').fill('Fourth');
    await page.getByRole('button', { name: 'Save' }).click();
    const fourth = page.getByRole('region', { name: 'Fourth' });
    await fourth.getByText('Heard in a').waitFor();
    expect(groupOf('a').streamId).toBe('Fourth');
    await fourth.getByRole('button', { name: 'Remove…' }).click();
    await page.getByText('a will play the default stream.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await until(() => !server.application.streams.channels.has('Fourth'));
  });

  it('comes back when the server does', async () => {
    await player('a');
    const page = await open();
    await slider(page, 'a').waitFor();
    const { httpPort } = server;
    controller.close();
    await server.stop();
    await page.getByText('The server is away. Connecting again…').waitFor();
    await page.getByRole('button', { name: 'Mute a', exact: true }).click();
    await page.getByText('Not done: the server cannot be reached').waitFor();
    await start(`http.port=${httpPort}`);
    await player('b');
    await slider(page, 'b').waitFor();
  });

  it('is moved by no name, however hostile', async () => {
    const names = ['<img src=x onerror=alert(1)>', `"'&<b>`, 'x'.repeat(90), '‮evil', '{{7*7}}'];
    for (const [index, name] of names.entries()) await player(`p${index}`, name);
    const page = await open('', { viewport: { width: 320, height: 640 } });
    for (const name of names) await page.getByText(name, { exact: true }).first().waitFor();
    expect(await page.locator('main img, main b').count()).toBe(0);
    expect(await sidewaysScroll(page)).toBe(0);
    expect(page.complaints).toEqual([]);
  });

  it('has no fault of access, on any place, in light and dark, on 320 pixels and on a desk', async () => {
    await player('a');
    await player('b');
    await player('c');
    players[2]!.close();
    await controller.request('Group.SetClients', { id: groupOf('a').id, clients: ['a', 'b'] });
    await controller.request('Scene.Save', { name: 'Evening' });
    for (const width of [320, 1280]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await open('', {
          colorScheme,
          viewport: { width, height: 800 },
          bypassCSP: true,
        });
        await slider(page, 'a').waitFor();
        for (const place of places) {
          await page.goto(`http://127.0.0.1:${server.httpPort}/#/${place}`);
          await page.waitForFunction((name) => location.hash === `#/${name}`, place);
          await page.locator('main :is(section, fieldset)').first().waitFor();
          expect(await axeFaults(page), `${place} ${colorScheme} ${width}`).toEqual([]);
          expect(await sidewaysScroll(page), `${place} ${width}`).toBe(0);
        }
        await page.goto(`http://127.0.0.1:${server.httpPort}/#/rooms`);
        await page.getByTitle('More about a').click();
        expect(await axeFaults(page), `client ${colorScheme} ${width}`).toEqual([]);
        await page.getByTitle('Change a + 1').click();
        expect(await axeFaults(page), `group ${colorScheme} ${width}`).toEqual([]);
        await page.getByRole('button', { name: 'Close' }).click();
        await page.getByRole('button', { name: 'Align…' }).click();
        expect(await axeFaults(page), `align ${colorScheme} ${width}`).toEqual([]);
        await page.getByRole('button', { name: 'Done' }).click();
        await page.getByRole('button', { name: 'Scenes…' }).click();
        await page.getByRole('button', { name: 'Apply Evening' }).waitFor();
        expect(await axeFaults(page), `scenes ${colorScheme} ${width}`).toEqual([]);
        await page.goto(`http://127.0.0.1:${server.httpPort}/#/announce`);
        for (const choice of ['File or voice', 'Library']) {
          await page.getByRole('radio', { name: choice }).check();
          expect(await axeFaults(page), `${choice} ${colorScheme} ${width}`).toEqual([]);
        }
        await page.getByRole('radio', { name: 'Rooms' }).check();
        await page.getByText('More', { exact: true }).last().click();
        expect(await axeFaults(page), `announce ${colorScheme} ${width}`).toEqual([]);
        expect(await sidewaysScroll(page), `announce ${width}`).toBe(0);
      }
    }
  });

  it('makes way for another page, which may do what it wants', async () => {
    const folder = scratchFolder();
    mkdirSync(join(folder.path, 'assets'));
    writeFileSync(join(folder.path, 'index.html'), otherPage);
    writeFileSync(join(folder.path, 'assets', 'index-1a2b3c.js'), otherProgram);
    controller.close();
    await server.stop();
    await start(`http.doc_root=${folder.path}`);
    await player('a');
    try {
      const page = await open();
      await page.getByText('Player: a').waitFor();
      await page.getByText('Stream: 2').waitFor();
      expect(await page.title()).toBe('Snapweb');
      const colour = await page.evaluate(() => getComputedStyle(document.body).color);
      expect(colour).toBe('rgb(1, 2, 3)');
      expect(page.complaints).toEqual([]);
    } finally {
      folder.remove();
    }
  });

  it('works below the path of a proxy', async () => {
    await player('a');
    const proxy = prefixProxy('/ingress/x');
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    try {
      const page = await openPage(browser, `http://127.0.0.1:${port}/ingress/x/`);
      pages.push(page);
      await slider(page, 'a').focus();
      await page.keyboard.press('PageDown');
      await until(() => volumeOf('a') === 95);
      expect(page.complaints).toEqual([]);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

/** Made as Snapweb is: a program in a folder of hashed names, styles that are written at run time. */
const otherPage = `<!doctype html><title>Snapweb</title><link rel="icon" href="data:,"><style>body { color: rgb(1, 2, 3) }</style>
<script type="module" crossorigin src="./assets/index-1a2b3c.js"></script><div id="root"></div>`;
const otherProgram = `
const host = 'ws://' + location.host;
const show = (text) => root.append(Object.assign(document.createElement('p'), { textContent: text }));
const control = new WebSocket(host + '/jsonrpc');
control.onopen = () => control.send('{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"}');
control.onmessage = ({ data }) => {
  const { result } = JSON.parse(data);
  if (result) show('Player: ' + result.server.groups[0].clients[0].id);
};
const stream = new WebSocket(host + '/stream');
stream.binaryType = 'arraybuffer';
stream.onopen = () => {
  const hello = new TextEncoder().encode(JSON.stringify({ MAC: '00:00:00:00:00:00', HostName: 'Snapweb',
    Version: '0.9.1', ClientName: 'Snapweb', OS: 'Linux', Arch: 'web', Instance: 1, ID: 'snapweb',
    SnapStreamProtocolVersion: 2 }));
  const message = new DataView(new ArrayBuffer(30 + hello.length));
  message.setUint16(0, 5, true);
  message.setUint32(22, 4 + hello.length, true);
  message.setUint32(26, hello.length, true);
  new Uint8Array(message.buffer).set(hello, 30);
  stream.send(message);
};
const kinds = new Set();
stream.onmessage = ({ data }) => {
  const kind = new DataView(data).getUint16(0, true);
  if (kinds.size < 2 && kinds.add(kind).size === 2) show('Stream: 2');
};
`;

/** Hands on all below a path, with the path taken off. */
function prefixProxy(prefix: string) {
  const rest = (url = '') => url.slice(prefix.length);
  const proxy = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    const options = {
      port: server.httpPort,
      host: '127.0.0.1',
      method,
      headers,
      path: rest(incoming.url),
    };
    incoming.pipe(
      request(options, (response) => {
        outgoing.writeHead(response.statusCode ?? 500, response.headers);
        response.pipe(outgoing);
      }),
    );
  });
  proxy.on('upgrade', (incoming, socket) => {
    const upstream = connect(server.httpPort, '127.0.0.1', () => {
      const lines = [`GET ${rest(incoming.url)} HTTP/1.1`];
      for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
        lines.push(`${incoming.rawHeaders[index]}: ${incoming.rawHeaders[index + 1]}`);
      }
      upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
      socket.pipe(upstream).pipe(socket);
    });
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  return proxy;
}
