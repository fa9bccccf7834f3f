/**
 * Writes pictures of each place of the page, in light and dark, on a phone and on a desk:
 * node --import tsx test/web/screenshots.ts FOLDER. Needs Chromium, and the page as it is built.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { createServer } from '../../src/index.ts';
import { sine, wavePcm } from '../support/mix-rig.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { ScriptedClient } from '../support/scripted-client.ts';

const folder = process.argv[2] ?? 'build/screenshots';
const rooms: readonly (readonly string[])[] = [
  ['Kitchen', 'Living room', 'Dining room'],
  ['Bath'],
  ['Bedroom', 'Balcony'],
];
const looks = {
  phone: { width: 375, height: 812 },
  desk: { width: 1280, height: 800 },
};

/** Something to see: chords that go up and down, and fade. */
const music = join(mkdtempSync(join(tmpdir(), 'zerocast-shots-')), 'music.pcm');
const samples = new Int16Array(2 * 10 * 48_000);
for (let frame = 0; frame < samples.length / 2; frame += 1) {
  const seconds = frame / 48_000;
  const beat = seconds % 0.5;
  const root = 110 * 2 ** (([0, 5, 7, 3, 10, 12, 8, 5][Math.floor(seconds)] ?? 0) / 12);
  let sum = 0;
  for (const [part, loud] of [0.3, 0.25, 0.2, 0.12, 0.08, 0.06, 0.04, 0.03].entries()) {
    sum += loud * Math.sin(2 * Math.PI * root * (part + 1) * seconds);
  }
  const drum = 0.25 * Math.exp(-40 * beat) * Math.sin(frame * frame * 0.37);
  const value = sum * (0.35 + 0.65 * Math.exp(-4 * beat)) + drum;
  samples[2 * frame] = Math.round(20_000 * value);
  samples[2 * frame + 1] = Math.round(16_000 * value);
}
writeFileSync(music, samples);

const server = createServer({
  stream: {
    codec: 'flac',
    source: [
      `file://${music}?name=Radio`,
      'tone:///?name=Jazz&frequency=220',
      'pipe:///tmp/none?name=Phone',
    ],
  },
  tcpStreaming: { port: 0 },
  tcpControl: { port: 0 },
  http: { port: 0 },
});
await server.listen();
const { streaming, http } = server.ports as { streaming: number; http: number };
const players: ScriptedClient[] = [];
for (const names of rooms) {
  for (const name of names) {
    players.push(await ScriptedClient.greet(streaming, name, { hostName: name }));
  }
}
// All but one, which says nothing any more.
const asking = setInterval(() => {
  for (const player of players.slice(1)) player.requestTime(7);
}, 1000);
await new Promise((resolve) => setTimeout(resolve, 500));
for (const [first, ...others] of rooms) {
  const { server: status } = (await server.request('Server.GetStatus')) as {
    server: { groups: { id: string; clients: { id: string }[] }[] };
  };
  const group = status.groups.find(({ clients }) => clients.some(({ id }) => id === first));
  if (!group) continue;
  await server.request('Group.SetClients', { id: group.id, clients: [first, ...others] });
  if (first === 'Kitchen')
    await server.request('Group.SetName', { id: group.id, name: 'Downstairs' });
  if (first === 'Bath')
    await server.request('Group.SetStream', { id: group.id, stream_id: 'Jazz' });
}
let percent = 20;
for (const name of rooms.flat()) {
  await server.request('Client.SetVolume', {
    id: name,
    volume: { percent, muted: name === 'Bath' },
  });
  percent += 13;
}
players.at(-1)?.close();

for (const name of ['Evening', 'Party', 'Good night']) {
  await server.request('Scene.Save', { name });
}
const format = SampleFormat.parse('48000:16:1');
const swell = (frame: number) => sine(48_000, 700, 0.4)(frame) * Math.sin(frame / 9000) ** 2;
const voice = wavFile(wavePcm(format, { first: 0, frames: 150_000, sample: swell }), {
  rateHz: 48_000,
  channels: 1,
});

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
for (const [look, viewport] of Object.entries(looks)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 2 });
    const page = await context.newPage();
    page.on('console', (message) => console.log(message.type(), message.text()));
    page.on('pageerror', (error) => console.log(error));
    for (const place of ['rooms', 'streams', 'announce', 'more']) {
      await page.goto(`http://127.0.0.1:${http}/#/${place}`);
      // Levels come by and by.
      await page.waitForTimeout(place === 'streams' ? 6000 : 400);
      await page.screenshot({ path: join(folder, `${place}-${look}-${colorScheme}.png`) });
    }
    await page.screenshot({
      path: join(folder, `more-all-${look}-${colorScheme}.png`),
      fullPage: true,
    });
    await page.goto(`http://127.0.0.1:${http}/#/rooms`);
    await page.getByRole('button', { name: 'Listen here' }).click();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(folder, `named-${look}-${colorScheme}.png`) });
    await page.getByRole('button', { name: 'Close' }).click();
    await page.screenshot({ path: join(folder, `listen-${look}-${colorScheme}.png`) });
    await page.getByRole('link', { name: 'Show all of listening here' }).click();
    await page.waitForTimeout(5000);
    await page.screenshot({ path: join(folder, `listen-screen-${look}-${colorScheme}.png`) });
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Align this browser' }).click();
    await page.screenshot({ path: join(folder, `align-${look}-${colorScheme}.png`) });
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByTitle('More about Living room').click();
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(folder, `client-${look}-${colorScheme}.png`) });
    await page.getByRole('button', { name: 'Radio' }).first().click();
    await page.screenshot({ path: join(folder, `group-${look}-${colorScheme}.png`) });
    await page.keyboard.press('Escape');
    await page.goto(`http://127.0.0.1:${http}/#/rooms`);
    await page.getByRole('button', { name: 'Scenes…' }).click();
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(folder, `scenes-${look}-${colorScheme}.png`) });
    await page.keyboard.press('Escape');
    await page.goto(`http://127.0.0.1:${http}/#/announce`);
    await page.getByRole('radio', { name: 'File or voice' }).check();
    await page
      .getByLabel('Choose a file')
      .setInputFiles({ name: 'Dinner.wav', mimeType: 'audio/wav', buffer: voice });
    await page.getByRole('radio', { name: 'Rooms' }).check();
    await page.getByRole('checkbox', { name: 'Bath' }).check();
    await page.getByText('More', { exact: true }).last().click();
    await page.screenshot({ path: join(folder, `file-${look}-${colorScheme}.png`) });
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.getByText('Heard now').first().waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(folder, `heard-${look}-${colorScheme}.png`) });
    await page.goto(`http://127.0.0.1:${http}/#/rooms?view=compact`);
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(folder, `compact-${look}-${colorScheme}.png`) });
    await page.keyboard.press('Escape');
    await page.goto(`http://127.0.0.1:${http}/#/sync`);
    await page.getByText('1 player has a fault').waitFor();
    await page.waitForTimeout(6000);
    await page.screenshot({ path: join(folder, `sync-${look}-${colorScheme}.png`) });
    await page.screenshot({
      path: join(folder, `sync-all-${look}-${colorScheme}.png`),
      fullPage: true,
    });
    await page.getByRole('button', { name: /Kitchen/ }).click();
    await page.waitForTimeout(2500);
    await page.screenshot({ path: join(folder, `evidence-${look}-${colorScheme}.png`) });
    await page.keyboard.press('Escape');
    await page.goto(`http://127.0.0.1:${http}/#/streams`);
    await page.getByRole('button', { name: 'Add a stream' }).click();
    await page.screenshot({ path: join(folder, `add-${look}-${colorScheme}.png`) });
    await context.close();
  }
}
await server.close();
const locked = createServer({
  stream: { source: ['tone:///?name=Radio'] },
  tcpStreaming: { port: 0 },
  tcpControl: { port: 0 },
  http: { port: 0 },
  authorization: { enabled: true, role: ['look:Server.GetStatus'], user: ['gus:secret:look'] },
});
await locked.listen();
for (const [look, viewport] of Object.entries(looks)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 2 });
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${locked.ports.http}/#/streams`);
    await page.getByLabel('User').fill('gus');
    await page.screenshot({ path: join(folder, `login-${look}-${colorScheme}.png`) });
    await page.getByLabel('Password').fill('secret');
    await page.keyboard.press('Enter');
    await page.getByText('Radio').first().waitFor();
    await page.screenshot({ path: join(folder, `forbidden-${look}-${colorScheme}.png`) });
    await context.close();
  }
}
await locked.close();
await browser.close();
clearInterval(asking);
for (const player of players) player.close();
rmSync(dirname(music), { recursive: true });
