import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LibrespotEvents } from '../../../../src/audio/sources/librespot-events.ts';
import { noProperties, type StreamProperties } from '../../../../src/audio/stream-properties.ts';
import { FakePlayer } from '../../../support/fake-player.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { numberedBytes } from '../../../support/pcm-fixtures.ts';
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
  return new FakePlayer(folder.path, `librespot-${count}`, body);
}

async function open(player: FakePlayer, query: string, scheme = 'librespot') {
  const harness = await SourceHarness.open(`${scheme}://${player.path}?${query}`);
  running.push(harness);
  return harness.start();
}

/** What the program is given, without the hook, whose folder is another one each time. */
async function argumentsFor(query: string, scheme?: string): Promise<readonly string[]> {
  const player = fake();
  await open(player, query, scheme);
  await until(() => player.starts === 1, 'it runs');
  const words = player.arguments();
  const hook = words.indexOf('--onevent');
  expect(words[hook + 1]).toMatch(/^\/bin\/sh \S+$/);
  return words.filter((_, at) => at !== hook && at !== hook + 1);
}

const usual = ['--bitrate', '320', '--backend', 'pipe', '--initial-volume', '100'];

describe('the parameters of a librespot source', () => {
  it.each([
    ['name=Kitchen', ['--name', 'Kitchen', ...usual, '--verbose']],
    ['name=A&devicename=Tom\'s "big" room', ['--name', 'Tom\'s "big" room', ...usual, '--verbose']],
    [
      'name=A&bitrate=96&volume=33.4',
      [
        '--name',
        'A',
        '--bitrate',
        '96',
        '--backend',
        'pipe',
        '--initial-volume',
        '33',
        '--verbose',
      ],
    ],
    [
      'name=A&cache=/var/cache/a b&disable_audio_cache=true&normalize=yes&autoplay=1',
      [
        ...['--name', 'A', ...usual, '--cache', '/var/cache/a b', '--disable-audio-cache'],
        ...['--enable-volume-normalisation', '--autoplay', 'on', '--verbose'],
      ],
    ],
    [
      'name=A&normalize=false&disable_audio_cache=false&autoplay=false&params=--device-type "avr x"',
      ['--device-type', 'avr x', '--name', 'A', ...usual, '--verbose'],
    ],
  ])('%s become its arguments', async (query, expected) => {
    expect(await argumentsFor(query)).toEqual(expected);
  });

  it('mean the same for spotify', async () => {
    expect(await argumentsFor('name=A', 'spotify')).toEqual(await argumentsFor('name=A'));
  });

  it.each([
    ['username=me&password=geheim', /takes no user name and password any more.*cache=DIR/],
    ['password=geheim', /takes no user name and password any more/],
    ['bitrate=128', /bitrate=128 cannot be used: write 320 or 160 or 96/],
    ['params=-v -o /x', /write onevent=PROGRAM/],
    ['params=--onevent /x', /--onevent \(-o\) in params .*write onevent=PROGRAM/],
    ['params=--onevent=/x', /write onevent=PROGRAM/],
    ['params="open', /is not closed/],
  ])('refuse %s and say what to write', async (query, message) => {
    const opening = SourceHarness.open(`librespot://${fake().path}?name=A&${query}`);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.not.toThrow('geheim');
  });

  it.each([
    [
      'killall=true',
      'killall=true has no effect: it would end programs that are not of this server',
    ],
    ['volume=200', 'volume=200 is taken as 100'],
  ])('%s is told and not done', async (query, reason) => {
    const player = fake();
    const harness = await open(player, `name=A&${query}`);
    expect(String(harness.source.format)).toBe('44100:16:2');
    expect(harness.logged('stream address is not as it should be')).toMatchObject([
      { level: 'warn', fields: { reason: expect.stringContaining(reason) } },
    ]);
    await until(() => player.starts === 1, 'it runs');
  });

  it('killall=false is nothing to speak of', async () => {
    expect((await open(fake(), 'name=A&killall=false')).records).toEqual([]);
  });

  it('name a program that is looked for in PATH when it is not there', async () => {
    await expect(SourceHarness.open('librespot:///nowhere/spot?name=A')).rejects.toThrow(
      'librespot not found at /nowhere/spot: install it, or write its path as in librespot:///usr/local/bin/librespot',
    );
    const { source } = await SourceHarness.open('librespot:///nowhere/sleep?name=A');
    await source.stop();
  });
});

describe('a librespot source', () => {
  it('plays what the program writes, at 44100:16:2', async () => {
    const harness = await open(fake('printf 12345678; sleep 60'), 'name=A&sampleformat=48000:16:2');
    expect((await harness.read(8)).toString()).toBe('12345678');
  });

  it('puts lines into the log as severe as the program says, with what follows them', async () => {
    const body = `cat >&2 <<'END'
starting
[2024-09-01T10:00:00Z INFO  librespot::playback] loaded
[2024-09-01T10:00:00Z DEBUG librespot::event] Running with:
{ "NAME": "x" }
[2024-09-01T10:00:00Z ERROR librespot_core] no [net] here
END
sleep 60`;
    const harness = await open(fake(body), 'name=A');
    await until(() => harness.logged('program says').length === 5, 'all is logged');
    const said = harness.logged('program says').map(({ level, fields }) => [level, fields]);
    const stream = 'A';
    expect(said).toEqual([
      ['info', { stream, line: 'starting' }],
      ['info', { stream, module: 'librespot::playback', line: 'loaded' }],
      ['debug', { stream, module: 'librespot::event', line: 'Running with:' }],
      ['debug', { stream, module: 'librespot::event', line: '{ "NAME": "x" }' }],
      ['error', { stream, module: 'librespot_core', line: 'no [net] here' }],
    ]);
  });

  it('says why a program ended, and what to do', async () => {
    const why =
      'Discovery is unavailable and no credentials provided. Authentication is not possible.';
    const harness = await open(
      fake(`printf 1234; echo '[t ERROR l] ${why}' >&2; exit 1`),
      'name=A',
    );
    await until(() => harness.logged('program ended').length > 0, 'it ended');
    expect(harness.logged('program ended')[0]?.fields).toMatchObject({
      code: 1,
      lastLine: expect.stringContaining(why),
      hint: expect.stringContaining('use the network of the host'),
    });
  });

  it('ends a program that says nothing for wd_timeout, and starts it again', async () => {
    const player = fake('echo here >&2; sleep 60');
    const harness = await open(player, 'name=A&wd_timeout=0.3');
    await until(() => player.starts === 2, 'it runs again');
    expect(harness.logged('program is silent and is ended')[0]?.fields.watchdogMs).toBe(300);
  });

  it('knows a title from the log, until an event tells more', async () => {
    const line = '[t INFO librespot] <Ta <b> ke> (310573 ms) loaded';
    const body = `echo '${line}' >&2
while [ ! -e "$D/go" ]; do sleep 0.02; done
event PLAYER_EVENT=track_changed TRACK_ID=1 NAME=Told DURATION_MS=1000
echo '${line}' >&2
echo done >&2; sleep 60`;
    const harness = await open(fake(body), 'name=A');
    await until(() => harness.told.length === 1, 'the title is known');
    expect(harness.told[0]).toEqual({
      ...noProperties,
      metadata: { title: 'Ta <b> ke', duration: 310.573 },
    });
    new FakePlayer(folder.path, 'go', '');
    await until(() => harness.told.length === 2, 'the event is known');
    await until(() => harness.records.some(({ fields }) => fields.line === 'done'), 'it went on');
    expect(harness.told.at(-1)?.metadata).toEqual({ title: 'Told', duration: 1 });
  });

  it('tells all that the hook is told, whatever characters are in it', async () => {
    const body = `event PLAYER_EVENT=track_changed TRACK_ID=4uL URI=spotify:track:4uL 'NAME=Say "hi" \\ \\n	Ünï' \\
 'ARTISTS=One "A"
Two' ALBUM='An album' ALBUM_ARTISTS='One "A"' NUMBER=3 DISC_NUMBER=2 DURATION_MS=215000 IS_EXPLICIT=false \\
 LANGUAGE=de POPULARITY=50 ITEM_TYPE=Track 'COVERS=https://i.scdn.co/image/large
https://i.scdn.co/image/small'
event PLAYER_EVENT=volume_changed VOLUME=32768
event PLAYER_EVENT=shuffle_changed SHUFFLE=true
event PLAYER_EVENT=repeat_changed REPEAT=true REPEAT_TRACK=false
event PLAYER_EVENT=playing TRACK_ID=4uL POSITION_MS=1500
event PLAYER_EVENT=seeked TRACK_ID=4uL POSITION_MS=61000
event PLAYER_EVENT=paused TRACK_ID=4uL POSITION_MS=62000
sleep 60`;
    const harness = await open(fake(body), 'name=A');
    await until(() => harness.told.at(-1)?.playbackStatus === 'paused', 'it is paused');
    expect(harness.told.map(({ position }) => position)).toEqual([
      ...[undefined, undefined, undefined, undefined, 1.5, 61, 62],
    ]);
    expect(harness.told.at(-1)).toEqual({
      ...noProperties,
      playbackStatus: 'paused',
      position: 62,
      volume: 50,
      shuffle: true,
      loopStatus: 'playlist',
      metadata: {
        title: 'Say "hi" \\ \\n Ünï',
        artist: ['One "A"', 'Two'],
        album: 'An album',
        albumArtist: ['One "A"'],
        trackNumber: 3,
        discNumber: 2,
        duration: 215,
        artUrl: 'https://i.scdn.co/image/large',
        url: 'spotify:track:4uL',
      },
    });
  });

  it('shortens what is too long for one line of the hook', async () => {
    const body = `many=$(head -c 9000 /dev/zero | tr '\\0' '"')
event PLAYER_EVENT=track_changed TRACK_ID=1 "NAME=$many" "ARTISTS=$many" "ALBUM=$many"
sleep 60`;
    const harness = await open(fake(body), 'name=A');
    await until(() => harness.told.length === 1, 'it is told');
    const { title, album } = harness.told[0]?.metadata ?? {};
    expect(String(title)).toMatch(/^"{200,}$/);
    expect(album).toBe(title);
  });

  it('calls the program of the user with the same environment, after its own', async () => {
    const next = new FakePlayer(
      folder.path,
      'next',
      'echo "$PLAYER_EVENT:$NAME:$1" > "$D/next.log"; exit 7',
    );
    const body = `event PLAYER_EVENT=track_changed TRACK_ID=1 'NAME=a  *'; echo "$?" > "$D/code"; sleep 60`;
    const harness = await open(fake(body), `name=A&onevent=${next.path} loud`);
    await until(() => existsSync(`${folder.path}/code`), 'the hook has ended');
    await until(() => harness.told.length > 0, 'the event is known');
    expect(readFileSync(`${folder.path}/next.log`, 'utf8')).toBe('track_changed:a  *:loud\n');
    expect(readFileSync(`${folder.path}/code`, 'utf8')).toBe('7\n');
  });

  it('knows nothing any more when the program has ended, and leaves no folder behind', async () => {
    const player = fake(
      `event PLAYER_EVENT=track_changed TRACK_ID=1 NAME=x; [ $starts = 1 ] || sleep 60`,
    );
    const harness = await open(player, 'name=A');
    await until(() => player.starts === 2 && harness.told.length === 3, 'it runs again');
    expect(harness.told[1]).toEqual(noProperties);
    const hooks = [1, 2].map(
      (start) => (player.option('--onevent', start) ?? '').split(' ')[1] ?? '',
    );
    expect(hooks.map(existsSync)).toEqual([false, true]);
    await harness.source.stop();
    expect(hooks.map(existsSync)).toEqual([false, false]);
  });
});

describe('events of librespot', () => {
  let told: StreamProperties[];
  let events: LibrespotEvents;
  beforeEach(() => {
    told = [];
    events = new LibrespotEvents((properties) => void told.push(properties));
  });

  const send = (PLAYER_EVENT: string, variables: object = {}) =>
    events.write(Buffer.from(`${JSON.stringify({ PLAYER_EVENT, ...variables })}\n`));

  it('of an older track do not overwrite those of a newer one', () => {
    send('track_changed', { TRACK_ID: 'a', NAME: 'A' });
    send('playing', { TRACK_ID: 'a', POSITION_MS: '1000' });
    send('track_changed', { TRACK_ID: 'b', NAME: 'B' });
    send('playing', { TRACK_ID: 'b', POSITION_MS: '5' });
    const last = told.at(-1);
    send('playing', { TRACK_ID: 'a', POSITION_MS: '99000' });
    send('stopped', { TRACK_ID: 'a' });
    expect(told.at(-1)).toBe(last);
    expect(last).toMatchObject({ position: 0.005, metadata: { title: 'B' } });
  });

  it('of a track that is told of later wait for it', () => {
    send('track_changed', { TRACK_ID: 'a', NAME: 'A' });
    send('playing', { TRACK_ID: 'b', POSITION_MS: '5' });
    expect(told.at(-1)?.position).toBeUndefined();
    send('track_changed', { TRACK_ID: 'b', NAME: 'B' });
    expect(told.at(-1)).toMatchObject({
      playbackStatus: 'playing',
      position: 0.005,
      metadata: { title: 'B' },
    });
  });

  it('of versions that tell no tracks count at once', () => {
    send('playing', { TRACK_ID: 'a', POSITION_MS: '1000' });
    send('volume_set', { VOLUME: '65535' });
    expect(told.at(-1)).toMatchObject({ playbackStatus: 'playing', position: 1, volume: 100 });
  });

  it('of an episode tell the show and when it was published', () => {
    send('track_changed', {
      ...{ TRACK_ID: 'e', NAME: 'Part 1', SHOW_NAME: 'A show', PUBLISH_TIME: '1700000000' },
      ...{ ITEM_TYPE: 'Episode', COVERS: '', DURATION_MS: '60000' },
    });
    expect(told.at(-1)?.metadata).toEqual({
      title: 'Part 1',
      album: 'A show',
      contentCreated: '2023-11-14T22:13:20.000Z',
      duration: 60,
    });
  });

  it.each([
    [{ REPEAT: 'false', REPEAT_TRACK: 'false' }, 'none'],
    [{ REPEAT: 'true', REPEAT_TRACK: 'true' }, 'track'],
    [{ REPEAT: 'true' }, 'playlist'],
  ])('that say %j repeat: %s', (variables, loopStatus) => {
    send('repeat_changed', variables);
    expect(told.at(-1)).toEqual({ ...noProperties, loopStatus });
  });

  it('that end a session stop what plays', () => {
    send('playing', { TRACK_ID: 'a' });
    send('session_disconnected', { USER_NAME: 'me' });
    expect(told.at(-1)).toEqual({ ...noProperties, playbackStatus: 'stopped' });
  });

  it('are told once when they say the same twice', () => {
    send('volume_changed', { VOLUME: '0' });
    send('volume_changed', { VOLUME: '0' });
    expect(told.length).toBe(1);
  });

  it('in any damage change nothing else, and the next whole one counts', () => {
    for (const line of ['', '{', '[]', '7', 'null', '{"PLAYER_EVENT":7}', '{"VOLUME":"9"}']) {
      events.write(Buffer.from(`${line}\n`));
    }
    send('volume_changed', { VOLUME: '99999999999999999' });
    send('track_changed', { NAME: 7, DURATION_MS: 'long', PUBLISH_TIME: '99999999999' });
    events.write(numberedBytes(100_000));
    events.write(Buffer.from('\n'));
    expect(told).toEqual([{ ...noProperties, metadata: {} }]);
    send('volume_changed', { VOLUME: '65535' });
    expect(told.at(-1)?.volume).toBe(100);
  });
});
