import type { Metadata, StreamProperties } from '../../audio/stream-properties.ts';
import { isObject, type JsonObject } from '../../base/files/json-fields.ts';
import { cutText } from '../../base/foreign-text.ts';
import { maxImageBytes } from '../image-store.ts';

/** One tag: lyrics fit; a page of them would be sent to every controller again and again. */
export const maxTagCharacters = 65_536;
/** Whole numbers beyond do not fit into the integers of controllers. */
const maxInteger = 2 ** 31 - 1;
/** Foreign names are cut before a warning repeats them. */
const maxNameCharacters = 64;

export interface CoverArt {
  readonly bytes: Buffer;
  readonly extension: string;
}

interface PropertiesContext {
  /** What is kept when the script sends none. */
  readonly metadata: Metadata | undefined;
  /** Takes the image that came with the metadata; returns its address. */
  readonly keepImage: (image: CoverArt) => string;
  /** Takes what was left out, and why. */
  readonly drop: (name: string, fault: string) => void;
}

/** Returns the value in the form in which it is kept, or `undefined` when it cannot be used. */
type Reader = (value: unknown) => unknown;
type Readers = readonly (readonly [name: string, read: Reader, expected: string])[];

const ofType =
  (type: 'boolean' | 'string'): Reader =>
  (value) =>
    typeof value === type ? value : undefined;

const readFloat: Reader = (value) => (Number.isFinite(value) ? value : undefined);

const readInteger: Reader = (value) =>
  Number.isInteger(value) && Math.abs(Number(value)) <= maxInteger ? value : undefined;

const readText: Reader = (value) =>
  typeof value === 'string' && value.length <= maxTagCharacters ? value : undefined;

const readTexts: Reader = (value) => {
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) return undefined;
  // An empty text counts as well: a list of nothing else is no shorter in JSON.
  const characters = value.reduce<number>((sum, entry: string) => sum + entry.length + 1, 0);
  return characters <= maxTagCharacters ? value : undefined;
};

const readPlaybackStatus: Reader = (value) => {
  if (typeof value !== 'string') return undefined;
  return ['playing', 'paused', 'stopped'].includes(value) ? value : 'unknown';
};

const readLoopStatus: Reader = (value) =>
  ['none', 'track', 'playlist'].some((known) => known === value) ? value : undefined;

const flag = [ofType('boolean'), 'true or false'] as const;
const float = [readFloat, 'a number'] as const;
const integer = [readInteger, 'a whole number'] as const;
const text = [readText, 'a text of bearable length'] as const;
const texts = [readTexts, 'a list of texts of bearable length'] as const;

const capabilities = [
  'canControl',
  'canGoNext',
  'canGoPrevious',
  'canPause',
  'canPlay',
  'canSeek',
] as const;

// Both tables are in the order of the alphabet, which is that of the JSON for controllers.
// Source: protocol reference, 16.5.
const propertyReaders: Readers = [
  ...capabilities.map((name) => [name, ...flag] as const),
  ['loopStatus', readLoopStatus, 'none, track or playlist'],
  ['maximumRate', ...float],
  ['metadata', (value) => (isObject(value) ? value : undefined), 'an object'],
  ['minimumRate', ...float],
  ['mute', ...flag],
  ['playbackStatus', readPlaybackStatus, 'a text'],
  ['position', ...float],
  ['rate', ...float],
  ['shuffle', ...flag],
  ['volume', ...integer],
];

const tagReaders: Readers = [
  ['album', ...text],
  ['albumArtist', ...texts],
  ['albumArtistSort', ...texts],
  ['albumSort', ...text],
  ['artUrl', ...text],
  ['artist', ...texts],
  ['artistSort', ...texts],
  ['autoRating', ...float],
  ['bpm', ...integer],
  ['comment', ...texts],
  ['composer', ...texts],
  ['conductor', ...text],
  ['contentCreated', ...text],
  ['date', ...text],
  ['discNumber', ...integer],
  ['duration', ...float],
  ['firstUsed', ...text],
  ['genre', ...texts],
  ['grouping', ...text],
  ['label', ...text],
  ['lastUsed', ...text],
  ['lyricist', ...texts],
  ['lyrics', ...text],
  ['musicbrainzAlbumArtistId', ...text],
  ['musicbrainzAlbumId', ...text],
  ['musicbrainzArtistId', ...text],
  ['musicbrainzReleaseTrackId', ...text],
  ['musicbrainzTrackId', ...text],
  ['musicbrainzWorkId', ...text],
  ['name', ...text],
  ['originalDate', ...text],
  ['performer', ...text],
  ['spotifyArtistId', ...text],
  ['spotifyTrackId', ...text],
  ['title', ...text],
  ['trackId', ...text],
  ['trackNumber', ...integer],
  ['url', ...text],
  ['useCount', ...integer],
  ['userRating', ...float],
  ['work', ...text],
];

/**
 * Reads the properties that a control script sends, which replace all that it sent before, but
 * for metadata when there is none.
 *
 * Shape: any JSON goes in; unknown entries and those of a wrong type are left out.
 * Source: protocol reference, 16.4 and 16.5.
 */
export function parseProperties(json: JsonObject, context: PropertiesContext): StreamProperties {
  const { drop } = context;
  const found = readKnown(json, propertyReaders, drop);
  const { metadata } = found;
  const kept = isObject(metadata) ? parseMetadata(metadata, context) : context.metadata;
  const properties: Record<string, unknown> = {};
  for (const [name] of propertyReaders) {
    const value = name === 'metadata' ? kept : found[name];
    if (value !== undefined) properties[name] = value;
    else if (capabilities.some((capability) => capability === name)) properties[name] = false;
  }
  return properties as unknown as StreamProperties;
}

function parseMetadata(json: JsonObject, context: PropertiesContext): Metadata {
  const { artData, ...tags } = json;
  const found = readKnown(tags, tagReaders, (name, fault) =>
    context.drop(`metadata.${name}`, fault),
  );
  const artUrl = found.artUrl ?? addressOf(artData ?? undefined, context);
  const metadata: Record<string, unknown> = {};
  for (const [name] of tagReaders) {
    const value = name === 'artUrl' ? artUrl : found[name];
    if (value !== undefined) metadata[name] = value;
  }
  return metadata as Metadata;
}

/** Picks the entries that the table knows; null counts as missing. */
function readKnown(
  json: JsonObject,
  readers: Readers,
  drop: PropertiesContext['drop'],
): Record<string, unknown> {
  const unread = new Set(Object.keys(json));
  const found: Record<string, unknown> = {};
  for (const [name, read, expected] of readers) {
    if (!unread.delete(name)) continue;
    const value = json[name] ?? undefined;
    if (value === undefined) continue;
    found[name] = read(value);
    if (found[name] === undefined) drop(name, `is not ${expected}`);
  }
  for (const name of unread) drop(cutText(name, maxNameCharacters), 'is not known');
  return found;
}

/** The address of the image in `artData`, which is not passed on itself. */
function addressOf(artData: unknown, { keepImage, drop }: PropertiesContext): string | undefined {
  if (artData === undefined) return undefined;
  const image = isObject(artData) ? decodeImage(artData) : 'is not an object';
  if (typeof image === 'object') return keepImage(image);
  drop('metadata.artData', image);
  return undefined;
}

/** Returns a fault in place of an image that cannot be used. */
function decodeImage({ data, extension }: JsonObject): CoverArt | string {
  if (typeof data !== 'string' || typeof extension !== 'string') {
    return 'has no texts "data" and "extension"';
  }
  if (/[^A-Za-z0-9+/=\s]/.test(data)) return 'is not base64';
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length === 0) return 'is empty';
  if (bytes.length > maxImageBytes) return `is larger than ${maxImageBytes} bytes`;
  return { bytes, extension };
}
