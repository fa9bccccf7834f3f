import { signal } from '@preact/signals';
import type { SoundFile } from './sound-file.ts';

export const sounds = ['chime', 'clip', 'voice', 'text'] as const;
export type SoundKind = (typeof sounds)[number];
export type TargetKind = 'all' | 'groups' | 'streams';
export const priorities = ['low', 'normal', 'high'] as const;
export const loudnessModes = ['normal', 'follow', 'off'] as const;

/** What is to be announced, as far as it is chosen. */
export interface Draft {
  readonly sound: SoundKind;
  readonly chime: string;
  readonly clip: string;
  readonly file: SoundFile | undefined;
  readonly text: string;
  readonly targets: TargetKind;
  readonly groups: readonly string[];
  readonly streams: readonly string[];
  /** Absent: that of the server. */
  readonly duckDb: number | undefined;
  /** Absent: as each player is set. */
  readonly volume: number | undefined;
  readonly gainDb: number;
  readonly pre: string;
  readonly repeat: number;
  readonly priority: '' | (typeof priorities)[number];
  readonly loudness: (typeof loudnessModes)[number];
  readonly isUrgent: boolean;
  readonly overridesMute: boolean;
}

export const draft = signal<Draft>({
  sound: 'chime',
  chime: 'dingdong',
  clip: '',
  file: undefined,
  text: '',
  targets: 'all',
  groups: [],
  streams: [],
  duckDb: undefined,
  volume: undefined,
  gainDb: 0,
  pre: '',
  repeat: 1,
  priority: '',
  loudness: 'normal',
  isUrgent: false,
  overridesMute: false,
});

export function change(part: Partial<Draft>): void {
  draft.value = { ...draft.peek(), ...part };
}

/** What still has to be chosen. */
export function missingIn(of: Draft): 'sound' | 'targets' | undefined {
  const { clip, chime, file, text } = of;
  const isChosen = { clip: clip !== '', chime: chime !== '', voice: file, text: text.trim() };
  if (!isChosen[of.sound]) return 'sound';
  return of.targets !== 'all' && of[of.targets].length === 0 ? 'targets' : undefined;
}

/** Parameters of `Announce.Play`, without the sound of a file, which goes as the body of the request. */
export function parametersOf(of: Draft): Readonly<Record<string, unknown>> {
  const source = { chime: of.chime, file: of.clip, text: of.text.trim() };
  const name = { chime: 'chime', clip: 'file', text: 'text', voice: undefined } as const;
  const parameter = name[of.sound];
  return {
    ...(parameter && { [parameter]: source[parameter] }),
    ...(of.sound === 'voice' && of.file && { tag: of.file.name }),
    targets: of.targets === 'all' ? { all: true } : { [of.targets]: of[of.targets] },
    ...(of.duckDb !== undefined && { duck_db: of.duckDb }),
    ...(of.volume !== undefined && { volume: of.volume }),
    ...(of.gainDb !== 0 && { gain_db: of.gainDb }),
    ...(of.pre !== '' && { pre: of.pre }),
    ...(of.repeat !== 1 && { repeat: of.repeat }),
    ...(of.priority !== '' && { priority: of.priority }),
    ...(of.loudness !== 'normal' && { loudness: of.loudness }),
    ...(of.isUrgent && { urgent: true }),
    ...(of.overridesMute && { override_mute: true }),
  };
}

/** The same as the query of an address. */
export function queryOf(parameters: Readonly<Record<string, unknown>>): URLSearchParams {
  const { targets, ...rest } = parameters;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) query.append(name, String(value));
  for (const [kind, value] of Object.entries(targets ?? {})) {
    if (kind === 'all') query.append('all', 'true');
    else for (const id of value) query.append(kind.slice(0, -1), id);
  }
  return query;
}
