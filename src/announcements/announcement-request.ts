import { RpcError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import { cutText } from '../base/foreign-text.ts';
import { likelyWord } from '../base/nearest-word.ts';
import { maxUrlLength } from '../base/net/open-url.ts';
import { type Priority, priorities } from './announcement-queue.ts';
import { chimeNames, isChime } from './chimes.ts';
import { Sound } from './sound.ts';

const maxTextLength = 5000;
const maxNames = 200;
const maxNameLength = 512;
const maxTagLength = 128;

interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  readonly isWhole?: boolean;
}

const duckRanges = {
  duck_db: { min: -60, max: 0, unit: 'dB' },
  attack_ms: { min: 5, max: 2000, unit: 'ms' },
  hold_ms: { min: 0, max: 5000, unit: 'ms' },
  release_ms: { min: 5, max: 10_000, unit: 'ms' },
  fade_in_ms: { min: 0, max: 2000, unit: 'ms' },
  fade_out_ms: { min: 0, max: 2000, unit: 'ms' },
  lead_ms: { min: 0, max: 10_000, unit: 'ms' },
  tail_ms: { min: 0, max: 10_000, unit: 'ms' },
} as const satisfies Readonly<Record<string, Range>>;

const ranges = {
  gain_db: { min: -60, max: 20, unit: 'dB' },
  volume: { min: 0, max: 100, unit: '%' },
  at: { min: 0, max: 8.64e15, unit: 'ms since 1970' },
  expire_ms: { min: 100, max: 86_400_000, unit: 'ms' },
  repeat: { min: 1, max: 10, isWhole: true },
  max_seconds: { min: 1, max: 600, unit: 's' },
} as const satisfies Readonly<Record<string, Range>>;

const texts = ['url', 'file', 'chime', 'text', 'pre', 'tag', 'priority', 'loudness'] as const;
const flags = ['replace', 'urgent', 'override_mute'] as const;
const sources = ['url', 'file', 'chime', 'text'] as const;
const loudnessModes = ['normal', 'follow', 'off'] as const;
export const targetKinds = ['clients', 'groups', 'streams'] as const;
export type TargetNameKind = (typeof targetKinds)[number];

type DuckKey = keyof typeof duckRanges;
type NumberKey = keyof typeof ranges;

export type DuckParameters = Readonly<Partial<Record<DuckKey, number>>>;

/** Whom an announcement is for, as the caller names them. */
export interface TargetNames {
  readonly clients: readonly string[];
  readonly groups: readonly string[];
  readonly streams: readonly string[];
  /** Every client that is connected. */
  readonly all: boolean;
}

type ClipOrigin =
  | { readonly kind: 'url' | 'file' | 'chime' | 'text'; readonly value: string }
  | { readonly kind: 'upload'; readonly bytes: Uint8Array }
  | { readonly kind: 'live'; readonly sound: Sound };

/** An announcement as it was asked for, with everything in its range. */
export interface AnnouncementRequest extends Readonly<Partial<Record<NumberKey, number>>> {
  readonly targets: TargetNames;
  readonly origin: ClipOrigin;
  readonly duck: DuckParameters;
  readonly pre?: string | undefined;
  readonly tag?: string | undefined;
  readonly priority: Priority;
  readonly loudness: (typeof loudnessModes)[number];
  readonly replace: boolean;
  /** Heard at once, at the price of a short dropout. */
  readonly urgent: boolean;
  readonly overridesMute: boolean;
}

const known: readonly string[] = [
  'targets',
  'duck',
  ...texts,
  ...flags,
  ...Object.keys(ranges),
  ...Object.keys(duckRanges),
];

/**
 * Reads the parameters of `Announce.Play`; those of the ducking may also stand beside the others.
 * What is played may be given as a file, or as a sound that is live.
 *
 * Failure: throws an `RpcError` that names the parameter and what is allowed.
 */
export function readAnnouncement(
  members: JsonObject,
  upload?: Uint8Array | Sound,
): AnnouncementRequest {
  const fields = new Fields(members);
  const duck = {
    ...numbersOf(fields.object('duck'), duckRanges),
    ...numbersOf(fields, duckRanges),
  };
  const urgent = fields.flag('urgent') ?? false;
  if (urgent && fields.has('at')) throw badParameter('urgent', 'it has a time: leave out at');
  return {
    targets: readTargets(members.targets),
    origin: readOrigin(fields, upload),
    duck,
    ...numbersOf(fields, ranges),
    pre: fields.text('pre', maxNameLength),
    tag: fields.text('tag', maxTagLength),
    priority: fields.word('priority', priorities) ?? (urgent ? 'high' : 'normal'),
    loudness: fields.word('loudness', loudnessModes) ?? 'normal',
    replace: fields.flag('replace') ?? false,
    urgent,
    overridesMute: fields.flag('override_mute') ?? false,
  };
}

/** Failure: throws an `RpcError`. */
function readTargets(value: unknown): TargetNames {
  const all = { clients: [], groups: [], streams: [], all: true };
  if (value === undefined || value === null) return all;
  if (!isObject(value)) throw badParameter('targets', 'it must be an object');
  const fields = new Fields(value, [...targetKinds, 'all'], 'targets.');
  const [clients = [], groups = [], streams = []] = targetKinds.map((kind) => fields.names(kind));
  const isAll = fields.flag('all') ?? false;
  const isEmpty = clients.length + groups.length + streams.length === 0;
  if (isEmpty && !isAll) {
    throw badParameter('targets', 'it names none: give clients, groups, streams, or "all": true');
  }
  return { clients, groups, streams, all: isAll };
}

/** Which of the announcements are meant. */
export interface AnnouncementChoice {
  readonly id?: string | undefined;
  readonly tag?: string | undefined;
  readonly targets?: TargetNames | undefined;
}

/** Reads the parameters of `Announce.Stop`. Failure: throws an `RpcError`. */
export function readChoice(members: JsonObject): AnnouncementChoice {
  const fields = new Fields(members, ['id', 'tag', 'targets']);
  const id = fields.text('id', maxNameLength);
  const tag = fields.text('tag', maxTagLength);
  const targets = fields.has('targets') ? readTargets(members.targets) : undefined;
  if (id === undefined && tag === undefined && !targets) {
    throw badParameter('id', 'nothing is named: give id, tag or targets');
  }
  return { id, tag, targets };
}

/**
 * The same parameters from the query of an address, where each is a text: `client`, `group` and
 * `stream` may come several times.
 *
 * Failure: throws an `RpcError`.
 */
export function membersOfQuery(query: URLSearchParams): JsonObject {
  const members: Record<string, unknown> = {};
  const targets: Partial<Record<(typeof targetKinds)[number], string[]>> & { all?: boolean } = {};
  for (const [key, text] of query) {
    const kind = targetKinds.find((name) => name === key || name === `${key}s`);
    if (kind) {
      targets[kind] ??= [];
      targets[kind].push(text);
    } else if (key === 'all') targets.all = truthOf(key, text);
    else if (flags.some((name) => name === key)) members[key] = truthOf(key, text);
    else if (Object.hasOwn(ranges, key) || Object.hasOwn(duckRanges, key)) {
      members[key] = text.trim() === '' ? text : Number(text);
    } else members[key] = text;
  }
  return Object.keys(targets).length > 0 ? { ...members, targets } : members;
}

function truthOf(key: string, text: string): boolean {
  if (/^(?:|1|true|yes|on)$/i.test(text)) return true;
  if (/^(?:0|false|no|off)$/i.test(text)) return false;
  throw badParameter(key, 'it must be true or false');
}

function readOrigin(fields: Fields, bytes: Uint8Array | Sound | undefined): ClipOrigin {
  const given = sources.filter((kind) => fields.has(kind));
  const [kind, ...more] = given;
  if (more.length > 0 || (kind && bytes)) {
    const names = [...given, ...(bytes ? ['an upload'] : [])].join(' and ');
    throw badParameter(kind ?? 'url', `${names} were given: give one of them`);
  }
  if (bytes instanceof Sound) return { kind: 'live', sound: bytes };
  if (bytes) return { kind: 'upload', bytes };
  if (!kind) throw badParameter('url', 'nothing is to be played: give url, file, chime or text');
  const longest = {
    url: maxUrlLength,
    text: maxTextLength,
    file: maxNameLength,
    chime: maxNameLength,
  };
  const value = fields.text(kind, longest[kind]) ?? '';
  if (value.trim() === '') throw badParameter(kind, 'it is empty');
  if (kind === 'chime' && !isChime(value)) {
    throw badParameter(kind, `allowed: ${chimeNames.join(', ')}`);
  }
  return { kind, value };
}

function numbersOf<Key extends string>(
  fields: Fields | undefined,
  of: Readonly<Record<Key, Range>>,
): Partial<Record<Key, number>> {
  const found: Partial<Record<Key, number>> = {};
  for (const key of Object.keys(of) as Key[]) {
    const value = fields?.number(key, of[key]);
    if (value !== undefined) found[key] = value;
  }
  return found;
}

/** The members of one object, each of which is known. Null counts as absent. */
class Fields {
  readonly #members: JsonObject;
  readonly #place: string;

  constructor(members: JsonObject, names: readonly string[] = known, place = '') {
    this.#members = members;
    this.#place = place;
    for (const name of Object.keys(members)) {
      if (names.includes(name)) continue;
      const likely = likelyWord(name, names);
      const advice = likely ? `${likely} may be meant` : `allowed: ${names.join(', ')}`;
      throw badParameter(`${place}${cutText(name, 40)}`, `it is unknown: ${advice}`);
    }
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  object(name: string): Fields | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.#bad(name, 'it must be an object');
    return new Fields(value, Object.keys(duckRanges), `${name}.`);
  }

  text(name: string, maxLength: number): string | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw this.#bad(name, 'it must be a string');
    if (value.length > maxLength) throw this.#bad(name, `allowed: ${maxLength} characters`);
    return value;
  }

  word<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.text(name, maxNameLength);
    const word = words.find((one) => one === value);
    if (value !== undefined && !word) throw this.#bad(name, `allowed: ${words.join(', ')}`);
    return word;
  }

  flag(name: string): boolean | undefined {
    const value = this.#value(name);
    if (value !== undefined && typeof value !== 'boolean') {
      throw this.#bad(name, 'it must be true or false');
    }
    return value;
  }

  number(name: string, { min, max, unit = '', isWhole = false }: Range): number | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const isRight = typeof value === 'number' && value >= min && value <= max;
    if (isRight && (!isWhole || Number.isInteger(value))) return value;
    const kind = isWhole ? 'a whole number' : 'a number';
    throw this.#bad(name, `allowed: ${kind} from ${min} to ${max}${unit && ` ${unit}`}`);
  }

  names(name: string): readonly string[] {
    const value = this.#value(name) ?? [];
    const isList = Array.isArray(value) && value.every((one) => typeof one === 'string');
    if (!isList) throw this.#bad(name, 'it must be an array of names or ids');
    if (value.length > maxNames) throw this.#bad(name, `allowed: ${maxNames} of them`);
    return value;
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? (this.#members[name] ?? undefined) : undefined;
  }

  #bad(name: string, fault: string): RpcError {
    return badParameter(`${this.#place}${name}`, fault);
  }
}

function badParameter(name: string, fault: string): RpcError {
  return new RpcError(-32602, 'Invalid params', `Parameter '${name}': ${fault}`);
}
