import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AirplayMetadata } from '../../../../src/audio/sources/airplay-metadata.ts';
import { MetadataItems } from '../../../../src/audio/sources/metadata-items.ts';
import type { CoverKeeper } from '../../../../src/audio/sources/stream-source.ts';
import { noProperties, type StreamProperties } from '../../../../src/audio/stream-properties.ts';
import { FakePlayer } from '../../../support/fake-player.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { coverItems, metadataItem, songItems } from '../../../support/metadata-items.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { until } from '../../../support/waiting.ts';

const folder = scratchFolder();
const running: SourceHarness[] = [];
let count = 0;

afterEach(async () => {
  await Promise.all(running.splice(0).map((harness) => harness.source.stop()));
});
afterAll(() => folder.remove());

function fake(body = 'sleep 60'): FakePlayer {
  count += 1;
  return new FakePlayer(folder.path, `shairport-${count}`, body);
}

async function open(player: FakePlayer, query: string) {
  const harness = await SourceHarness.open(`airplay://${player.path}?${query}`);
  running.push(harness);
  return harness.start();
}

const jpeg = Buffer.from('ffd8ffe000104a46494600', 'hex');
const png = Buffer.from('89504e470d0a1a0a00', 'hex');

describe('an airplay source', () => {
  it.each([
    ['name=Kitchen', ['--name=Kitchen', '--output=stdout', '--get-coverart', '--port=5000']],
    [
      'name=A&devicename=Tom\'s "big" room&port=7000&password=a b%26"c&params=-v --mdns "a b" -- -x',
      [
        ...['--name=Tom\'s "big" room', '--output=stdout', '--get-coverart', '--password=a b&"c'],
        ...['-v', '--mdns', 'a b', '--port=7000', '--', '-x'],
      ],
    ],
  ])('gives its program, for %s, the right arguments', async (query, expected) => {
    const player = fake();
    await open(player, query);
    await until(() => player.starts === 1, 'it runs');
    const words = player.arguments();
    const pipe = `--metadata-pipename=${player.option('--metadata-pipename')}`;
    expect(words[words.findIndex((word) => word.startsWith('--port=')) - 1]).toBe(pipe);
    expect(words.filter((word) => word !== pipe)).toEqual(expected);
  });

  it.each([
    ['port=x', 'port=x cannot be used: write a whole number from 0 to 65535'],
    ['params="open', 'is not closed'],
  ])('refuses %s', async (query, message) => {
    await expect(SourceHarness.open(`airplay://${fake().path}?name=A&${query}`)).rejects.toThrow(
      message,
    );
  });

  it('says how to get the program', async () => {
    mkdirSync(`${folder.path}/empty`, { recursive: true });
    const path = process.env.PATH;
    process.env.PATH = `${folder.path}/empty`;
    try {
      const opening = SourceHarness.open('airplay:///nowhere/shairport?name=A');
      // The usual one may be installed.
      if (existsSync('/usr/bin/shairport-sync')) await (await opening).source.stop();
      else await expect(opening).rejects.toThrow('shairport-sync not found');
    } finally {
      process.env.PATH = path;
    }
  });

  it('plays what the program writes, at 44100:16:2, and logs what it says', async () => {
    const harness = await open(fake('echo hello >&2; printf 12345678; sleep 60'), 'name=A');
    expect((await harness.read(8)).toString()).toBe('12345678');
    expect(String(harness.source.format)).toBe('44100:16:2');
    await until(() => harness.logged('program says').length === 1, 'it is logged');
    expect(harness.logged('program says')[0]).toMatchObject({
      level: 'info',
      fields: { line: 'hello' },
    });
  });

  it('reads the metadata pipe, which its own user alone can open, and takes it away at the end', async () => {
    const player = fake(`
{ item ssnc pbeg ''; item ssnc mdst 1; item core minm 'A song'; item core asar 'Someone'
  item ssnc mden 1; } > "$pipe"
sleep 60`);
    const harness = await open(player, 'name=A');
    await until(() => harness.told.length === 2, 'the song is known');
    expect(harness.told.at(-1)).toEqual({
      ...noProperties,
      playbackStatus: 'playing',
      metadata: { title: 'A song', artist: ['Someone'] },
    });
    const pipe = player.option('--metadata-pipename') ?? '';
    expect([statSync(pipe).isFIFO(), statSync(pipe).mode & 0o777]).toEqual([true, 0o600]);
    expect(statSync(dirname(pipe)).mode & 0o777).toBe(0o700);
    await harness.source.stop();
    expect(existsSync(dirname(pipe))).toBe(false);
  });

  it('has a pipe and nothing to tell anew for each start', async () => {
    const player = fake(`item ssnc pbeg '' > "$pipe"; [ $starts != 1 ] || exit 3; sleep 60`);
    const harness = await open(player, 'name=A');
    await until(() => player.starts === 2 && harness.told.length === 3, 'it runs again');
    expect(harness.told[1]).toEqual(noProperties);
    const pipes = [1, 2].map((start) => player.option('--metadata-pipename', start) ?? '');
    expect(pipes.map(existsSync)).toEqual([false, true]);
  });

  it('tries the next port while another instance has one', async () => {
    const player = fake(`
[ $starts -gt 2 ] || { echo "fatal error: 5. Is another instance of Shairport Sync running on this device?" >&2; exit 1; }
sleep 60`);
    const harness = await open(player, 'name=A&port=5100');
    await until(() => player.starts === 3, 'it has found a port');
    const ports = [1, 2, 3].map((start) => player.option('--port', start));
    expect(ports).toEqual(['5100', '5101', '5102']);
    expect(harness.logged('program ended')[0]?.fields.hint).toContain('tries the next one');
  });

  it.each([
    ['Invalid audio output specified!', 'take one with the backend stdout'],
    ['Could not establish mDNS advertisement!', 'start avahi-daemon'],
  ])('says what to do about "%s"', async (line, hint) => {
    const harness = await open(
      fake(`echo 'fatal error: ${line}' >&2; echo bye >&2; exit 1`),
      'name=A',
    );
    await until(() => harness.logged('program ended').length > 0, 'it ended');
    expect(harness.logged('program ended')[0]?.fields).toMatchObject({
      lastLine: 'bye',
      hint: expect.stringContaining(hint),
    });
  });
});

describe('what an AirPlay session tells', () => {
  let told: StreamProperties[];
  let kept: string[];
  let metadata: AirplayMetadata;
  let items: MetadataItems;
  const covers: CoverKeeper = {
    keep: ({ bytes, extension }) => {
      kept.push(extension);
      return `http://here/${bytes.length}.${extension}`;
    },
    forget: () => void kept.push('forgotten'),
  };
  beforeEach(() => {
    told = [];
    kept = [];
    metadata = new AirplayMetadata({ tell: (properties) => void told.push(properties), covers });
    items = new MetadataItems((item) => metadata.take(item));
  });

  const ssnc = (code: string, data = '') => items.write(metadataItem('ssnc', code, data));

  it('is told when a set is whole, and again when something has changed only', () => {
    const song = songItems('Title', 'Artist', 'Album');
    items.write(song.subarray(0, -20));
    expect(told).toEqual([]);
    items.write(song.subarray(-20));
    items.write(song);
    expect(told).toEqual([
      { ...noProperties, metadata: { title: 'Title', artist: ['Artist'], album: 'Album' } },
    ]);
    items.write(songItems('Next', '', ''));
    expect(told.at(-1)?.metadata).toEqual({ title: 'Next' });
  });

  it('has genre, composer and duration', () => {
    const ms = Buffer.alloc(4);
    ms.writeUInt32BE(215_500);
    items.write(metadataItem('core', 'asgn', 'Jazz'));
    items.write(metadataItem('core', 'ascp', 'Someone'));
    items.write(metadataItem('core', 'astm', ms));
    ssnc('mden');
    expect(told[0]?.metadata).toEqual({ genre: ['Jazz'], composer: ['Someone'], duration: 215.5 });
  });

  it('has a cover of the type that it is, in any order with the text', () => {
    items.write(coverItems(jpeg));
    items.write(songItems('T', 'A', 'B'));
    expect(told.map((one) => one.metadata?.artUrl)).toEqual([
      `http://here/11.jpg`,
      'http://here/11.jpg',
    ]);
    items.write(coverItems(png));
    expect(told.at(-1)?.metadata).toMatchObject({ title: 'T', artUrl: 'http://here/9.png' });
    items.write(coverItems(Buffer.from('neither')));
    expect(kept).toEqual(['jpg', 'png', 'bin']);
  });

  it('loses its cover with an empty picture, and gets it back', () => {
    items.write(songItems('T', 'A', 'B'));
    items.write(coverItems(jpeg));
    items.write(coverItems(Buffer.alloc(0)));
    expect(told.at(-1)?.metadata).not.toHaveProperty('artUrl');
    items.write(coverItems(jpeg));
    expect(told.at(-1)?.metadata?.artUrl).toBe('http://here/11.jpg');
    expect(kept).toEqual(['jpg', 'forgotten', 'jpg']);
  });

  it('plays, pauses, goes on and stops', () => {
    for (const code of ['pbeg', 'pfls', 'prsm', 'pend', 'pend']) ssnc(code);
    expect(told.map(({ playbackStatus }) => playbackStatus)).toEqual([
      ...['playing', 'paused', 'playing', 'stopped'],
    ]);
  });

  it.each([
    ['44100/88200/441000', 1, 9],
    ['4294923196/44100/132300', 2.000_02, 4.000_02],
    ['1000/500/44100', undefined, undefined],
    ['1/2', undefined, undefined],
    ['a/b/c', undefined, undefined],
  ])('has, at %s, a position and a duration', (progress, position, duration) => {
    ssnc('prgr', progress);
    if (position === undefined) {
      expect(told[0]?.position ?? 0).toBeLessThanOrEqual(
        (told[0]?.metadata?.duration as number) ?? 0,
      );
      return;
    }
    expect(told[0]?.position).toBeCloseTo(position, 4);
    expect(told[0]?.metadata?.duration).toBeCloseTo(Number(duration), 4);
  });

  it.each([
    ['-15.00,-20.00,-60.00,0.00', 50, false],
    ['0.00,0.00,-60.00,0.00', 100, false],
    ['-144.00,-60.00,-60.00,0.00', 0, true],
    ['-60,0,0,0', 0, false],
  ])('has, at %s, a volume', (text, volume, mute) => {
    ssnc('pvol', text);
    expect(told).toEqual([{ ...noProperties, volume, mute }]);
  });

  it('is nothing when there is nothing in it that counts', () => {
    ssnc('pvol', 'loud');
    ssnc('pvol', '');
    ssnc('snam', 'phone');
    items.write(metadataItem('core', 'mper', 'x'));
    items.write(metadataItem('else', 'pbeg'));
    expect(told).toEqual([]);
  });

  it('is over at the end', () => {
    items.write(coverItems(jpeg));
    metadata.close();
    expect([told.at(-1), kept.at(-1)]).toEqual([noProperties, 'forgotten']);
  });
});
