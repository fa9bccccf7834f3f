import type { Culprit, Evidence, Reason, Verdict, VerdictLevel } from './sync-message.ts';

/** Source: docs/observatory.md, "How the limits were found". */
export const limits = {
  loopDelayMs: 100,
  encodeShare: 0.5,
  ackAgeMs: 3000,
  resentPerSecond: 1,
  manyResentPerSecond: 5,
  roundTripMs: 100,
  longRoundTripMs: 400,
  /** Of the buffer: what waits for longer than that comes too late. */
  waitingShare: 0.4,
  longWaitingShare: 0.7,
  receiverLimitedShare: 0.2,
  silentMs: 5000,
  talkingMs: 2500,
  connectionsPerMinute: 3,
  driftPpm: 200,
  ownErrorMs: 5,
  busyMs: 500,
} as const;

/** What a verdict is made of, all of the last ten seconds; what is absent is not measured. */
export interface VerdictFacts {
  readonly isBroken: boolean;
  /** Runs that have ended before their time, by whose fault, and how. */
  readonly sourceLate: number;
  readonly sourceFast: number;
  readonly sourceSilent: number;
  readonly serverBroke: number;
  readonly stalledMs: number;
  /** The second longest, as one alone is no load. */
  readonly loopDelayMs: number;
  readonly encodeShare: number;
  readonly encoderDropped: number;
  readonly queuedBytes?: number;
  readonly ackAgeMs?: number;
  readonly timeouts?: number;
  readonly resentPerSecond?: number;
  /** How old what was sent is until it is acknowledged, and after how long it is played. */
  readonly queueMs?: number;
  readonly bufferMs: number;
  readonly roundTripMs?: number;
  readonly leastRoundTripMs?: number;
  /** For which part of the time it had no room for what was there. */
  readonly receiverLimitedShare?: number;
  /** For how much longer than it uses to the player has said nothing. */
  readonly silentMs: number;
  readonly skippedChunks: number;
  /** How long a write has been waiting. */
  readonly busyMs: number;
  readonly connectionsPerMinute: number;
  readonly driftPpm?: number;
  readonly ownErrorMs?: number;
  readonly ownJumps?: number;
}

interface Rule {
  readonly who: Culprit;
  readonly level: Exclude<VerdictLevel, 'good'>;
  readonly reason: Reason;
  /** What speaks against the culprit; nothing when that is not so. */
  readonly value: (facts: VerdictFacts) => number | undefined;
}

const above = (value: number | undefined, limit: number): number | undefined =>
  value !== undefined && value > limit ? value : undefined;

/** Acknowledged is what the kernel of the other machine has, whether its player reads or not. */
const isCutOff = ({ queuedBytes = 0, timeouts = 0, ackAgeMs = 0 }: VerdictFacts) =>
  queuedBytes > 0 && timeouts > 0 && ackAgeMs > limits.ackAgeMs;

const hasRoom = ({ receiverLimitedShare }: VerdictFacts) =>
  receiverLimitedShare === undefined || receiverLimitedShare <= limits.receiverLimitedShare;

/** The machine of a player that stands still drops what it has no memory for: that is no loss of the network. */
const isTalking = (facts: VerdictFacts) => hasRoom(facts) && facts.silentMs < limits.talkingMs;

/** Nothing is under way, or what is was acknowledged in time: the way to the player is free. */
const isWayKnown = (facts: VerdictFacts) => facts.ackAgeMs !== undefined && !isCutOff(facts);

/** Of those that hold the first of the worst counts: who is in front explains what comes behind. */
export const rules: readonly Rule[] = [
  rule('source', 'bad', 'streamBroken', ({ isBroken }) => (isBroken ? 1 : undefined)),
  // While the server stands still every source looks late.
  rule('source', 'bad', 'sourceLate', ({ sourceLate, stalledMs }) =>
    stalledMs > 0 ? undefined : above(sourceLate, 0),
  ),
  rule('source', 'bad', 'sourceFast', ({ sourceFast }) => above(sourceFast, 0)),
  rule('source', 'bad', 'sourceSilent', ({ sourceSilent }) => above(sourceSilent, 1)),
  rule('server', 'bad', 'serverStalled', ({ stalledMs }) => above(stalledMs, 0)),
  rule('server', 'bad', 'serverBroke', ({ serverBroke }) => above(serverBroke, 0)),
  rule('server', 'bad', 'encoderDropped', ({ encoderDropped }) => above(encoderDropped, 0)),
  rule('network', 'bad', 'unacknowledged', (facts) =>
    isCutOff(facts) ? facts.ackAgeMs : undefined,
  ),
  rule('network', 'bad', 'resent', (facts) =>
    isTalking(facts) ? above(facts.resentPerSecond, limits.manyResentPerSecond) : undefined,
  ),
  rule('network', 'bad', 'longWay', (facts) =>
    hasRoom(facts) ? above(facts.roundTripMs, limits.longRoundTripMs) : undefined,
  ),
  rule('network', 'bad', 'narrow', (facts) =>
    hasRoom(facts) ? above(facts.queueMs, limits.longWaitingShare * facts.bufferMs) : undefined,
  ),
  rule('player', 'bad', 'notReading', ({ receiverLimitedShare }) =>
    above(receiverLimitedShare, limits.receiverLimitedShare),
  ),
  rule('player', 'bad', 'silent', (facts) =>
    isWayKnown(facts) ? above(facts.silentMs, limits.silentMs) : undefined,
  ),
  rule('player', 'bad', 'reconnects', ({ connectionsPerMinute }) =>
    above(connectionsPerMinute, limits.connectionsPerMinute - 1),
  ),
  rule('player', 'bad', 'ownError', ({ ownErrorMs }) =>
    above(ownErrorMs === undefined ? undefined : Math.abs(ownErrorMs), limits.ownErrorMs),
  ),
  rule('unclear', 'bad', 'silent', ({ silentMs }) => above(silentMs, limits.silentMs)),
  rule('unclear', 'bad', 'skipped', ({ skippedChunks }) => above(skippedChunks, 0)),
  // Once is also how a pause begins.
  rule('source', 'watch', 'sourceSilent', ({ sourceSilent }) => above(sourceSilent, 0)),
  rule('server', 'watch', 'serverLate', ({ loopDelayMs }) =>
    above(loopDelayMs, limits.loopDelayMs),
  ),
  rule('server', 'watch', 'encoderSlow', ({ encodeShare }) =>
    above(encodeShare, limits.encodeShare),
  ),
  rule('network', 'watch', 'resent', (facts) =>
    isTalking(facts) ? above(facts.resentPerSecond, limits.resentPerSecond) : undefined,
  ),
  rule('network', 'watch', 'longWay', (facts) =>
    hasRoom(facts) ? above(facts.roundTripMs, limits.roundTripMs) : undefined,
  ),
  rule('network', 'watch', 'narrow', (facts) =>
    hasRoom(facts) ? above(facts.queueMs, limits.waitingShare * facts.bufferMs) : undefined,
  ),
  rule('player', 'watch', 'drift', ({ driftPpm }) =>
    above(driftPpm === undefined ? undefined : Math.abs(driftPpm), limits.driftPpm),
  ),
  rule('player', 'watch', 'ownJumps', ({ ownJumps }) => above(ownJumps, 0)),
  rule('unclear', 'watch', 'waiting', ({ busyMs }) => above(busyMs, limits.busyMs)),
];

function rule(who: Culprit, level: Rule['level'], reason: Reason, value: Rule['value']): Rule {
  return { who, level, reason, value };
}

const good: Verdict = { who: 'nobody', level: 'good', because: [] };

/** Who is at fault for what a player plays, and what speaks for that. */
export function verdict(facts: VerdictFacts): Verdict {
  const held: { who: Culprit; level: VerdictLevel; evidence: Evidence }[] = [];
  for (const { who, level, reason, value } of rules) {
    const found = value(facts);
    if (found !== undefined) held.push({ who, level, evidence: { reason, value: found } });
  }
  const worst = held.find(({ level }) => level === 'bad') ?? held[0];
  if (!worst) return good;
  const { who, level } = worst;
  const because = new Map<Reason, Evidence>();
  for (const { who: other, evidence } of held) {
    const isOf = other === who || evidence.reason === 'skipped';
    if (isOf && !because.has(evidence.reason)) because.set(evidence.reason, evidence);
  }
  return { who, level, because: [...because.values()] };
}
