import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Arrival, decodeArriving } from '../../../src/announcements/arriving-sound.ts';
import { until } from '../../support/waiting.ts';

const never = new AbortController().signal;
const limits = { maxSeconds: 10, signal: never };

/** Four seconds of 440 Hz, as a file of this kind. */
function toneFile(...output: readonly string[]): Buffer {
  const source = 'sine=frequency=440:sample_rate=22050:duration=4';
  const args = ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', source, ...output, 'pipe:1'];
  return execFileSync('/usr/bin/ffmpeg', args, { maxBuffer: 2 ** 24 });
}

/** The children of this process that decode. */
function decoders(): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      const isOurs = Number(parent) === process.pid;
      return isOurs && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('ffmpeg');
    } catch {
      return false;
    }
  }).length;
}

function arriving(bytes: Buffer, { until: end = bytes.length } = {}) {
  const body = new PassThrough();
  const arrival = new Arrival(body, limits);
  body.write(bytes.subarray(0, end));
  return { body, arrival, rest: bytes.subarray(end) };
}

describe.each([
  ['WAV', ['-f', 'wav'], 22_050, 1],
  ['WAV with 24 bits', ['-c:a', 'pcm_s24le', '-f', 'wav'], 22_050, 1],
  ['MP3', ['-b:a', '64k', '-f', 'mp3'], 48_000, 2],
  ['Ogg', ['-c:a', 'libvorbis', '-f', 'ogg'], 48_000, 2],
  ['FLAC', ['-f', 'flac'], 48_000, 2],
])('a %s that is still arriving', (_, output, rateHz, channels) => {
  const file = toneFile(...output);

  it('can be played before its end, and lasts as long as it is', async () => {
    const { body, arrival, rest } = arriving(file, { until: Math.floor(file.length * 0.8) });
    const { sound, whole } = await decodeArriving(Buffer.alloc(0), arrival, limits);
    expect(sound).toMatchObject({ rateHz, channels, hasEnded: false });
    expect(sound.durationMs).toBeGreaterThanOrEqual(300);
    body.end(rest);
    expect(await whole).toBeUndefined();
    expect(sound.hasEnded).toBe(true);
    // MP3 has padding.
    expect(Math.abs(sound.durationMs - 4000)).toBeLessThan(100);
    const heard = new Float32Array(sound.frames * channels);
    sound.read(0, heard);
    const peak = heard.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(peak).toBeGreaterThan(0.05);
    await until(() => decoders() === 0);
  });

  it('that is longer than allowed is cut off and says so', async () => {
    const { body, arrival } = arriving(file);
    body.end();
    const short = { ...limits, maxSeconds: 1 };
    const { sound, whole } = await decodeArriving(Buffer.alloc(0), arrival, short);
    expect(await whole).toMatchObject({ code: 'clip-too-long' });
    expect(body.destroyed).toBe(true);
    await until(() => decoders() === 0);
    expect(sound.durationMs).toBe(1000);
  });

  it('that is not wanted any more leaves nothing behind', async () => {
    const { body, arrival } = arriving(file, { until: Math.floor(file.length * 0.8) });
    const wanted = new AbortController();
    const own = new Arrival(body, { ...limits, signal: wanted.signal });
    const decoding = decodeArriving(Buffer.alloc(0), own, { ...limits, signal: wanted.signal });
    const { whole } = await decoding;
    wanted.abort(new Error('not wanted'));
    expect(await whole).toMatchObject({ message: 'not wanted' });
    expect(body.destroyed).toBe(true);
    arrival.close();
    await until(() => decoders() === 0);
  });
});

describe('what arrives', () => {
  it.each([
    ['text', Buffer.from('<!doctype html><title>no sound</title>'.repeat(100))],
    ['noise', Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 251))],
    ['a broken MP3', Buffer.concat([toneFile('-f', 'mp3').subarray(0, 100), Buffer.alloc(9999)])],
    ['nothing', Buffer.alloc(0)],
    ['a WAV without sound', toneFile('-f', 'wav').subarray(0, 44)],
    ['a playlist', Buffer.from('#EXTM3U\n#EXTINF:1,x\nfile:///etc/passwd\n')],
  ])('as %s is refused, with nothing left behind', async (_, bytes) => {
    const { body, arrival } = arriving(bytes);
    body.end();
    await expect(decodeArriving(Buffer.alloc(0), arrival, limits)).rejects.toMatchObject({
      code: 'bad-clip',
    });
    expect(body.destroyed).toBe(true);
    await until(() => decoders() === 0);
  });

  it('and stalls is ended after a while, and what came is played', async () => {
    const wav = toneFile('-f', 'wav');
    const body = new PassThrough();
    const arrival = new Arrival(body, { ...limits, stallMs: 100 });
    body.write(wav.subarray(0, 40_000));
    const { sound, whole } = await decodeArriving(Buffer.alloc(0), arrival, limits);
    expect(await whole).toMatchObject({ code: 'fetch-failed' });
    expect(sound.durationMs).toBeCloseTo((39_956 / 2 / 22_050) * 1000, -1);
    expect(sound.hasEnded).toBe(true);
  });

  it('within a moment is told from what is all', async () => {
    const complete = arriving(Buffer.from('abc'));
    complete.body.end();
    expect(await complete.arrival.within(1000)).toEqual({
      bytes: Buffer.from('abc'),
      isComplete: true,
    });
    const slow = arriving(Buffer.from('abc'));
    const gathered = slow.arrival.within(30);
    await delay(60);
    slow.body.write('d');
    expect(await gathered).toMatchObject({ isComplete: false });
    slow.arrival.close();
  });
});
