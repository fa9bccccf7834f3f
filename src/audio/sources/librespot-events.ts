import { isObject } from '../../base/files/json-fields.ts';
import { cutText, parseJson } from '../../base/foreign-text.ts';
import { LineReader } from '../../base/net/line-reader.ts';
import { type Metadata, noProperties, type StreamProperties } from '../stream-properties.ts';

const maxLineBytes = 8192;
const maxTextCharacters = 1000;
const fullVolume = 65_535;
/** A title of the log, as `<Title> (310573 ms) loaded`. */
const loadedTitle = /<(.+)> \((\d+) ms\) loaded/;

/** One event, by the names of its variables. Source: `--onevent` of librespot. */
type Event = Readonly<Record<string, unknown>>;

const playStates: ReadonlyMap<unknown, StreamProperties['playbackStatus']> = new Map([
  ['playing', 'playing'],
  ['paused', 'paused'],
  ['stopped', 'stopped'],
  ['session_disconnected', 'stopped'],
]);
const moves: readonly unknown[] = ['playing', 'paused', 'stopped', 'seeked', 'position_correction'];

/** What librespot plays, from the events that its hook tells and, until there are any, from its log. */
export class LibrespotEvents {
  readonly #tell: (properties: StreamProperties) => void;
  #lines = new LineReader(() => maxLineBytes);
  #trackId: string | undefined;
  /** Of a track that is not the present one: that it is now may be told later. */
  #early: Event | undefined;
  #hasEvents = false;
  #properties: StreamProperties = noProperties;

  constructor(tell: (properties: StreamProperties) => void) {
    this.#tell = tell;
  }

  /** Takes what has come through the fifo of the hook. */
  write(data: Buffer): void {
    this.#lines.push(data);
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      const event = parsedLine(line);
      if (event) this.#take(event);
    }
    if (this.#lines.isOverlong) this.#lines = new LineReader(() => maxLineBytes);
  }

  /** Takes a line of the log. */
  takeLog(line: string): void {
    const [, title, ms] = this.#hasEvents ? [] : (loadedTitle.exec(line) ?? []);
    if (title === undefined) return;
    this.#show({ metadata: { title, duration: Number(ms) / 1000 } });
  }

  #take(event: Event): void {
    const kind = event.PLAYER_EVENT;
    this.#hasEvents = true;
    if (kind === 'track_changed') this.#changeTrack(event);
    else if (moves.includes(kind)) this.#move(event);
    else if (kind === 'session_disconnected') this.#show({ playbackStatus: 'stopped' });
    else if (kind === 'volume_changed' || kind === 'volume_set') this.#changeVolume(event);
    else if (kind === 'shuffle_changed') this.#show({ shuffle: event.SHUFFLE === 'true' });
    else if (kind === 'repeat_changed') this.#show({ loopStatus: loopStatusOf(event) });
  }

  #changeTrack(event: Event): void {
    this.#trackId = textOf(event.TRACK_ID);
    const { position: _, ...others } = this.#properties;
    this.#properties = others;
    this.#show({ metadata: metadataOf(event) });
    const early = this.#early;
    this.#early = undefined;
    if (early && early.TRACK_ID === this.#trackId) this.#move(early);
  }

  /** Each event runs a process of its own, so one of the track before may come late. */
  #move(event: Event): void {
    if (this.#trackId !== undefined && event.TRACK_ID !== this.#trackId) {
      this.#early = event;
      return;
    }
    const playbackStatus = playStates.get(event.PLAYER_EVENT);
    const ms = numberOf(event.POSITION_MS);
    this.#show({
      ...(playbackStatus && { playbackStatus }),
      ...(ms !== undefined && { position: ms / 1000 }),
    });
  }

  #changeVolume(event: Event): void {
    const volume = numberOf(event.VOLUME);
    if (volume === undefined) return;
    this.#show({ volume: Math.round((100 * Math.min(volume, fullVolume)) / fullVolume) });
  }

  #show(changed: Partial<StreamProperties>): void {
    const before = JSON.stringify(this.#properties);
    this.#properties = { ...this.#properties, ...changed };
    if (JSON.stringify(this.#properties) !== before) this.#tell(this.#properties);
  }
}

function parsedLine(line: string): Event | undefined {
  try {
    const event = parseJson(line);
    return isObject(event) ? event : undefined;
  } catch {
    return undefined;
  }
}

function metadataOf(event: Event): Metadata {
  const show = textOf(event.SHOW_NAME);
  const duration = numberOf(event.DURATION_MS);
  const published = numberOf(event.PUBLISH_TIME);
  const tags = {
    title: textOf(event.NAME),
    artist: listOf(event.ARTISTS),
    album: textOf(event.ALBUM) ?? show,
    albumArtist: listOf(event.ALBUM_ARTISTS),
    trackNumber: numberOf(event.NUMBER),
    discNumber: numberOf(event.DISC_NUMBER),
    duration: duration === undefined ? undefined : duration / 1000,
    contentCreated: published === undefined ? undefined : dateOf(published),
    artUrl: listOf(event.COVERS)?.[0],
    url: textOf(event.URI),
  };
  const known = Object.entries(tags).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as Metadata;
}

function textOf(value: unknown): string | undefined {
  return (typeof value === 'string' && cutText(value, maxTextCharacters)) || undefined;
}

/** Lists are separated by line feeds. */
function listOf(value: unknown): readonly string[] | undefined {
  const entries = textOf(value)?.split('\n').filter(Boolean) ?? [];
  return entries.length > 0 ? entries : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}

function dateOf(seconds: number): string | undefined {
  const date = new Date(1000 * seconds);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function loopStatusOf(event: Event): NonNullable<StreamProperties['loopStatus']> {
  if (event.REPEAT_TRACK === 'true') return 'track';
  return event.REPEAT === 'true' ? 'playlist' : 'none';
}
