import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Metadata, noProperties } from '../../../../src/audio/stream-properties.ts';
import type { JsonObject } from '../../../../src/base/files/json-fields.ts';
import { maxImageBytes } from '../../../../src/streams/image-store.ts';
import {
  type CoverArt,
  maxTagCharacters,
  parseProperties,
} from '../../../../src/streams/plugin/plugin-properties.ts';

function parse(json: JsonObject, metadata?: Metadata) {
  const dropped: string[] = [];
  const images: CoverArt[] = [];
  const properties = parseProperties(json, {
    metadata,
    keepImage: (image) => `http://image/${images.push(image)}`,
    drop: (name, fault) => dropped.push(`${name} ${fault}`),
  });
  return { properties, dropped, images };
}

const parseTags = (metadata: JsonObject) => parse({ metadata }).properties.metadata;

/** What each entry may be, written down once more from the reference. */
const isTexts = (value: unknown) =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string');
const kinds: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['boolean', (value) => typeof value === 'boolean'],
  ['text', (value) => typeof value === 'string'],
  ['texts', isTexts],
  ['integer', Number.isSafeInteger],
  ['float', Number.isFinite],
]);
const tagKinds: Readonly<Record<string, string>> = {
  text:
    'trackId album albumSort name date originalDate performer conductor work grouping label ' +
    'musicbrainzArtistId musicbrainzAlbumId musicbrainzAlbumArtistId musicbrainzTrackId ' +
    'musicbrainzReleaseTrackId musicbrainzWorkId lyrics contentCreated firstUsed lastUsed ' +
    'title url artUrl spotifyArtistId spotifyTrackId',
  texts: 'artist artistSort albumArtist albumArtistSort comment composer genre lyricist',
  integer: 'bpm discNumber trackNumber useCount',
  float: 'duration autoRating userRating',
};
const propertyKinds: Readonly<Record<string, string>> = {
  boolean: 'shuffle mute canGoNext canGoPrevious canPlay canPause canSeek canControl',
  integer: 'volume',
  float: 'rate position minimumRate maximumRate',
  text: 'playbackStatus loopStatus',
};

function kindOf(name: string, table: Readonly<Record<string, string>>): string {
  return Object.keys(table).find((kind) => table[kind]?.split(' ').includes(name)) ?? 'none';
}

const namesIn = (table: Readonly<Record<string, string>>) =>
  Object.values(table).flatMap((names) => names.split(' '));

const samples: Readonly<Record<string, unknown>> = {
  boolean: true,
  text: 'x',
  texts: ['x', ''],
  integer: -3,
  float: 2.5,
};

describe('the properties of a control script', () => {
  it('are all false for an empty object', () => {
    expect(parse({})).toEqual({ properties: noProperties, dropped: [], images: [] });
  });

  it('are taken with every tag of the reference, in the order of the alphabet', () => {
    const sample = (table: Readonly<Record<string, string>>) =>
      Object.fromEntries(
        namesIn(table)
          .reverse()
          .map((name) => [name, samples[kindOf(name, table)]]),
      );
    const sent = {
      ...sample(propertyKinds),
      playbackStatus: 'paused',
      loopStatus: 'track',
      metadata: sample(tagKinds),
    };
    const { properties, dropped } = parse(sent);
    expect(dropped).toEqual([]);
    expect(properties).toEqual(sent);
    expect(Object.keys(properties)).toEqual(Object.keys(sent).sort());
    expect(Object.keys(properties.metadata ?? {})).toEqual(namesIn(tagKinds).sort());
  });

  it('keep only the metadata of before', () => {
    const metadata = { title: 'kept' };
    expect(parse({ canPlay: true }, metadata).properties).toEqual({
      ...noProperties,
      canPlay: true,
      metadata,
    });
    expect(parse({ metadata: null }, metadata).properties.metadata).toEqual(metadata);
    expect(parse({ metadata: {} }, metadata).properties.metadata).toEqual({});
    expect(parse({ metadata: { name: 'n' } }, metadata).properties.metadata).toEqual({ name: 'n' });
  });

  it.each([
    ['playing', 'playing'],
    ['buffering', 'unknown'],
    ['', 'unknown'],
    [1, undefined],
  ])('have the playback status %j as %s', (playbackStatus, expected) => {
    expect(parse({ playbackStatus }).properties.playbackStatus).toBe(expected);
  });

  it.each([
    [{ canPlay: 1 }, 'canPlay is not true or false'],
    [{ canDance: true }, 'canDance is not known'],
    [{ loopStatus: 'all' }, 'loopStatus is not none, track or playlist'],
    [{ volume: 33.5 }, 'volume is not a whole number'],
    [{ volume: 1e300 }, 'volume is not a whole number'],
    [{ rate: '1' }, 'rate is not a number'],
    [JSON.parse('{"position": 1e999}'), 'position is not a number'],
    [{ metadata: [] }, 'metadata is not an object'],
    [{ metadata: { file: 'x' } }, 'metadata.file is not known'],
    [{ metadata: { artist: 'x' } }, 'metadata.artist is not a list of texts of bearable length'],
    [{ metadata: { artist: ['x', 1] } }, 'metadata.artist is not a list of texts'],
    [{ metadata: { trackNumber: '3' } }, 'metadata.trackNumber is not a whole number'],
    [JSON.parse('{"__proto__": {"canPlay": true}}'), '__proto__ is not known'],
  ])('leave out what is wrong in %j and say so', (json, fault) => {
    const { properties, dropped } = parse({ canSeek: true, ...json });
    expect(dropped).toEqual([expect.stringContaining(fault)]);
    const { metadata, ...rest } = properties;
    expect(rest).toEqual({ ...noProperties, canSeek: true });
    expect(metadata ?? {}).toEqual({});
  });

  it('take null for nothing, without a word', () => {
    expect(parse({ position: null, metadata: { title: null, artData: null } })).toEqual({
      properties: { ...noProperties, metadata: {} },
      dropped: [],
      images: [],
    });
  });

  it('leave out a tag that would burden every controller', () => {
    const long = 'x'.repeat(maxTagCharacters);
    expect(parseTags({ lyrics: long, title: `${long}x` })).toEqual({ lyrics: long });
    expect(parseTags({ genre: Array(maxTagCharacters + 1).fill('') })).toEqual({});
  });

  it('do not repeat a long name that nobody knows', () => {
    expect(parse({ ['x'.repeat(1e6)]: 1 }).dropped[0]?.length).toBeLessThan(100);
  });

  it('have any JSON turned into known entries of the right types', () => {
    const names = [...namesIn(propertyKinds), 'metadata', 'artData', ...namesIn(tagKinds)];
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(...Object.values(samples), 'playing', 'none'),
    );
    const object = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), value);
    const json = fc.tuple(object, fc.option(object)).map(([outer, metadata]) => ({
      ...outer,
      ...(metadata && { metadata }),
    }));
    const arbitrary = fc.oneof(json, fc.dictionary(fc.string(), fc.jsonValue()));
    fc.assert(
      fc.property(arbitrary, (input) => {
        const { metadata = {}, ...properties } = parse(
          JSON.parse(JSON.stringify(input)),
        ).properties;
        for (const [name, entry] of Object.entries(properties)) {
          expect(kinds.get(kindOf(name, propertyKinds))?.(entry), name).toBe(true);
        }
        for (const [name, entry] of Object.entries(metadata)) {
          expect(kinds.get(kindOf(name, tagKinds))?.(entry), name).toBe(true);
        }
        expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(noProperties)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('cover art in the metadata', () => {
  const data = Buffer.from('an image').toString('base64');

  it('becomes an address, in the order of the alphabet', () => {
    const { properties, images } = parse({
      metadata: { artData: { data, extension: 'png' }, artist: ['A'], album: 'B' },
    });
    expect(images).toEqual([{ bytes: Buffer.from('an image'), extension: 'png' }]);
    expect(JSON.stringify(properties.metadata)).toBe(
      '{"album":"B","artUrl":"http://image/1","artist":["A"]}',
    );
  });

  it('is left out when there is an address already', () => {
    const { properties, images } = parse({
      metadata: { artData: { data, extension: 'png' }, artUrl: 'http://elsewhere' },
    });
    expect(images).toEqual([]);
    expect(properties.metadata).toEqual({ artUrl: 'http://elsewhere' });
  });

  it('stands in for an address of the wrong type', () => {
    const artData = { data, extension: 'png' };
    expect(parseTags({ artData, artUrl: 7 })).toEqual({ artUrl: 'http://image/1' });
  });

  it('may have line breaks in its text', () => {
    const { images } = parse({
      metadata: {
        artData: { data: `${data.slice(0, 4)}\r\n${data.slice(4)}\n`, extension: 'gif' },
      },
    });
    expect(images[0]?.bytes.toString()).toBe('an image');
  });

  it.each([
    ['text', 'is not an object'],
    [{ data }, 'has no texts'],
    [{ data: 7, extension: 'png' }, 'has no texts'],
    [{ data: '', extension: 'png' }, 'is empty'],
    [{ data: 'https://image', extension: 'png' }, 'is not base64'],
    [{ data: 'A'.repeat(4 + (maxImageBytes / 3) * 4), extension: 'png' }, 'is larger than'],
  ])('is left out when it is broken', (artData, fault) => {
    const { properties, dropped, images } = parse({ metadata: { artData, title: 'kept' } });
    expect(dropped).toEqual([expect.stringContaining(`metadata.artData ${fault}`)]);
    expect(images).toEqual([]);
    expect(properties.metadata).toEqual({ title: 'kept' });
  });
});
