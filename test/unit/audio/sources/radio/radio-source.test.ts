import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { childrenCalled } from '../../../../support/child-programs.ts';
import { correlate } from '../../../../support/correlation.ts';
import { openDescriptors } from '../../../../support/fifo.ts';
import {
  encodeSound,
  ffmpegIsMissing,
  RadioServer,
  radioFormat,
  radioSound,
  station,
} from '../../../../support/radio-station.ts';
import { StreamRig } from '../../../../support/stream-rig.ts';
import { until } from '../../../../support/waiting.ts';

const seconds = 3;
const pcm = radioSound(seconds);
const brief = radioSound(1.5);
const kilobytesPerSecond = 192_000 / 8;

describe.skipIf(ffmpegIsMissing)('a radio stream', () => {
  const mp3 = encodeSound(pcm, '-f mp3 -b:a 192k');
  let server: RadioServer;
  const running: StreamRig[] = [];

  beforeEach(async () => {
    server = await RadioServer.open();
  });
  afterEach(async () => {
    for (const rig of running.splice(0)) {
      await rig.stream.stop();
      expect(rig.pool.isFull).toBe(true);
      rig.pool.close();
    }
    server.close();
  });

  function radio(path: string, query = '', surroundings = {}): StreamRig {
    const url = encodeURIComponent(server.url(path));
    const address = `radio:///?name=R&codec=pcm&chunk_ms=20&url=${url}${query}`;
    const rig = new StreamRig(address, { bufferMs: 400 }, undefined, surroundings);
    running.push(rig);
    return rig;
  }

  /** What was heard of `sound`, which was to be found whole. */
  async function heardOf(rig: StreamRig, sound: Buffer) {
    await until(() => rig.audio.length >= sound.length, 'all is heard');
    return correlate({ fed: sound, recorded: rig.audio, format: radioFormat });
  }

  it('plays what each type of sound holds, whole and without a gap', async () => {
    const kinds = [
      ['audio/mpeg', '-f mp3 -b:a 192k'],
      ['audio/aacp', '-f adts -c:a aac -b:a 192k'],
      ['application/ogg', '-f ogg -c:a libopus -b:a 192k'],
      ['audio/flac', '-f flac'],
      ['application/octet-stream', '-f mp3 -b:a 192k'],
    ] as const;
    const sounds = kinds.map(([type, args]) => [type, encodeSound(pcm, args)] as const);
    const play = async ([type, sound]: readonly [string, Buffer]) => {
      const bytesPerSecond = sound.length / seconds;
      const pace = { burstBytes: bytesPerSecond, bytesPerSecond: 2 * bytesPerSecond };
      server.on(`/${type}`, station({ sound, type, ...pace }));
      const rig = await radio(`/${type}`, '&prebuffer_ms=2000').play();
      const { coefficient } = await heardOf(rig, pcm);
      expect(coefficient, type).toBeGreaterThan(0.98);
      expect(rig.log.with('the station is too slow, buffering'), type).toEqual([]);
    };
    await Promise.all(sounds.map(play));
  });

  it('is decoded as its address says, whatever the station says', async () => {
    server.on('/a', station({ sound: encodeSound(brief, '-f flac'), type: 'audio/mpeg' }));
    const rig = await radio('/a', '&prebuffer_ms=500&format=flac').play();
    const { coefficient } = await heardOf(rig, brief);
    expect(coefficient).toBeGreaterThan(0.98);
  });

  it('plays nothing before the prebuffer is full', async () => {
    server.on(
      '/a',
      station({ sound: mp3, burstBytes: 0, bytesPerSecond: 2 * kilobytesPerSecond, stays: true }),
    );
    const rig = await radio('/a', '&prebuffer_ms=2000').play();
    const startMs = performance.now();
    await until(() => rig.published.length > 0, 'it plays');
    expect(performance.now() - startMs).toBeGreaterThan(900);
  });

  it('fills up again when a station is too slow, with one line in the log', async () => {
    server.on(
      '/a',
      station({
        sound: mp3,
        burstBytes: kilobytesPerSecond,
        bytesPerSecond: kilobytesPerSecond / 2,
      }),
    );
    const rig = await radio('/a', '&prebuffer_ms=500').play();
    await until(() => rig.states.length >= 3, 'it plays again');
    expect(rig.states.slice(0, 3)).toEqual(['playing', 'idle', 'playing']);
    const lines = rig.log.with('the station is too slow, buffering');
    expect(lines.length).toBe(1);
    expect(lines[0]?.fields.bufferedMs).toBeGreaterThan(200);
    expect(lines[0]?.fields.bufferedMs).toBeLessThan(300);
    expect(rig.stream.buffering).toMatchObject({ connections: 1, shortages: 1 });
    expect(rig.stream.buffering?.bufferedMs).toBeGreaterThan(200);
  });

  it('holds back a station that sends all at once', async () => {
    const sound = Buffer.concat(Array.from({ length: 400 }, () => mp3));
    server.on('/a', station({ sound, stays: true }));
    const rig = await radio('/a').play();
    await until(() => rig.published.length > 0, 'it plays');
    await delay(500);
    const [socket] = server.sockets;
    const acceptedBytes = (socket?.bytesWritten ?? 0) - (socket?.writableLength ?? 0);
    expect(acceptedBytes).toBeLessThan(sound.length / 2);
  });

  it('is played from an answer of old servers, too, and asks as they expect it', async () => {
    const sound = encodeSound(brief, '-f mp3 -b:a 192k');
    server.on('/a?x=1', station({ sound, status: 'ICY 200 OK' }));
    const rig = await radio('/a?x=1', '&user_agent=Own/1.0').play();
    const { coefficient } = await heardOf(rig, brief);
    expect(coefficient).toBeGreaterThan(0.98);
    expect(server.requests[0]).toMatch(/^GET \/a\?x=1 HTTP\/1\.1\r\n/);
    expect(server.requests[0]).toMatch(/^Icy-MetaData: 1\r$/m);
    expect(server.requests[0]).toMatch(/^User-Agent: Own\/1\.0\r$/m);
    expect(server.requests[0]).not.toMatch(/^Range:/im);
  });

  describe('that tells titles', () => {
    const titles = new Map([
      [2, "StreamTitle='Ann - It's 'one'; two';StreamUrl='';"],
      [6, "StreamTitle='Ben - Three';"],
    ]);
    const headers = { 'icy-name': 'Radio J\u00f6rg', 'icy-genre': 'Jazz', 'icy-url': 'http://x' };
    const about = { album: 'Radio J\u00f6rg', genre: ['Jazz'], url: 'http://x' };

    it('tells each when it is heard', async () => {
      server.on('/a', station({ sound: mp3, titles, headers, stays: true }));
      const rig = await radio('/a').play();
      await until(() => rig.published.length > 0, 'it plays');
      const startMs = performance.now();
      const toldMs: number[] = [];
      for (const title of ["It's 'one'; two", 'Three']) {
        await until(() => rig.properties.at(-1)?.metadata?.title === title, `${title} is told`);
        toldMs.push(performance.now() - startMs);
      }
      expect(rig.properties.map(({ metadata }) => metadata)).toEqual([
        about,
        { title: "It's 'one'; two", artist: ['Ann'], ...about },
        { title: 'Three', artist: ['Ben'], ...about },
      ]);
      const bufferMs = 400;
      const spokenMs = (count: number) => (count * 8192 * 1000) / kilobytesPerSecond + bufferMs;
      // Sent within a moment, they lie in the audio: of the first it is not known yet how much is decoded.
      expect(Math.abs(toldMs[0]! - spokenMs(2))).toBeLessThan(1000);
      expect(Math.abs(toldMs[1]! - spokenMs(6))).toBeLessThan(600);
    });

    it('does not ask for them with title=off', async () => {
      server.on('/a', station({ sound: mp3, titles, stays: true }));
      const rig = await radio('/a', '&title=off').play();
      await until(() => rig.published.length > 0, 'it plays');
      expect(server.requests[0]).not.toMatch(/icy-metadata/i);
    });
  });

  describe('on demand', () => {
    it('connects with the first listener, and leaves after the last', async () => {
      server.on('/a', station({ sound: mp3, bytesPerSecond: kilobytesPerSecond, stays: true }));
      const rig = radio('/a', '&linger_ms=300');
      await rig.stream.start();
      await delay(200);
      expect([server.requests.length, rig.stream.state]).toEqual([0, 'idle']);
      const before = openDescriptors();
      for (const time of [1, 2]) {
        rig.stream.activate();
        await until(() => rig.stream.state === 'playing', 'it plays');
        expect(server.requests.length).toBe(time);
        rig.stream.deactivate();
        await delay(100);
        expect(server.sockets.size).toBe(1);
        await until(() => server.sockets.size === 0, 'it has left');
        await until(() => rig.stream.state === 'idle', 'it is idle');
        await until(() => openDescriptors() <= before, 'nothing is open');
      }
    });

    it('is always connected with on_demand=false', async () => {
      server.on('/a', station({ sound: mp3, stays: true }));
      const rig = radio('/a', '&on_demand=false');
      await rig.stream.start();
      await until(() => rig.stream.state === 'playing', 'it plays');
    });
  });

  describe('that a controller has added', () => {
    const surroundings = { allowsPrivateHosts: () => false };

    it.each(['127.0.0.1', 'localhost', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]'])(
      'is refused with the private address of %s, before anything listens',
      async (host) => {
        const url = encodeURIComponent(`http://${host}:${server.port}/a`);
        const rig = new StreamRig(`radio:///?name=R&url=${url}`, {}, undefined, surroundings);
        running.push(rig);
        await rig.play();
        expect(rig.stream.fault?.message).toMatch(/is a private address: .*radio_private/);
        expect(server.requests).toEqual([]);
      },
    );

    it('is looked at again when it connects, whatever its name stood for before', async () => {
      let isAllowed = true;
      server.on('/a', station({ sound: mp3 }));
      const rig = radio('/a', '', { allowsPrivateHosts: () => isAllowed });
      await rig.stream.start();
      isAllowed = false;
      rig.stream.activate();
      await until(() => rig.log.with('station not heard').length > 0, 'it is refused');
      expect(rig.log.with('station not heard')[0]?.fields).toMatchObject({
        reason: expect.stringMatching(/^127\.0\.0\.1 is a private address: .*radio_private/),
        retryMs: 60_000,
      });
      expect(server.requests).toEqual([]);
    });
  });

  it('is disabled when its address cannot be used', async () => {
    const faults = [
      ['', /needs the URL of its station/],
      ['&url=file:///etc/passwd', /file: is not fetched/],
      ['&url=nonsense', /is no URL/],
      ['&url=http://a/&format=wma', /write auto or mp3 or aac or ogg or flac/],
      ['&url=http://a/&title=yes', /write icy or off/],
      ['&url=http://a/&user_agent=a%0d%0aX: b', /ASCII/],
    ] as const;
    for (const [query, fault] of faults) {
      const rig = new StreamRig(`radio:///?name=R${query}`);
      running.push(rig);
      await rig.stream.start();
      expect(rig.stream.fault?.message).toMatch(fault);
    }
  });

  describe('that breaks', () => {
    it('plays on from what it has, and connects again', async () => {
      server.on('/a', station({ sound: mp3, stays: true }));
      const rig = await radio('/a', '&prebuffer_ms=500').play();
      await until(() => rig.published.length > 0, 'it plays');
      server.cut();
      await until(() => rig.log.with('connected to station').length === 2, 'it connects again');
      expect(rig.log.with('station not heard')[0]?.fields).toMatchObject({ retryMs: 1000 });
      expect(rig.states).toEqual(['playing']);
    });

    it('is asked again soon when the decoder was killed', async () => {
      server.on('/a', station({ sound: mp3, bytesPerSecond: kilobytesPerSecond, stays: true }));
      const rig = await radio('/a', '&prebuffer_ms=500').play();
      await until(() => rig.published.length > 0, 'it plays');
      for (const pid of childrenCalled('ffmpeg')) process.kill(pid, 'SIGKILL');
      await until(() => rig.log.with('station not heard').length > 0, 'it is missed');
      expect(rig.log.with('station not heard')[0]?.fields).toMatchObject({
        reason: expect.stringMatching(/^ffmpeg has ended/),
        retryMs: 1000,
      });
    });

    it('is asked later and later, and complained of once', async () => {
      server.on('/a', 'HTTP/1.0 503 Busy\r\n\r\n');
      const rig = await radio('/a').play();
      await until(() => server.requests.length === 3, 'it is asked again');
      const lines = rig.log.with('station not heard');
      expect(lines.map(({ fields }) => fields.retryMs).slice(0, 2)).toEqual([1000, 2000]);
      expect(lines.map(({ level }) => level).slice(0, 2)).toEqual(['warn', 'debug']);
    });

    it('does not keep its stream from ending', async () => {
      server.on('/a', () => undefined);
      const rig = await radio('/a').play();
      await until(() => server.requests.length === 1, 'it waits');
      const startMs = performance.now();
      await rig.stream.stop();
      expect(performance.now() - startMs).toBeLessThan(2000);
      await until(() => server.sockets.size === 0, 'it has left');
    });
  });

  describe('behind other addresses', () => {
    const redirect = (to: string) => `HTTP/1.0 302 Found\r\nLocation: ${to}\r\n\r\n`;
    const list = (type: string, text: string) =>
      `HTTP/1.0 200 OK\r\nContent-Type: ${type}\r\n\r\n${text}`;

    it('follows redirects and lists, to the first that can be reached', async () => {
      server
        .on('/a', redirect('/b.pls'))
        .on('/b.pls', list('text/plain', `[playlist]\nFile1=${server.url('/gone')}\nFile2=c.m3u\n`))
        .on('/c.m3u', list('audio/x-mpegurl', `#EXTM3U\n${server.url('/sound')}\n`))
        .on('/sound', station({ sound: mp3 }));
      const rig = await radio('/a').play();
      await until(() => rig.stream.state === 'playing', 'it plays');
      const paths = server.requests.map((request) => request.split(' ')[1]);
      expect(paths).toEqual(['/a', '/b.pls', '/gone', '/c.m3u', '/sound']);
    });

    it.each([
      ['a list that leads to itself', list('audio/x-scpls', 'File1=/a\n'), /more than 3 deep/],
      ['an empty list', list('audio/x-scpls', ''), /names no address/],
      ['an endless list', list('audio/x-scpls', 'x'.repeat(100_000)), /longer than 65536 bytes/],
      ['redirects in a circle', redirect('/a'), /more than 5 redirects/],
      ['a file of this machine', redirect('file:///etc/passwd'), /file: is not fetched/],
      ['a web page', list('text/html', '<html>'), /a web page in place of sound/],
      ['a picture', list('image/png', 'PNG'), /image\/png comes, which is no sound/],
      ['what is gone', 'HTTP/1.0 404 Not Found\r\n\r\n', /says 404 Not Found/],
      ['a broken server', 'HTTP/1.0 503 Busy\r\n\r\n', /says 503 Busy/],
      ['no HTTP', 'SSH-2.0-x\r\n\r\n', /cannot be reached/],
      ['no sound', list('audio/mpeg', 'x'.repeat(5000)), /ended the connection|cannot decode/],
    ])('says what is wrong with %s', async (_, answer, reason) => {
      server.on('/a', answer);
      const rig = await radio('/a').play();
      await until(() => rig.log.with('station not heard').length > 0, 'it says so');
      expect(String(rig.log.with('station not heard')[0]?.fields.reason)).toMatch(reason);
      expect(rig.properties.at(-1)?.metadata?.comment?.toString()).toMatch(reason);
      expect(rig.stream.state).toBe('idle');
      expect(server.requests.length).toBeLessThan(10);
    });
  });
});
