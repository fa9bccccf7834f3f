import { describe, expect, it, vi } from 'vitest';
import {
  DescriptorGuard,
  descriptorShortage,
  procFacts,
} from '../../../src/transport/descriptor-guard.ts';
import { openDescriptors } from '../../support/fifo.ts';
import { LogLines } from '../../support/log-lines.ts';

/** Of 200 descriptors 25 are reserved. */
const limit = 200;

function guarded(facts: { open: number; limit?: number | undefined }) {
  const log = new LogLines();
  let counts = 0;
  const guard = new DescriptorGuard(log, {
    limit: () => ('limit' in facts ? facts.limit : limit),
    open: () => {
      counts += 1;
      return facts.open;
    },
  });
  return { guard, log, facts, counts: () => counts };
}

describe('the guard of the descriptors', () => {
  it('lets in while more than the reserve is left, and says once that it does not', () => {
    const { guard, log } = guarded({ open: 170 });
    expect([guard.take(1, 1), guard.take(1, 1), guard.take(1, 1)]).toEqual([true, true, true]);
    expect(guard.take(1, 1)).toBe(false);
    expect(log.lines.map(({ phrase, fields }) => [phrase, fields.open, fields.limit])).toEqual([
      ['no descriptors to spare: new connections are refused', 175, limit],
    ]);
  });

  it('lets in again when there is a little more room than it takes', () => {
    const { guard, log } = guarded({ open: 175 });
    expect(guard.take(1, 1)).toBe(false);
    guard.give(4);
    expect(guard.take(1, 1)).toBe(false);
    guard.give(6);
    expect(guard.take(1, 1)).toBe(true);
    expect(log.lines.at(-1)?.phrase).toBe(
      'descriptors are free again: new connections are accepted',
    );
    expect(log.lines).toHaveLength(2);
  });

  it('counts once a second at most, and then knows what else was opened', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { guard, facts, counts } = guarded({ open: 100 });
      for (let count = 0; count < 20; count += 1) expect(guard.take(1, 1)).toBe(true);
      expect(counts()).toBe(1);
      facts.open = 190;
      vi.advanceTimersByTime(1000);
      expect(guard.take(1, 1)).toBe(false);
      expect(counts()).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('lets everybody in where nobody tells the limit', () => {
    const { guard, log } = guarded({ open: 10_000, limit: undefined });
    expect(guard.take(1, 1)).toBe(true);
    guard.warnAbout(5000, 2);
    expect(log.lines).toEqual([]);
  });

  it.each([
    [72, undefined],
    [73, 72],
  ])('says at the start whether %i players fit', (maxPlayers, fits) => {
    const { guard, log } = guarded({ open: 30 });
    guard.warnAbout(maxPlayers, 2);
    expect(log.lines[0]?.fields.fits).toBe(fits);
  });

  it.each([
    [87, 1],
    [43, 2],
  ])(
    'leaves one address %i connections of %i descriptors, half of what there is',
    (count, each) => {
      const { guard } = guarded({ open: 30 });
      guard.warnAbout(1, each);
      expect(guard.connectionsPerAddress(each)).toBe(count);
    },
  );

  it('leaves one address all where nobody tells the limit, and one connection in any case', () => {
    expect(guarded({ open: 1, limit: undefined }).guard.connectionsPerAddress(2)).toBe(Infinity);
    const { guard } = guarded({ open: 1, limit: 10 });
    guard.warnAbout(1, 2);
    expect(guard.connectionsPerAddress(2)).toBe(1);
  });

  it('asks the system', () => {
    expect(procFacts.limit()).toBeGreaterThan(0);
    expect(procFacts.open()).toBe(openDescriptors() - 1);
  });
});

describe('the descriptors for a start', () => {
  const shortage = (limit: number | undefined, open: number | undefined) =>
    descriptorShortage({ limit: () => limit, open: () => open });

  it('are so many beside those that are open already', () => {
    expect(shortage(120, 20)).toBeUndefined();
    expect(shortage(119, 20)).toBe(
      'this process may have 119 open files, and 120 are needed: ' +
        'raise "ulimit -n", or LimitNOFILE of the service',
    );
    expect(shortage(1024, 1000)).toContain('1024 open files, and 1100 are needed');
  });

  it('are missing when not even they can be counted, and enough where nobody says so', () => {
    expect(shortage(19, undefined)).toContain('19 open files, and 119 are needed');
    expect(shortage(undefined, 20)).toBeUndefined();
  });
});
