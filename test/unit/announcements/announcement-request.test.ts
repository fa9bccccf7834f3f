import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  membersOfQuery,
  readAnnouncement,
  readChoice,
} from '../../../src/announcements/announcement-request.ts';
import { RpcError } from '../../../src/base/errors.ts';
import { hostileObject } from '../../support/hostile-values.ts';

function faultOf(members: object, upload?: Uint8Array): string | undefined {
  try {
    readAnnouncement(members as Record<string, unknown>, upload);
  } catch (error) {
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ rpcCode: -32602 });
    return (error as RpcError).data;
  }
  return undefined;
}

const ofQuery = (query: string) => readAnnouncement(membersOfQuery(new URLSearchParams(query)));

describe('the parameters of an announcement', () => {
  it('have defaults for all but what is played', () => {
    expect(readAnnouncement({ chime: 'ding' })).toEqual({
      targets: { clients: [], groups: [], streams: [], all: true },
      origin: { kind: 'chime', value: 'ding' },
      duck: {},
      priority: 'normal',
      loudness: 'normal',
      replace: false,
      urgent: false,
      overridesMute: false,
    });
  });

  it('are of high priority when they are urgent, unless another one is given', () => {
    const urgent = { chime: 'ding', urgent: true };
    expect(readAnnouncement(urgent)).toMatchObject({ urgent: true, priority: 'high' });
    expect(readAnnouncement({ ...urgent, priority: 'low' }).priority).toBe('low');
    expect(readAnnouncement({ ...urgent, urgent: false }).priority).toBe('normal');
  });

  it('take those of the ducking in an object or beside the others', () => {
    const duck = { duck_db: -20, attack_ms: 10 };
    expect(readAnnouncement({ chime: 'ding', duck }).duck).toEqual(duck);
    expect(readAnnouncement({ chime: 'ding', ...duck }).duck).toEqual(duck);
  });

  it('count null as absent', () => {
    const nulls = { chime: 'ding', url: null, targets: null, tag: null, at: null, replace: null };
    expect(readAnnouncement(nulls)).toEqual(readAnnouncement({ chime: 'ding' }));
  });

  it.each<[string, object, RegExp]>([
    ['nothing to play', {}, /'url'.*give url, file, chime or text/],
    ['two things to play', { url: 'http://x', chime: 'ding' }, /url and chime were given/],
    ['an unknown chime', { chime: 'gong' }, /'chime': allowed: ding, dingdong, alert, tick, ticks/],
    ['an empty text', { text: ' ' }, /'text': it is empty/],
    ['a text too long', { text: 'x'.repeat(5001) }, /'text': allowed: 5000 characters/],
    ['another type', { chime: 7 }, /'chime': it must be a string/],
    ['urgent, and a time', { chime: 'ding', urgent: true, at: 1 }, /'urgent': .*leave out at/],
    ['a slip', { chime: 'ding', duckdb: -3 }, /'duckdb': it is unknown: duck_db may be meant/],
    ['a part of a name', { chime: 'ding', vol: 40 }, /'vol': it is unknown: volume may be meant/],
    ['two letters in wrong order', { chime: 'ding', volmue: 40 }, /: volume may be meant/],
    [
      'a name like no other',
      { chime: 'ding', tempo: 3 },
      /'tempo': it is unknown: allowed: targets, /,
    ],
    ['a short name like no other', { chime: 'ding', xyl: 3 }, /'xyl': it is unknown: allowed: /],
    ['a slip within', { chime: 'ding', duck: { hold: 3 } }, /'duck\.hold': it is unknown: hold_ms/],
    ['too deep', { chime: 'ding', duck_db: -61 }, /'duck_db': allowed: a number from -60 to 0 dB/],
    ['no number', { chime: 'ding', gain_db: Number.NaN }, /'gain_db': allowed: a number from/],
    [
      'a text as number',
      { chime: 'ding', repeat: '2' },
      /'repeat': allowed: a whole number from 1/,
    ],
    ['half a repetition', { chime: 'ding', repeat: 1.5 }, /'repeat': allowed: a whole number/],
    ['a strange priority', { chime: 'ding', priority: 'urgent' }, /allowed: low, normal, high/],
    ['no targets', { chime: 'ding', targets: {} }, /'targets': it names none/],
    ['bad targets', { chime: 'ding', targets: ['x'] }, /'targets': it must be an object/],
    [
      'no list',
      { chime: 'ding', targets: { clients: 'x' } },
      /'targets\.clients': it must be an arr/,
    ],
    [
      'a wrong kind',
      { chime: 'ding', targets: { client: [] } },
      /'targets\.client'.*clients may be/,
    ],
  ])('refuse %s and say what is allowed', (_, members, fault) => {
    expect(faultOf(members)).toMatch(fault);
  });

  it('refuse a name beside an upload', () => {
    expect(faultOf({ chime: 'ding' }, new Uint8Array(1))).toMatch(/chime and an upload were given/);
  });

  it('of a query are the same', () => {
    const query =
      'group=Kitchen&group=Bath&client=a%20b&url=http%3A%2F%2Fha%3A8123%2Fx.mp3&duck_db=-18&replace' +
      '&urgent=1&tag=door&repeat=2';
    expect(ofQuery(query)).toEqual(
      readAnnouncement({
        targets: { groups: ['Kitchen', 'Bath'], clients: ['a b'] },
        url: 'http://ha:8123/x.mp3',
        duck_db: -18,
        replace: true,
        urgent: true,
        tag: 'door',
        repeat: 2,
      }),
    );
    expect(ofQuery('chime=ding&all').targets.all).toBe(true);
    expect(ofQuery('chime=ding&all=1&stream=x').targets).toMatchObject({
      streams: ['x'],
      all: true,
    });
  });

  it.each([
    ['chime=ding&duck_db=low', /'duck_db': allowed/],
    ['chime=ding&duck_db=', /'duck_db': allowed/],
    ['chime=ding&replace=perhaps', /'replace': it must be true or false/],
    ['chime=ding&all=0', /'targets': it names none/],
    ['chime=ding&rooms=x', /'rooms': it is unknown/],
  ])('of the query %s are refused', (query, fault) => {
    expect(() => ofQuery(query)).toThrow(
      expect.objectContaining({ data: expect.stringMatching(fault) }),
    );
  });

  it('of any shape are taken or refused with a reason', () => {
    const names = ['url', 'chime', 'targets', 'duck', 'at', 'repeat', 'replace', '__proto__', 'x'];
    fc.assert(
      fc.property(hostileObject(names), (any) => {
        const fault = faultOf(any);
        if (fault !== undefined) expect(fault.length).toBeLessThan(300);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the choice of what is stopped', () => {
  it('names an id, a tag or targets', () => {
    expect(readChoice({ id: 'x' })).toMatchObject({ id: 'x' });
    expect(readChoice({ tag: 'door' })).toMatchObject({ tag: 'door' });
    expect(readChoice({ targets: { all: true } }).targets).toMatchObject({ all: true });
  });

  it('has to name something', () => {
    expect(() => readChoice({})).toThrow(expect.objectContaining({ rpcCode: -32602 }));
  });
});
