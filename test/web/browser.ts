import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const program = '/usr/bin/chromium';

/** Why no browser can be used here; it has to be there where all tests must run. */
export const browserIsMissing = !existsSync(program) && process.env.CI !== 'true';

export function launchBrowser(...args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: program, args: ['--no-sandbox', ...args] });
}

/** A page that remembers what it complains about. */
export interface WatchedPage extends Page {
  readonly complaints: string[];
  /** Addresses that it has asked for. */
  readonly addresses: string[];
  /** Methods that it has called, with their parameters. */
  readonly calls: { readonly method: string; readonly params: object }[];
}

export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ reducedMotion: 'reduce', locale: 'en', ...options });
  const page = Object.assign(await context.newPage(), {
    complaints: [],
    addresses: [],
    calls: [],
  }) as WatchedPage;
  page.on('console', (message) => {
    if (message.type() !== 'log') page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('request', (request) => page.addresses.push(request.url()));
  page.on('websocket', (socket) => {
    page.addresses.push(socket.url());
    socket.on('framesent', ({ payload }) => {
      if (typeof payload === 'string') page.calls.push(JSON.parse(payload));
    });
  });
  await page.goto(address);
  return page;
}
