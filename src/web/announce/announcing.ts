import { effect, signal } from '@preact/signals';
import { attempt } from '../control/actions.ts';
import { entered, link, onNotification } from '../control/server.ts';
import { type Draft, parametersOf, queryOf } from './draft.ts';
import { upload } from './upload.ts';

const ends = ['done', 'stopped', 'interrupted', 'expired', 'error'] as const;
type State = 'queued' | 'fetching' | 'playing' | (typeof ends)[number];
/** So long one that is over is shown. */
const afterEndMs = 8000;

/** Source: protocol reference, 9.7. */
export interface Targets {
  readonly clients?: readonly string[];
  readonly groups?: readonly string[];
  readonly streams?: readonly string[];
  readonly all?: boolean;
}

interface StatusObject {
  readonly id: string;
  readonly state: State;
  readonly targets: Targets;
  readonly tag?: string;
  readonly heardIn?: number;
  readonly duration?: number;
  readonly reason?: string;
}

export interface Announcement extends StatusObject {
  /** When it is heard, by the clock of `performance.now()`. */
  readonly heardMs: number | undefined;
}

interface ClipObject {
  readonly name: string;
  readonly duration?: number;
  readonly fault?: string;
}

/** What can be announced. */
interface Repertoire {
  readonly chimes: readonly string[];
  readonly clips: readonly ClipObject[];
  readonly speech: boolean;
  readonly duck_db: number;
  readonly limits: { readonly seconds: number; readonly upload_bytes: number };
}

export interface RecentObject {
  readonly id: string;
  readonly kind: 'chime' | 'file' | 'text' | 'url' | 'upload';
  readonly label: string;
  readonly targets: Targets;
  readonly again: boolean;
}

export const repertoire = signal<Repertoire | undefined>(undefined);
export const recent = signal<readonly RecentObject[]>([]);
/** Those that go on, and those that were over just now, in the order in which they were asked for. */
export const announcements = signal<readonly Announcement[]>([]);

export function isOver({ state }: Announcement): boolean {
  return ends.some((end) => end === state);
}

effect(() => {
  if (entered.value > 0) void load();
});
onNotification('Announce.OnUpdate', (params) => take(params as unknown as StatusObject));
onNotification('Clips.OnUpdate', () => void loadRepertoire());

async function load(): Promise<void> {
  await Promise.all([loadRepertoire(), loadRecent(), loadRunning()]);
  // From now on it tells when the library changes.
  await ask('Clips.GetClips');
}

async function loadRepertoire(): Promise<void> {
  repertoire.value = (await ask<Repertoire>('Announce.GetClips')) ?? repertoire.peek();
}

async function loadRecent(): Promise<void> {
  const answer = await ask<{ announcements: RecentObject[] }>('Announce.GetRecent');
  recent.value = answer?.announcements ?? [];
}

async function loadRunning(): Promise<void> {
  const answer = await ask<{ announcements: StatusObject[] }>('Announce.List');
  announcements.value = (answer?.announcements ?? []).map(timed);
}

/** `undefined`: this user may not ask that. */
async function ask<T>(method: string): Promise<T | undefined> {
  try {
    return (await link.request(method)) as T;
  } catch {
    return undefined;
  }
}

function timed(status: StatusObject): Announcement {
  const { heardIn } = status;
  return { ...status, heardMs: heardIn === undefined ? undefined : performance.now() + heardIn };
}

function take(status: StatusObject): void {
  const announcement = timed(status);
  const known = announcements.peek();
  const isKnown = known.some(({ id }) => id === status.id);
  announcements.value = isKnown
    ? known.map((one) => (one.id === status.id ? announcement : one))
    : [...known, announcement];
  if (!isKnown) void loadRecent();
  if (!isOver(announcement)) return;
  setTimeout(() => {
    announcements.value = announcements.peek().filter(({ id }) => id !== status.id);
  }, afterEndMs);
}

/**
 * Sends it; `onPart` is told how much of a sound is on its way, 0 to 1.
 *
 * Failure: rejects with an `Error`, whose text begins with the code of the fault or names the parameter.
 */
export async function send(draft: Draft, onPart: (part: number) => void): Promise<void> {
  const parameters = parametersOf(draft);
  if (draft.sound !== 'voice' || !draft.file) {
    take((await link.request('Announce.Play', parameters)) as StatusObject);
    return;
  }
  const path = `announce?${queryOf(parameters)}`;
  take((await upload(path, draft.file.wav, onPart)) as StatusObject);
}

export async function playAgain(id: string): Promise<void> {
  const status = await attempt('Announce.PlayAgain', { id });
  if (status) take(status as StatusObject);
}

export function stop(id: string): void {
  void attempt('Announce.Stop', { id });
}

/** Failure: rejects with an `Error` of the form `code: what to do`. */
export async function keepClip(
  name: string,
  wav: Uint8Array<ArrayBuffer>,
  onPart: (part: number) => void,
): Promise<void> {
  await upload(`clips/${encodeURIComponent(name)}`, wav, onPart);
  await loadRepertoire();
}
