import { describe, expect, it } from 'vitest';
import type { ClientRecord } from '../../../src/clients/client-record.ts';
import { Registry } from '../../../src/clients/registry.ts';
import { levelsFor } from '../../../src/players/mix-levels.ts';
import { helloOf } from '../../support/scripted-client.ts';

/** Those of these volumes, percent. */
function clientsAt(...volumes: readonly number[]): ClientRecord[] {
  const registry = new Registry({
    bufferMs: 1000,
    settings: () => ({ initialVolume: 100, maxClients: 200 }),
    nowMs: Date.now,
  });
  return volumes.map((volume, index) => {
    const hello = helloOf(`${index}`);
    const { client } = registry.join(`${index}`, { hello, address: '' });
    client.volume = volume;
    return client;
  });
}

const volumesOf = (levels: ReturnType<typeof levelsFor>) =>
  levels.map(({ clients }) => clients.map(({ volume }) => volume));

/** What a player at a volume makes of full scale, dB. */
const playedDb = (percent: number) => 20 * Math.log10((10 ** (percent / 100) - 1) / 9);

describe('the levels of a sound with a volume of its own', () => {
  it('are such that players at any volume play it equally loud, and the music as before', () => {
    for (const set of [1, 5, 20, 39, 40, 41, 60, 100]) {
      for (const volume of [1, 10, 40, 100]) {
        const [level] = levelsFor({ volume }, { clients: clientsAt(set), others: [] }, 4);
        const { gainDb, musicDb, raisedTo = set } = level!;
        expect(gainDb + playedDb(raisedTo), `${volume} at ${set}`).toBeCloseTo(playedDb(volume));
        expect(musicDb + playedDb(raisedTo)).toBeCloseTo(playedDb(set));
        expect(gainDb).toBeLessThanOrEqual(12 + 1e-9);
      }
    }
  });

  it('raise only those that 12 dB do not suffice for', () => {
    const raised = (set: number) =>
      levelsFor({ volume: 40 }, { clients: clientsAt(set), others: [] }, 4)[0]!.raisedTo;
    expect(raised(14)).toBeUndefined();
    expect(raised(13)).toBe(raised(1));
    expect(raised(1)).toBe(raised(0));
    expect(raised(0)).toBe(14);
  });

  it('are those of silence at 0 %', () => {
    const [level] = levelsFor({ volume: 0 }, { clients: clientsAt(50), others: [] }, 4);
    expect(level).toMatchObject({ musicDb: 0 });
    expect(level!.gainDb).toBeLessThan(-60);
  });

  it('are one for players that hardly differ', () => {
    const levels = levelsFor({ volume: 40 }, { clients: clientsAt(53, 50, 80, 49), others: [] }, 4);
    expect(volumesOf(levels)).toEqual([[49, 50], [53], [80]]);
  });

  it('are no more than allowed: then those that differ less share that of the quietest', () => {
    const clients = clientsAt(...Array.from({ length: 101 }, (_, percent) => percent));
    for (const most of [1, 2, 4]) {
      const levels = levelsFor({ volume: 60 }, { clients, others: [] }, most);
      expect(levels.length).toBeLessThanOrEqual(most);
      expect(volumesOf(levels).flat().sort()).toEqual(clients.map(({ volume }) => volume).sort());
      expect(levels[0]!.clients[0]!.volume).toBe(0);
    }
  });

  it('are not made for who is muted or away, who is given the nearest', () => {
    const [a, b, muted, away] = clientsAt(20, 80, 70, 0) as [
      ClientRecord,
      ClientRecord,
      ClientRecord,
      ClientRecord,
    ];
    muted.isMuted = true;
    const levels = levelsFor({ volume: 40 }, { clients: [a, muted, b], others: [a, away] }, 4);
    expect(volumesOf(levels)).toEqual([
      [20, 0],
      [80, 70],
    ]);
    expect(volumesOf(levelsFor({ volume: 40 }, { clients: [muted], others: [] }, 4))).toEqual([
      [70],
    ]);
  });

  it('are apart for those that are unmuted, who hear no music', () => {
    const clients = clientsAt(20, 30, 80, 81);
    clients[1]!.group.isMuted = true;
    clients[3]!.isMuted = true;
    const others = clientsAt(10);
    const heard = (volume?: number) =>
      levelsFor({ volume, overridesMute: true }, { clients, others }, 4);
    expect(volumesOf(heard())).toEqual([
      [20, 80, 10],
      [30, 81],
    ]);
    expect(volumesOf(heard(50))).toEqual([[20, 10], [80], [30], [81]]);
    for (const { isUnmuted, musicDb, gainDb, clients } of heard()) {
      expect(gainDb).toBe(0);
      expect(isUnmuted).toBe(clients.length === 2);
      if (isUnmuted) expect(musicDb).toBeLessThanOrEqual(-60);
      else expect(musicDb).toBe(0);
    }
    expect(levelsFor({ overridesMute: true }, { clients, others }, 1)).toHaveLength(2);
  });
});
