import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageType } from '../../../src/protocol/layout.ts';
import { decodeWireChunk } from '../../../src/protocol/messages.ts';
import { ControlClient } from '../../support/control-client.ts';
import { FakePlayer } from '../../support/fake-player.ts';
import { songItems } from '../../support/metadata-items.ts';
import { numberedBytes } from '../../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { ScriptedClient } from '../../support/scripted-client.ts';
import { Snapserver, snapserverIsMissing } from '../../support/snapserver.ts';
import { TestServer } from '../../support/test-server.ts';
import { until } from '../../support/waiting.ts';

// What the original makes of an address of a player, and what ours makes of it.

let folder: string;
let theirs: Snapserver | undefined;
let ours: TestServer | undefined;

beforeEach(() => {
  folder = makeScratchFolder();
  writeFileSync(join(folder, 'audio'), numberedBytes(400_000));
  writeFileSync(join(folder, 'items'), songItems('A title', 'Someone', 'An album'));
});

afterEach(async () => {
  await theirs?.kill();
  await ours?.stop();
  theirs = undefined;
  ours = undefined;
  removeScratchFolder(folder);
});

/** Plays until its output is closed, and makes its metadata pipe where there is none. */
const body = `if [ -n "$pipe" ]; then
  [ -p "$pipe" ] || mkfifo "$pipe"
  cat "$D/items" > "$pipe" &
fi
while cat "$D/audio"; do :; done`;

async function startBoth(address: (player: FakePlayer) => string) {
  const players = ['theirs', 'ours'].map((name) => new FakePlayer(folder, name, body));
  const [their, our] = players as [FakePlayer, FakePlayer];
  theirs = await Snapserver.start([address(their)], ['codec = pcm']);
  ours = await TestServer.start('stream.codec=pcm', `stream.source=${address(our)}`);
  await until(() => players.every(({ starts }) => starts === 1), 'both programs run');
  return { their: their.arguments(), our: our.arguments() };
}

/** Words in an order that does not count, without what each server adds for itself. */
function comparable(words: readonly string[]): readonly string[] {
  const own = /^--(?:onevent|use-stderr|metadata-pipename=.*|verbose)$|^\/bin\/sh /;
  const joined = words.join('\0').replace('--password\0', '--password=').split('\0');
  return joined.filter((word) => !own.test(word)).sort();
}

/** Some of what a player hears. */
async function heardFrom(port: number): Promise<Buffer> {
  const client = await ScriptedClient.greet(port, 'listener');
  const chunks = await client.untilCount(messageType.wireChunk, 40);
  client.close();
  return Buffer.concat(chunks.slice(-10).map(({ body }) => decodeWireChunk(body).payload));
}

async function expectSameSound(): Promise<void> {
  const audio = Buffer.concat([numberedBytes(400_000), numberedBytes(400_000)]);
  for (const port of [theirs?.streamPort ?? 0, ours?.port ?? 0]) {
    const heard = await heardFrom(port);
    expect(heard.length).toBeGreaterThan(10_000);
    expect(audio.includes(heard)).toBe(true);
  }
}

/** What controllers are told, as soon as there is something. */
async function metadataOf(port: number): Promise<unknown> {
  const controller = await ControlClient.connect(port);
  try {
    for (let looks = 0; looks < 200; looks += 1) {
      const { streams } = await controller.status();
      const { metadata } = Object(streams[0]).properties ?? {};
      if (metadata) return metadata;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return undefined;
  } finally {
    controller.close();
  }
}

describe.skipIf(snapserverIsMissing)('the programs of players', () => {
  it('are given by a librespot address what the original gives, and heard as there', async () => {
    const { their, our } = await startBoth(
      ({ path }) =>
        `librespot://${path}?name=Spotify&devicename=Tom's room&bitrate=160&volume=40&cache=${folder}` +
        '&disable_audio_cache=true&normalize=true&autoplay=true&params=--device-type avr',
    );
    expect(our.slice(0, 2)).toEqual(their.slice(0, 2));
    // Since 0.5 librespot wants a value for it.
    expect(comparable(our).filter((word) => word !== 'on')).toEqual(comparable(their));
    expect([their.includes('--verbose'), our.includes('--verbose')]).toEqual([true, true]);
    await expectSameSound();
  });

  it('are given by an airplay address what the original gives, and tell the same', async () => {
    const { their, our } = await startBoth(
      ({ path }) =>
        `airplay://${path}?name=Air&devicename=Tom's room&port=5005&password=word&params=-v --statistics`,
    );
    expect(comparable(our)).toEqual(comparable(their));
    await expectSameSound();
    const expected = { title: 'A title', album: 'An album' };
    expect(await metadataOf(theirs?.controlPort ?? 0)).toMatchObject(expected);
    const ofOurs = await metadataOf(ours?.controlPort ?? 0);
    expect(ofOurs).toEqual({ ...expected, artist: ['Someone'] });
  });
});
