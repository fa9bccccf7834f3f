import { describe, expect, it } from 'vitest';
import type { Culprit, Reason, VerdictLevel } from '../../../src/observing/sync-message.ts';
import { rules, type VerdictFacts, verdict } from '../../../src/observing/verdict.ts';

/** A player that is well, on a machine that tells all. */
const well: VerdictFacts = {
  isBroken: false,
  bufferMs: 1000,
  sourceLate: 0,
  sourceFast: 0,
  sourceSilent: 0,
  serverBroke: 0,
  stalledMs: 0,
  loopDelayMs: 4,
  encodeShare: 0.01,
  encoderDropped: 0,
  queuedBytes: 1000,
  ackAgeMs: 20,
  timeouts: 0,
  resentPerSecond: 0,
  roundTripMs: 3,
  queueMs: 190,
  receiverLimitedShare: 0,
  silentMs: 700,
  skippedChunks: 0,
  busyMs: 0,
  connectionsPerMinute: 1,
  driftPpm: 12,
  ownErrorMs: 0.2,
  ownJumps: 0,
};

/** Without the addon. */
const unmeasured: Partial<Record<keyof VerdictFacts, undefined>> = {
  queuedBytes: undefined,
  ackAgeMs: undefined,
  timeouts: undefined,
  resentPerSecond: undefined,
  roundTripMs: undefined,
  queueMs: undefined,
  receiverLimitedShare: undefined,
  driftPpm: undefined,
  ownErrorMs: undefined,
};

type Changes = { readonly [Name in keyof VerdictFacts]?: VerdictFacts[Name] | undefined };

function judged(changes: Changes) {
  const facts = Object.fromEntries(
    Object.entries({ ...well, ...changes }).filter(([, value]) => value !== undefined),
  );
  return verdict(facts as unknown as VerdictFacts);
}

const table: readonly (readonly [Culprit, VerdictLevel, Reason, Changes])[] = [
  ['source', 'bad', 'streamBroken', { isBroken: true }],
  ['source', 'bad', 'sourceLate', { sourceLate: 1 }],
  ['source', 'bad', 'sourceFast', { sourceFast: 2 }],
  ['source', 'bad', 'sourceSilent', { sourceSilent: 2 }],
  ['server', 'bad', 'serverStalled', { stalledMs: 400 }],
  ['server', 'bad', 'serverBroke', { serverBroke: 1 }],
  ['server', 'bad', 'encoderDropped', { encoderDropped: 3 }],
  ['network', 'bad', 'unacknowledged', { queuedBytes: 9000, ackAgeMs: 4000, timeouts: 3 }],
  ['network', 'bad', 'resent', { resentPerSecond: 14 }],
  ['network', 'bad', 'longWay', { roundTripMs: 600 }],
  ['network', 'bad', 'narrow', { queueMs: 1600 }],
  ['player', 'bad', 'notReading', { receiverLimitedShare: 0.6 }],
  ['player', 'bad', 'silent', { silentMs: 7000 }],
  ['player', 'bad', 'reconnects', { connectionsPerMinute: 3 }],
  ['player', 'bad', 'ownError', { ownErrorMs: -40 }],
  ['unclear', 'bad', 'silent', { ...unmeasured, silentMs: 7000 }],
  ['unclear', 'bad', 'skipped', { skippedChunks: 5 }],
  ['source', 'watch', 'sourceSilent', { sourceSilent: 1 }],
  ['server', 'watch', 'serverLate', { loopDelayMs: 140 }],
  ['server', 'watch', 'encoderSlow', { encodeShare: 0.7 }],
  ['network', 'watch', 'resent', { resentPerSecond: 2 }],
  ['network', 'watch', 'longWay', { roundTripMs: 150 }],
  ['network', 'watch', 'narrow', { queueMs: 500 }],
  ['player', 'watch', 'drift', { driftPpm: -250 }],
  ['player', 'watch', 'ownJumps', { ownJumps: 1 }],
  ['unclear', 'watch', 'waiting', { ...unmeasured, busyMs: 900 }],
];

describe('the verdict', () => {
  it('has nothing against a player that is well, also where little is measured', () => {
    expect(judged({})).toEqual({ who: 'nobody', level: 'good', because: [] });
    expect(judged(unmeasured)).toEqual({ who: 'nobody', level: 'good', because: [] });
  });

  it.each(table)('is %s, %s, because of %s', (who, level, reason, changes) => {
    const found = judged(changes);
    expect({ who: found.who, level: found.level }).toEqual({ who, level });
    expect(found.because[0]?.reason).toBe(reason);
    expect(found.because[0]?.value).not.toBe(0);
  });

  it('has a row of this table for each of its rules', () => {
    const rows = table.map(([who, level, reason]) => `${who} ${level} ${reason}`);
    expect(rows).toEqual(rules.map(({ who, level, reason }) => `${who} ${level} ${reason}`));
  });

  it('blames who is in front, and says what was lost by that', () => {
    const found = judged({ stalledMs: 800, silentMs: 9000, skippedChunks: 40, resentPerSecond: 9 });
    expect(found.who).toBe('server');
    expect(found.because.map(({ reason }) => reason)).toEqual(['serverStalled', 'skipped']);
  });

  it('does not let what is only to be watched hide what is heard', () => {
    expect(judged({ sourceSilent: 1, silentMs: 8000 }).who).toBe('player');
  });

  it('does not blame the source for what came while the server stood still', () => {
    expect(judged({ sourceLate: 1, stalledMs: 400 }).who).toBe('server');
  });

  it('does not blame the network for a player that does not read', () => {
    const found = judged({ receiverLimitedShare: 0.9, roundTripMs: 900, silentMs: 9000 });
    expect(found.who).toBe('player');
  });

  it('does not blame the network for what a player that stands still has no memory for', () => {
    expect(judged({ silentMs: 4000, resentPerSecond: 9 }).who).toBe('nobody');
    expect(judged({ silentMs: 6000, resentPerSecond: 9 }).who).toBe('player');
  });

  it('does not blame a player that cannot be reached', () => {
    const found = judged({ queuedBytes: 90_000, ackAgeMs: 8000, timeouts: 4, silentMs: 9000 });
    expect(found.who).toBe('network');
  });
});
