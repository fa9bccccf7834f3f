import type { ClientRecord } from '../clients/client-record.ts';
import { isMuted } from '../clients/registry.ts';

/** A sound is not made louder by more: the limiter would flatten it. */
const maxGainDb = 12;
/** Levels that differ by less are one. */
const leastStepDb = 1;
/** Levels of one mix on one stream: beyond the first, each is one more encoding. */
export const maxLevels = 4;
/** What a player at 0 % plays counts as so loud, as silence has no decibels. */
const leastGain = 1e-4;
const silenceDb = 20 * Math.log10(leastGain);

/** Who is to hear a mix in the same way, and how that is. */
interface MixLevel {
  readonly clients: readonly ClientRecord[];
  /** Of the sound, and of the music beside what it goes down for the sound: dB. */
  readonly gainDb: number;
  readonly musicDb: number;
  /** Players that are set lower have to be at this volume meanwhile, percent. */
  readonly raisedTo?: number;
  /** Players have not to be muted meanwhile. */
  readonly isUnmuted: boolean;
}

interface Wishes {
  /** So loud as players at this volume play it, percent; absent: as each is set. */
  readonly volume?: number | undefined;
  /** Who is muted is to hear the sound, and nothing else. */
  readonly overridesMute?: boolean | undefined;
}

interface Listeners {
  readonly clients: readonly ClientRecord[];
  /** Those who may come: no level is made for them alone. */
  readonly others: readonly ClientRecord[];
}

/**
 * How loud a sound has to be so that each player plays it as it would at `volume`, whatever it is set
 * to; where the gain that takes is too much players are to be raised, and the music lowered by as much.
 *
 * Those whose levels differ by less than 1 dB share one, that of the quietest player among them; so do
 * more, by 2 dB, 4 dB …, as far as `most` levels demand. Those that have to be unmuted are apart.
 */
export function levelsFor(
  { volume, overridesMute = false }: Wishes,
  { clients, others }: Listeners,
  most: number,
): readonly MixLevel[] {
  const muted = clients.filter(isMuted);
  const audible = clients.filter((client) => !isMuted(client));
  const heard = audible.length > 0 ? audible : clients;
  const kinds = overridesMute ? [audible, muted] : [heard];
  const sorted = kinds.map((some) => [...some].sort((a, b) => a.volume - b.volume));
  const within = (stepDb: number) => sorted.flatMap((some) => groupsWithin(stepDb, some));
  let groups = volume === undefined ? within(-2 * silenceDb) : within(leastStepDb);
  for (let stepDb = 2 * leastStepDb; groups.length > most && stepDb < -2 * silenceDb; stepDb *= 2)
    groups = within(stepDb);
  const levels = groups.map((group) => {
    const [{ volume: set } = { volume: 0 }] = group;
    const level = volume === undefined ? { gainDb: 0, musicDb: 0 } : levelFor(volume, set);
    const isUnmuted = overridesMute && group.some(isMuted);
    return { clients: group, ...level, isUnmuted, ...(isUnmuted && { musicDb: silenceDb }) };
  });
  const rest = new Set([...clients, ...others]);
  for (const client of groups.flat()) rest.delete(client);
  for (const client of rest) {
    const alike = levels.filter(
      ({ isUnmuted }) => isUnmuted === (overridesMute && isMuted(client)),
    );
    nearest(
      (alike.length > 0 ? alike : levels).map(({ clients }) => clients),
      client,
    )?.push(client);
  }
  return levels;
}

/** Of players by their volume; the first of each group is the quietest one. */
function groupsWithin(stepDb: number, byVolume: readonly ClientRecord[]): ClientRecord[][] {
  const groups: ClientRecord[][] = [];
  for (const client of byVolume) {
    const group = groups.at(-1);
    if (group && distanceDb(group[0]!, client) < stepDb) group.push(client);
    else groups.push([client]);
  }
  return groups;
}

function nearest(
  groups: readonly ClientRecord[][],
  client: ClientRecord,
): ClientRecord[] | undefined {
  const distances = groups.map(([first]) => distanceDb(first!, client));
  return groups[distances.indexOf(Math.min(...distances))];
}

function distanceDb(a: ClientRecord, b: ClientRecord): number {
  return Math.abs(volumeDb(a.volume) - volumeDb(b.volume));
}

function levelFor(wanted: number, set: number): Omit<MixLevel, 'clients' | 'isUnmuted'> {
  const gainDb = volumeDb(wanted) - volumeDb(set);
  if (gainDb <= maxGainDb) return { gainDb, musicDb: 0 };
  const raisedTo = Math.ceil(percentAt(volumeDb(wanted) - maxGainDb));
  return {
    gainDb: volumeDb(wanted) - volumeDb(raisedTo),
    musicDb: volumeDb(set) - volumeDb(raisedTo),
    raisedTo,
  };
}

/** Source: the software mixer of `snapclient`, as it is without options: exponential, to the base 10. */
function volumeDb(percent: number): number {
  return 20 * Math.log10(Math.max(leastGain, (10 ** (percent / 100) - 1) / 9));
}

function percentAt(db: number): number {
  return 100 * Math.log10(1 + 9 * 10 ** (db / 20));
}
