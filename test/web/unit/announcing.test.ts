import { describe, expect, it } from 'vitest';
import {
  membersOfQuery,
  readAnnouncement,
} from '../../../src/announcements/announcement-request.ts';
import { readWavHeader } from '../../../src/audio/sources/wav-header.ts';
import { fieldOfFault, shownFault } from '../../../src/web/announce/announce-fault.ts';
import { draft, missingIn, parametersOf, queryOf } from '../../../src/web/announce/draft.ts';
import type { SoundFile } from '../../../src/web/announce/sound-file.ts';
import { mixedDown, peaksOf, wavOf } from '../../../src/web/announce/wav.ts';

describe('the sound that is sent', () => {
  it('is a WAV file of what was decoded, and never wraps around', async () => {
    const left = Float32Array.from({ length: 70_000 }, (_, frame) => Math.sin(frame / 7));
    const right = Float32Array.from(left, (value) => 1.5 * value);
    const parts: number[] = [];
    const wav = Buffer.from(await wavOf([left, right], 48_000, (part) => parts.push(part)));
    expect(readWavHeader(wav)).toMatchObject({
      format: { rateHz: 48_000, channels: 2, bits: 16 },
      dataStart: 44,
      dataEnd: wav.length,
    });
    expect(wav).toHaveLength(44 + 70_000 * 4);
    for (const frame of [0, 1, 40_000, 69_999]) {
      expect(wav.readInt16LE(44 + 4 * frame)).toBe(
        Math.max(-32_768, Math.min(32_767, Math.round(left[frame]! * 32_768))),
      );
      const loud = Math.max(-1, Math.min(1, right[frame]!));
      expect(wav.readInt16LE(46 + 4 * frame) / 32_768).toBeCloseTo(loud, 3);
    }
    expect(parts.at(-1)).toBe(1);
    expect(parts.length).toBeGreaterThan(1);
  });

  it('is one channel out of two where it would be too large', () => {
    expect(mixedDown([Float32Array.of(1, 0), Float32Array.of(0, 0.5)])).toEqual(
      Float32Array.of(0.5, 0.25),
    );
    const mono = Float32Array.of(1, 2);
    expect(mixedDown([mono])).toBe(mono);
  });

  it('is seen by its peaks', () => {
    expect(peaksOf([Float32Array.of(0, -0.5, 0.25, 2)], 2)).toEqual([0.5, 1]);
    expect(peaksOf([], 2)).toEqual([0, 0]);
  });
});

describe('the parameters of what is chosen', () => {
  const usual = draft.value;

  it('are few where all is usual', () => {
    expect(parametersOf(usual)).toEqual({ chime: 'dingdong', targets: { all: true } });
  });

  it('are taken by the server, also as a query', () => {
    const chosen = {
      ...usual,
      sound: 'clip' as const,
      clip: 'bell.wav',
      targets: 'groups' as const,
      groups: ['g 1', 'g&2'],
      duckDb: -18,
      volume: 60,
      gainDb: -3,
      pre: 'ding',
      repeat: 2,
      priority: 'high' as const,
      loudness: 'follow' as const,
      isUrgent: true,
      overridesMute: true,
    };
    const parameters = parametersOf(chosen);
    const asked = readAnnouncement(parameters);
    expect(asked).toMatchObject({
      origin: { kind: 'file', value: 'bell.wav' },
      targets: { groups: ['g 1', 'g&2'], all: false },
      duck: { duck_db: -18 },
      volume: 60,
      urgent: true,
      overridesMute: true,
      loudness: 'follow',
    });
    const query = new URLSearchParams(queryOf(parameters).toString());
    expect(readAnnouncement(membersOfQuery(query))).toEqual(asked);
  });

  it('leave out the sound of a file, whose name is its tag', () => {
    const file = { name: 'bell.wav' } as SoundFile;
    expect(parametersOf({ ...usual, sound: 'voice', file })).toEqual({
      tag: 'bell.wav',
      targets: { all: true },
    });
  });

  it('are not complete without a sound and a target', () => {
    expect(missingIn(usual)).toBeUndefined();
    for (const sound of ['clip', 'voice', 'text'] as const)
      expect(missingIn({ ...usual, sound })).toBe('sound');
    expect(missingIn({ ...usual, sound: 'text', text: '  ' })).toBe('sound');
    expect(missingIn({ ...usual, targets: 'groups' })).toBe('targets');
    expect(missingIn({ ...usual, targets: 'streams', streams: ['s'] })).toBeUndefined();
  });
});

describe('a fault', () => {
  it.each([
    ["Parameter 'volume': allowed: a number from 0 to 100 %", 'volume'],
    ["bad-parameter: Parameter 'repeat': allowed: a whole number from 1 to 10", 'repeat'],
    ["Parameter 'duck.duck_db': allowed: …", 'duck_db'],
    ["Parameter 'targets': it names none", 'targets'],
    ["Parameter 'chime': allowed: ding", 'sound'],
    ["Parameter 'tag': too long", undefined],
    ['nobody-listens: none of the targets is connected', 'targets'],
    ['clip-too-long: it is longer than 120 s', 'sound'],
    ['queue-full: too many announcements wait', undefined],
    ['the connection was lost', undefined],
  ])('%j is shown at the field %j', (text, field) => {
    expect(fieldOfFault(text)).toBe(field);
  });

  it('is shown without its code', () => {
    expect(shownFault('nobody-listens: none of the targets')).toBe('None of the targets');
    expect(shownFault('busy: too much to do')).toBe('Too much to do');
    expect(shownFault('the connection was lost')).toBe('The connection was lost');
  });
});
