import type { ChunkPoolStatistics } from '../audio/chunk-pool.ts';
import type { LogFields, LogReport } from '../base/logger.ts';
import { addSends, noSends, type SendStatistics } from '../transport/send-statistics.ts';
import {
  factFields,
  factTexts,
  furtherSendFacts,
  type PoolStatus,
  poolFacts,
  troubleFacts,
  zeroCopyFacts,
} from './status-facts.ts';

/** How often a report is made; it says so itself. */
export const reportIntervalMs = 30_000;
/** Beyond this number of sessions a report says what all did together, and which fare worst. */
export const maxListedSessions = 20;
const worstCount = 5;
const indent = '    ';
const phrase = `Periodic ZeroCopy Status (every ${reportIntervalMs / 1000}s)`;

/** What is logged regularly while clients are connected. */
export interface Status {
  readonly sessions: readonly SessionStatus[];
  readonly pool: PoolStatus;
}

export interface SessionStatus {
  readonly address: string;
  readonly clientId: string;
  /** Since the last report. */
  readonly sends: SendStatistics;
}

/** What a pool did between two looks at its statistics. */
export function poolStatus(now: ChunkPoolStatistics, last: ChunkPoolStatistics): PoolStatus {
  return {
    totalSlots: now.totalSlots,
    availableSlots: now.availableSlots,
    bytesAllocated: now.bytesAllocated,
    created: now.created - last.created,
    reused: now.reused - last.reused,
    cleanups: now.cleanups - last.cleanups,
  };
}

/** With `listsAll` every session is listed, however many there are. */
export function statusReport({ sessions, pool }: Status, listsAll: boolean): LogReport {
  const isListed = listsAll || sessions.length <= maxListedSessions;
  const part = isListed ? sessionList(sessions) : sessionSummary(sessions);
  const poolRows = factTexts(poolFacts, pool).map((text) => indent + text);
  return {
    phrase,
    rows: [`=== ${phrase} ===`, ...part.rows, '=== Buffer Pool Stats ===', ...poolRows],
    fields: { ...part.fields, pool: factFields(poolFacts, pool) },
  };
}

function sessionList(sessions: readonly SessionStatus[]): Pick<LogReport, 'rows' | 'fields'> {
  return {
    rows: sessions.flatMap(({ address, sends }) => [
      `Zerocopy Stats for session ${address}`,
      ...sendRows(sends),
    ]),
    fields: {
      sessions: sessions.map(({ address, clientId, sends }) => ({
        session: address,
        client: clientId,
        ...sendFields(sends),
      })),
    },
  };
}

function sessionSummary(sessions: readonly SessionStatus[]): Pick<LogReport, 'rows' | 'fields'> {
  const sum = noSends();
  for (const { sends } of sessions) addSends(sum, sends);
  const worst = sessions.toSorted(worstFirst).slice(0, worstCount);
  return {
    rows: [
      `Zerocopy Stats for ${sessions.length} sessions`,
      ...sendRows(sum),
      'Worst five sessions:',
      ...worst.map(troubleRow),
    ],
    fields: {
      summary: { sessions: sessions.length, ...sendFields(sum) },
      worst: worst.map(({ address, clientId, sends }) => ({
        session: address,
        client: clientId,
        ...factFields(troubleFacts, sends),
      })),
    },
  };
}

function sendRows(sends: SendStatistics): string[] {
  return [zeroCopyFacts, furtherSendFacts].flatMap((facts) => {
    const texts = factTexts<SendStatistics>(facts, sends);
    return texts.map((text, index) => indent + text + (index < texts.length - 1 ? ',' : ''));
  });
}

function sendFields(sends: SendStatistics): LogFields {
  return { ...factFields(zeroCopyFacts, sends), ...factFields(furtherSendFacts, sends) };
}

/** The client names itself, so its name is quoted. */
function troubleRow({ address, clientId, sends }: SessionStatus): string {
  const facts = factTexts(troubleFacts, sends).join(', ');
  return `${indent}${address} ${JSON.stringify(clientId)} ${facts}`;
}

function worstFirst({ sends: a }: SessionStatus, { sends: b }: SessionStatus): number {
  return b.lostChunks - a.lostChunks || hindrances(b) - hindrances(a);
}

function hindrances(sends: SendStatistics): number {
  return sends.partialSends + sends.wouldBlock + sends.coordinationFallbacks;
}
