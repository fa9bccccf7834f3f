import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { ControlClient } from '../support/control-client.ts';
import {
  channelOf,
  decibels,
  type Heard,
  heardBy,
  levelOf,
  sine,
  wavePcm,
} from '../support/mix-rig.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';
import { browserIsMissing, launchBrowser, openPage, type WatchedPage } from './browser.ts';

const tone = (name: string) =>
  `stream.source=tone:///?name=${name}&codec=pcm&sampleformat=48000:16:2&freq=440&level=-6`;
/** Behind this name the page is not secure, as on any LAN. */
const plainHost = 'zerobox';

let browser: Browser;
let folder: string;
let server: TestServer;
let controller: ControlClient;
const players: ScriptedClient[] = [];
const pages: Page[] = [];

beforeAll(async () => {
  if (browserIsMissing) return;
  browser = await launchBrowser(
    `--host-resolver-rules=MAP ${plainHost} 127.0.0.1`,
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
  );
});
afterAll(() => browser?.close());

/** A mono file of 1 kHz at another rate than that of the streams. */
function soundFile(seconds: number): Buffer {
  const format = SampleFormat.parse('44100:16:1');
  const frames = seconds * format.rateHz;
  const pcm = wavePcm(format, { first: 0, frames, sample: sine(format.rateHz, 1000, 0.25) });
  return wavFile(pcm, { rateHz: format.rateHz, channels: 1 });
}

async function player(id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(server.port, id, { hostName: id });
  players.push(client);
  await client.until(() => client.chunks.length > 60, 'music');
  return client;
}

async function open(host = '127.0.0.1'): Promise<WatchedPage> {
  const page = await openPage(browser, `http://${host}:${server.httpPort}/#/announce`);
  pages.push(page);
  await page.getByRole('button', { name: 'Announce' }).waitFor();
  return page;
}

const statesOf = () =>
  controller.inbox.notifications('Announce.OnUpdate').map(({ params }) => String(params?.state));
const announced = () => until(() => statesOf().includes('done'), 'it was heard');

/** Amplitudes of a frequency, of each 50 ms, in decibels. */
function levelsOf({ pcm, format }: Heard, hz: number): readonly number[] {
  const samples = channelOf(pcm, format);
  const length = format.rateHz / 20;
  return Array.from({ length: Math.floor(samples.length / length) }, (_, index) =>
    decibels(levelOf(samples.subarray(index * length, (index + 1) * length), hz, format.rateHz)),
  );
}

/** The tone repeats each second: how many frames are not as they were in the first one. */
function changedFrames({ pcm, format }: Heard, from: number, to?: number): number {
  const samples = new Int32Array(pcm.buffer, pcm.byteOffset, pcm.length / 4);
  let changed = 0;
  const end = to ?? samples.length;
  for (let frame = from < 0 ? samples.length + from : from; frame < end; frame += 1) {
    if (samples[frame] !== samples[frame % format.rateHz]) changed += 1;
  }
  return changed;
}

describe.skipIf(browserIsMissing)('the page', () => {
  beforeEach(async () => {
    folder = makeScratchFolder();
    const dataFolder = join(folder, 'data');
    mkdirSync(dataFolder);
    await writeFile(join(folder, 'voice.wav'), soundFile(0.5));
    server = await TestServer.startWith(
      { dataFolder },
      tone('Radio'),
      tone('Jazz'),
      // A busy machine may be late.
      'stream.resync_tolerance=800',
      `announce.tts_command=/bin/cat ${join(folder, 'voice.wav')}`,
    );
    controller = await ControlClient.connect(server.controlPort);
    await controller.request('Announce.List');
  });

  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    for (const one of players.splice(0)) one.close();
    controller.close();
    await server.stop();
    removeScratchFolder(folder);
  });

  it('goes to those of the chosen rooms that are still there', async () => {
    await player('a');
    await player('b');
    const page = await open();
    await page.getByRole('radio', { name: 'Rooms' }).check();
    await page.getByRole('checkbox', { name: 'a', exact: true }).check();
    await page.getByRole('checkbox', { name: 'b', exact: true }).check();
    const { id } = server.application.registry.clients.get('a')!.group;
    await controller.request('Group.SetClients', { id, clients: ['a', 'b'] });
    await page.getByRole('checkbox', { name: 'b', exact: true }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Announce' }).click();
    await announced();
  });

  it('listens to the microphone no longer than that is seen', async () => {
    const page = await open();
    await page.getByRole('radio', { name: 'File or voice' }).check();
    await page.evaluate(() => {
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getUserMedia.bind(mediaDevices);
      const streams: MediaStream[] = [];
      Object.assign(globalThis, { streams });
      mediaDevices.getUserMedia = async (wish) => {
        await new Promise((resolve) => Object.assign(globalThis, { allow: resolve }));
        const stream = await ask(wish);
        streams.push(stream);
        return stream;
      };
    });
    const record = page.getByRole('button', { name: 'Record', exact: true });
    await record.click();
    await record.click();
    await page.getByRole('radio', { name: 'Chime' }).check();
    await page.evaluate(() => (globalThis as unknown as { allow(): void }).allow());
    const areActive = () =>
      page.evaluate(() => {
        const { streams } = globalThis as unknown as { streams: MediaStream[] };
        return streams.map(({ active }) => active);
      });
    await expect.poll(areActive).toEqual([false]);
  });

  it('announces a file to one room over plain HTTP: others hear the music, bit by bit', async () => {
    const a = await player('a');
    const b = await player('b');
    const page = await open(plainHost);
    expect(await page.evaluate(() => globalThis.isSecureContext)).toBe(false);
    await page.getByRole('radio', { name: 'File or voice' }).check();
    await page.getByText('Browsers record only on pages that come by HTTPS').waitFor();
    expect(await page.getByRole('button', { name: 'Record', exact: true }).count()).toBe(0);
    expect(await page.getByLabel('Open the recorder').getAttribute('capture')).not.toBeNull();
    const buffer = soundFile(2);
    await page
      .getByLabel('Choose a file')
      .setInputFiles({ name: 'bell.wav', mimeType: 'audio/wav', buffer });
    await page.getByText('bell.wav').waitFor();
    await page.getByRole('radio', { name: 'Rooms' }).check();
    await page.getByRole('checkbox', { name: 'a', exact: true }).check();
    await page.getByLabel('Music goes down to').fill('-18');
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.getByText(/heard in \d\.\d s/).waitFor();
    await page.getByText('Heard now').first().waitFor();
    await announced();
    await page.getByText('Done').first().waitFor();
    const count = a.chunks.length;
    await a.until(() => a.chunks.length > count + 60, 'the music after it');
    const [near, far] = [await heardBy(a), await heardBy(b)];
    for (const heard of [near, far]) expect([heard.gaps, heard.headers]).toEqual([[], 1]);
    const [sound, music] = [levelsOf(near, 1000), levelsOf(near, 440)];
    const during = sound.flatMap((level, index) => (level > -30 ? index : []));
    expect(during.length).toBeGreaterThanOrEqual(38);
    for (const index of during.slice(1, -1)) {
      expect(Math.abs(music[index]! + 6 + 18)).toBeLessThanOrEqual(1);
    }
    expect(changedFrames(near, -24_000)).toBe(0);
    expect(changedFrames(near, 0)).toBeGreaterThan(90_000);
    expect(changedFrames(far, 0)).toBe(0);
    expect(page.complaints).toEqual([]);
  });

  it('records a voice, lets it be heard, and announces it', async () => {
    await player('a');
    const page = await open();
    await page.getByRole('radio', { name: 'File or voice' }).check();
    await page.getByRole('button', { name: 'Record', exact: true }).click();
    await page.getByRole('button', { name: 'Stop after 1 s' }).click();
    await page.getByText(/^Recording · /).waitFor();
    await page.getByRole('button', { name: 'Listen to Recording here' }).click();
    await page.getByRole('button', { name: 'Stop Recording here' }).waitFor();
    await page.getByRole('button', { name: 'Announce' }).click();
    await announced();
    await page.getByText('not kept').waitFor();
    expect(page.complaints).toEqual([]);
  });

  it('keeps a sound in the library, plays it from there, and deletes it', async () => {
    await player('a');
    const page = await open();
    await page.getByRole('radio', { name: 'File or voice' }).check();
    const file = { name: 'Dinner.wav', mimeType: 'audio/wav', buffer: soundFile(0.4) };
    await page.getByLabel('Choose a file').setInputFiles(file);
    await page.getByText('Keep it in the library').click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('radio', { name: 'Dinner.wav' }).waitFor();
    await page.getByRole('button', { name: 'Listen to Dinner.wav here' }).click();
    await page.getByRole('button', { name: 'Stop Dinner.wav here' }).waitFor();
    await page.getByRole('button', { name: 'Announce' }).click();
    await announced();
    await page.getByRole('button', { name: 'Dinner.wav again: Everywhere' }).click();
    await until(() => statesOf().filter((state) => state === 'done').length === 2);
    await page.getByRole('radio', { name: 'File or voice' }).check();
    await page.getByLabel('Choose a file').setInputFiles(file);
    await page.getByText('Keep it in the library').click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').filter({ hasText: 'Dinner.wav' }).waitFor();
    await page.getByRole('radio', { name: 'Library' }).check();
    await page.getByRole('button', { name: 'Delete Dinner.wav' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Delete Dinner.wav' }).click();
    const clips = async () =>
      ((await controller.request('Clips.GetClips')) as { clips: readonly object[] }).clips;
    expect(await clips()).toHaveLength(1);
    await expect.poll(clips, { timeout: 10_000 }).toEqual([]);
    await page.getByText('The library is empty').waitFor();
  });

  it('speaks a text, and stops it', async () => {
    await player('a');
    const page = await open();
    await page.getByRole('radio', { name: 'Text' }).check();
    await page.getByLabel('What is to be said').fill('Dinner is ready');
    await page.getByText('More', { exact: true }).last().click();
    await page.getByLabel('How often').fill('9');
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.getByText('Heard now').first().waitFor();
    await page.getByRole('button', { name: 'Stop what is announced: Everywhere' }).click();
    await until(() => statesOf().includes('stopped'));
    await page.getByText('Stopped').first().waitFor();
    await page.getByText('Dinner is ready').waitFor();
  });

  it('says what is wrong at its field, before and after it was sent', async () => {
    const page = await open();
    const card = (legend: string) => page.getByRole('group', { name: legend, exact: true });
    await page.getByRole('button', { name: 'Announce' }).click();
    await card('Where').getByRole('alert').getByText('None of the targets is connected').waitFor();
    await player('a');
    await page.getByText('More', { exact: true }).last().click();
    await page.getByLabel('How often').fill('11');
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.locator('.field', { hasText: 'How often' }).getByRole('alert').waitFor();
    await page.getByRole('radio', { name: 'Rooms' }).check();
    await page.getByRole('button', { name: 'Announce' }).click();
    await card('Where').getByText('Choose where it is to be heard').waitFor();
    await page.getByRole('radio', { name: 'File or voice' }).check();
    await page.getByRole('button', { name: 'Announce' }).click();
    await card('What').getByText('Choose what is to be heard').waitFor();
    const choose = (buffer: Buffer) =>
      page
        .getByLabel('Choose a file')
        .setInputFiles({ name: 'file.wav', mimeType: 'audio/wav', buffer });
    const tooLong = card('What').getByText('This is longer than the server allows');
    await choose(soundFile(121));
    await tooLong.waitFor();
    await choose(Buffer.from('this is no sound'));
    await card('What').getByText('This browser cannot read this as a sound').waitFor();
    // What is much too long is not even decoded.
    await page.evaluate(() => {
      BaseAudioContext.prototype.decodeAudioData = () => Promise.reject(new Error());
    });
    await choose(wavFile(Buffer.alloc(2 * 8000 * 300), { rateHz: 8000, channels: 1 }));
    await tooLong.waitFor();
    expect(statesOf()).toEqual([]);
  });

  it('saves, applies, undoes, renames, replaces and deletes a scene', async () => {
    await player('a');
    await player('b');
    const clientOf = (id: string) => server.application.registry.clients.get(id)!;
    const page = await openPage(browser, `http://127.0.0.1:${server.httpPort}/#/rooms`);
    pages.push(page);
    await page.getByRole('button', { name: 'Scenes…' }).click();
    await page.getByLabel('Save the present state as').fill('<b>Evening</b>');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('button', { name: 'Apply <b>Evening</b>' }).waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    const id = clientOf('a').group.id;
    await controller.request('Group.SetClients', { id, clients: ['a', 'b'] });
    await controller.request('Group.SetStream', { id, stream_id: 'Jazz' });
    await controller.request('Client.SetVolume', { id: 'a', volume: { percent: 7, muted: true } });
    await page.getByRole('button', { name: '<b>Evening</b>', exact: true }).click();
    await until(() => clientOf('a').group !== clientOf('b').group);
    expect(clientOf('a')).toMatchObject({ volume: 100, isMuted: false });
    expect(clientOf('a').group.streamId).toBe('Radio');
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await until(() => clientOf('a').group === clientOf('b').group);
    expect(clientOf('a')).toMatchObject({ volume: 7, isMuted: true });
    expect(clientOf('a').group.streamId).toBe('Jazz');
    await page.getByRole('button', { name: 'Scenes…' }).click();
    await page.getByLabel('Save the present state as').fill('<b>Evening</b>');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('There is a scene <b>Evening</b> already').waitFor();
    await page.getByRole('button', { name: 'Replace it' }).click();
    await page.getByText('1 room · Jazz').waitFor();
    await page.getByRole('button', { name: 'Rename <b>Evening</b>' }).click();
    await page.getByLabel('New name').fill('Party');
    await page.getByRole('button', { name: 'Save' }).last().click();
    await page.getByRole('button', { name: 'Delete Party' }).click();
    await page.getByText('A scene keeps who plays what').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await page.getByRole('button', { name: 'Party', exact: true }).waitFor();
    expect(await page.locator('main b').count()).toBe(0);
    expect(page.complaints).toEqual([]);
  });
});
