import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  makeServerCertificate,
  type ServerCertificate,
} from '../../src/certificates/server-certificate.ts';
import { diagnoseServer } from '../../src/doctor/diagnose-server.ts';
import { Log } from '../../src/log/log.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { axeFaults } from './axe-faults.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';

const require = createRequire(import.meta.url);
const jsQR: typeof import('jsqr').default = require('jsqr');

let browser: Browser;
let server: TestServer;
let certificate: ServerCertificate;
let folder: string;
const log = new Log({ format: 'text', sink: 'null', filter: ['*:info'] });
const pages: Page[] = [];

async function open({
  path = '#/more',
  isSecure = false,
  ...options
}: BrowserContextOptions & {
  readonly path?: string;
  readonly isSecure?: boolean;
} = {}): Promise<WatchedPage> {
  const { http, https } = server.application.ports;
  const origin = isSecure ? `https://127.0.0.1:${https}` : `http://127.0.0.1:${http}`;
  const page = await openPage(browser, `${origin}/${path}`, {
    // No test can install an authority in the browser.
    ignoreHTTPSErrors: true,
    ...options,
  });
  pages.push(page);
  return page;
}

/** All that is folded. */
function unfold(page: Page): Promise<void> {
  return page.locator('details').evaluateAll((all) => {
    for (const one of all) one.setAttribute('open', '');
  });
}

beforeAll(async () => {
  if (browserIsMissing) return;
  browser = await launchBrowser();
  folder = makeScratchFolder();
  certificate = await makeServerCertificate(
    { names: [], mode: 'new', isSelfSigned: false, days: 400 },
    { dataFolder: folder, machine: { hostName: 'pi', addresses: ['192.168.1.5'] } },
  );
  server = await TestServer.startWith(
    {
      logger: log.logger,
      recentWarnings: () => log.recentWarnings,
      diagnose: (config) => diagnoseServer({ config, configFile: undefined }),
    },
    'stream.source=tone:///?name=Radio&codec=pcm',
    'http.ssl_enabled=true',
    'http.ssl_port=0',
    'http.ssl_bind_to_address=127.0.0.1',
    `ssl.certificate=${certificate.files.certificate}`,
    `ssl.certificate_key=${certificate.files.key}`,
  );
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close();
});
afterAll(async () => {
  if (browserIsMissing) return;
  await browser.close();
  await server.stop();
  await log.close();
  removeScratchFolder(folder);
});

describe.skipIf(browserIsMissing)('the place More', () => {
  it('says how the server is', async () => {
    log.logger.warn('something to look at', { stream: 'Radio' });
    const page = await open();
    await page.getByText('Zerocast 0.1.0, Node.js').waitFor();
    await page.getByText(`${server.httpPort} HTTP`).waitFor();
    await page.getByText(/^valid until .*pi\.local/).waitFor();
    await unfold(page);
    await page.getByText('(Snapserver) something to look at stream=Radio').waitFor();
    await page.getByText(/^Node\.js /).waitFor();
    expect(page.complaints).toEqual([]);
  });

  it('shows the address of the server as a code that is read', async () => {
    const page = await open();
    // From then on its address is known as other devices see it.
    await page.getByText('Zerocast 0.1.0, Node.js').waitFor();
    const code = page.getByRole('img', { name: /^QR code of http/ });
    const side = 165;
    const pixels = await code.evaluate(async (element, pictureSide) => {
      const image = new Image();
      const text = new XMLSerializer().serializeToString(element);
      image.src = `data:image/svg+xml;base64,${btoa(text)}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = pictureSide;
      canvas.height = pictureSide;
      const context = canvas.getContext('2d')!;
      context.drawImage(image, 0, 0, pictureSide, pictureSide);
      const { data } = context.getImageData(0, 0, pictureSide, pictureSide);
      return data.filter((_, index) => index % 4 === 0).join();
    }, side);
    const colours = pixels
      .split(',')
      .flatMap((red) => [Number(red), Number(red), Number(red), 255]);
    const address = jsQR(new Uint8ClampedArray(colours), side, side)?.data;
    expect(await code.getAttribute('aria-label')).toBe(`QR code of ${address}`);
    expect(address).toMatch(new RegExp(`^http://[\\d.:a-f[\\]]+:${server.httpPort}/$`));
    expect(address).not.toContain('127.0.0.1');
  });

  it('leads to HTTPS, and to the authority that a device has to trust', async () => {
    const page = await open();
    const { https } = server.application.ports;
    await page.getByRole('link', { name: `https://127.0.0.1:${https}/` }).waitFor();
    await page.getByText(certificate.fingerprint).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Load the certificate of the authority' }).click();
    const path = await (await download).path();
    expect(readFileSync(path, 'utf8')).toBe(readFileSync(`${folder}/tls/ca.crt`, 'utf8'));
  });

  it('is as it should be by HTTPS', async () => {
    const page = await open({ isSecure: true });
    await page.getByText('This page is encrypted.').waitFor();
    expect(await page.evaluate(() => isSecureContext)).toBe(true);
    expect(page.addresses.filter((address) => !/^(?:https|wss):/.test(address))).toEqual([]);
    expect(page.complaints).toEqual([]);
  });

  it('has settings that are kept', async () => {
    const clients = ['a', 'b'].map((id) => ScriptedClient.greet(server.port, id, { hostName: id }));
    const [a, b] = await Promise.all(clients);
    const known = server.application.registry.clients;
    await until(() => known.has('a') && known.has('b'));
    const { id } = known.get('a')!.group;
    await server.application.request('Group.SetClients', { id, clients: ['a', 'b'] });
    b!.close();
    const page = await open();
    await page.getByLabel('Players that are offline').selectOption('shown');
    await page.getByLabel('Motion').selectOption('none');
    await page.getByLabel('Colours').selectOption('dark');
    await page.getByLabel('Language').selectOption('Deutsch');
    await page.getByText('Was der Server braucht').waitFor();
    await page.goto(`http://127.0.0.1:${server.httpPort}/#/rooms`);
    await page.reload();
    await page.getByTitle('Mehr über b').waitFor();
    expect(await page.locator('html').getAttribute('class')).toBe('still');
    expect(await page.evaluate(() => document.documentElement.style.colorScheme)).toBe('dark');
    a!.close();
  });

  it('leads to the licences', async () => {
    const page = await open();
    await page.getByRole('link', { name: 'Licences of what is in it' }).click();
    await page.getByText('preact').first().waitFor();
  });

  it('has no fault of access, with all of it opened', async () => {
    for (const width of [320, 1280]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const viewport = { width, height: 800 };
        const page = await open({ colorScheme, viewport, bypassCSP: true });
        await page.getByText('Zerocast 0.1.0, Node.js').waitFor();
        await unfold(page);
        expect(await axeFaults(page), `${colorScheme} ${width}`).toEqual([]);
      }
    }
  });
});
