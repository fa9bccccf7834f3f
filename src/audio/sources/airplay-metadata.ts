import { cutText } from '../../base/foreign-text.ts';
import { type Metadata, noProperties, type StreamProperties } from '../stream-properties.ts';
import type { MetadataItem } from './metadata-items.ts';
import type { CoverKeeper } from './stream-source.ts';

/** RTP units: the rate of what AirPlay carries. */
const unitsPerSecond = 44_100;
const maxTextCharacters = 1000;
/** Attenuation in dB that senders call silence, and that of the lowest position of their slider. */
const mutedDb = -144;
const lowestDb = -30;

/** Tags of text, by code. Source: the metadata pipe of shairport-sync. */
const textTags: ReadonlyMap<string, string> = new Map([
  ['minm', 'title'],
  ['asal', 'album'],
]);
/** Tags of which there may be several, of which the pipe has one. */
const listTags: ReadonlyMap<string, string> = new Map([
  ['asar', 'artist'],
  ['asgn', 'genre'],
  ['ascp', 'composer'],
]);
const playStates: ReadonlyMap<string, NonNullable<StreamProperties['playbackStatus']>> = new Map([
  ['pbeg', 'playing'],
  ['prsm', 'playing'],
  ['pfls', 'paused'],
  ['pend', 'stopped'],
]);
const beginnings: readonly (readonly [extension: string, bytes: string])[] = [
  ['jpg', 'ffd8'],
  ['png', '89504e47'],
];

interface AirplayMetadataOptions {
  readonly tell: (properties: StreamProperties) => void;
  /** Absent: covers are shown nowhere. */
  readonly covers?: CoverKeeper | undefined;
}

/** What an AirPlay session plays, from the items that `shairport-sync` tells. */
export class AirplayMetadata {
  readonly #options: AirplayMetadataOptions;
  /** Of the set that has begun, and of the last one that has ended. */
  #coming: Record<string, string | number | readonly string[]> = {};
  #tags: Metadata = {};
  #comingCover: Buffer | undefined;
  #artUrl: string | undefined;
  #played: Partial<StreamProperties> = {};
  #durationSeconds: number | undefined;
  #told = JSON.stringify(noProperties);

  constructor(options: AirplayMetadataOptions) {
    this.#options = options;
  }

  take({ type, code, data }: MetadataItem): void {
    if (type === 'core') this.#takeTag(code, data);
    else if (type === 'ssnc') this.#takeSession(code, data);
  }

  /** Nothing plays any more. */
  close(): void {
    this.#options.covers?.forget();
    this.#options.tell(noProperties);
  }

  #takeTag(code: string, data: Buffer): void {
    const text = cutText(data.toString(), maxTextCharacters);
    const textTag = textTags.get(code);
    const listTag = listTags.get(code);
    if (textTag !== undefined && text !== '') this.#coming[textTag] = text;
    if (listTag !== undefined && text !== '') this.#coming[listTag] = [text];
    if (code === 'astm' && data.length === 4) this.#coming.duration = data.readUInt32BE() / 1000;
  }

  #takeSession(code: string, data: Buffer): void {
    const playbackStatus = playStates.get(code);
    if (playbackStatus) this.#played = { ...this.#played, playbackStatus };
    else if (code === 'prgr') this.#takeProgress(data.toString('latin1'));
    else if (code === 'pvol') this.#takeVolume(data.toString('latin1'));
    else if (code === 'mdst') this.#coming = {};
    else if (code === 'PICT') this.#comingCover = data;
    else if (code === 'pcen') this.#keepCover();
    else if (code === 'mden') this.#takeSet();
    else return;
    if (code !== 'mdst' && code !== 'PICT') this.#show();
  }

  #takeSet(): void {
    this.#tags = { ...this.#coming };
    if (this.#tags.duration !== undefined) this.#durationSeconds = undefined;
  }

  /** `start/current/end`; the units begin anew after 2^32. */
  #takeProgress(text: string): void {
    const [start, current, end] = text.split('/').map(Number);
    if (start === undefined || current === undefined || end === undefined) return;
    if (![start, current, end].every(Number.isFinite)) return;
    const secondsTo = (units: number) => ((units - start) >>> 0) / unitsPerSecond;
    this.#durationSeconds = secondsTo(end);
    this.#played = { ...this.#played, position: Math.min(secondsTo(current), secondsTo(end)) };
  }

  /** `airplay,volume,lowest,highest`, of which the first is what the slider of the sender shows. */
  #takeVolume(text: string): void {
    const db = Number(text.split(',', 1)[0] || Number.NaN);
    if (!Number.isFinite(db)) return;
    const share = 1 - Math.min(0, Math.max(lowestDb, db)) / lowestDb;
    this.#played = { ...this.#played, volume: Math.round(100 * share), mute: db <= mutedDb };
  }

  #keepCover(): void {
    const { covers } = this.#options;
    const bytes = this.#comingCover;
    this.#comingCover = undefined;
    if (!bytes || bytes.length === 0) {
      covers?.forget();
      this.#artUrl = undefined;
    } else {
      this.#artUrl = covers?.keep({ bytes, extension: extensionOf(bytes) });
    }
  }

  /** Sets are repeated during a song; controllers hear of what is new. */
  #show(): void {
    const duration = this.#durationSeconds ?? this.#tags.duration;
    const artUrl = this.#artUrl;
    const metadata: Metadata = {
      ...this.#tags,
      ...(duration !== undefined && { duration }),
      ...(artUrl !== undefined && { artUrl }),
    };
    const hasMetadata = Object.keys(metadata).length > 0;
    const properties = { ...noProperties, ...this.#played, ...(hasMetadata && { metadata }) };
    const told = JSON.stringify(properties);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.tell(properties);
  }
}

function extensionOf(bytes: Buffer): string {
  const start = bytes.toString('hex', 0, 4);
  return beginnings.find(([, beginning]) => start.startsWith(beginning))?.[0] ?? 'bin';
}
