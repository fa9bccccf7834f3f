import { describe, expect, it } from 'vitest';
import {
  maxListedSessions,
  poolStatus,
  type SessionStatus,
  type Status,
  statusReport,
} from '../../../src/figures/status-report.ts';
import { noSends, type SendStatistics } from '../../../src/transport/send-statistics.ts';

const pool: Status['pool'] = {
  totalSlots: 16,
  availableSlots: 15,
  bytesAllocated: 65536,
  created: 0,
  reused: 6088,
  cleanups: 1,
};

const busy: SendStatistics = {
  zeroCopyAttempts: 1250,
  zeroCopySends: 1200,
  zeroCopyBytes: 15728640,
  zeroCopyCopied: 7,
  regularSends: 45,
  regularBytes: 2048,
  partialSends: 3,
  wouldBlock: 4,
  noBuffers: 50,
  coordinationFallbacks: 5,
  chunks: 6225,
  lostChunks: 6,
  outstanding: 12,
};

const busyRows = [
  '    ZC Attempts: 1250,',
  '    ZC Successful: 1200,',
  '    ZC Bytes: 15728640,',
  '    ZC Copied by Kernel: 7,',
  '    Regular Sends: 45,',
  '    Regular Bytes: 2048,',
  '    Coordination Fallbacks: 5,',
  '    Outstanding Operations: 12,',
  '    ZC Success Rate: 96.00%',
  '    Partial Sends: 3,',
  '    EAGAINs: 4,',
  '    ENOBUFS Fallbacks: 50,',
  '    Skipped Stale Chunks: 6,',
  '    Chunks per Send: 5.0',
];

const busyFields = {
  zcAttempts: 1250,
  zcSuccessful: 1200,
  zcBytes: 15728640,
  zcCopiedByKernel: 7,
  regularSends: 45,
  regularBytes: 2048,
  coordinationFallbacks: 5,
  outstandingOperations: 12,
  zcSuccessRatePercent: 96,
  partialSends: 3,
  eagains: 4,
  enobufsFallbacks: 50,
  skippedStaleChunks: 6,
  chunksPerSend: 5,
};

function session(name: string, sends: Partial<SendStatistics> = {}): SessionStatus {
  return { address: `address-${name}`, clientId: `id-${name}`, sends: { ...noSends(), ...sends } };
}

function rowOf(label: string, sends: Partial<SendStatistics>): string | undefined {
  const { rows } = statusReport({ sessions: [session('a', sends)], pool }, false);
  return rows.find((row) => row.startsWith(`    ${label}: `))?.slice(`    ${label}: `.length);
}

describe('the report', () => {
  const sessions = [session('a', busy), session('b')];
  const report = statusReport({ sessions, pool }, false);

  it('has the rows that programs read, session by session, then the pool', () => {
    expect(report.rows).toEqual([
      '=== Periodic ZeroCopy Status (every 30s) ===',
      'Zerocopy Stats for session address-a',
      ...busyRows,
      'Zerocopy Stats for session address-b',
      ...busyRows
        .map((row) => row.replace(/\d+(?=,)/, '0').replace('96.00', '0.00'))
        .map((row) => row.replace('5.0', '-')),
      '=== Buffer Pool Stats ===',
      '    Total Buffers: 16',
      '    Available Buffers: 15',
      '    Bytes Allocated: 65536',
      '    Buffers Created: 0',
      '    Buffers Reused: 6088',
      '    Cleanup Operations: 1',
    ]);
  });

  it('has the same facts as fields', () => {
    expect(report.phrase).toBe('Periodic ZeroCopy Status (every 30s)');
    expect(report.fields).toEqual({
      sessions: [
        { session: 'address-a', client: 'id-a', ...busyFields },
        {
          session: 'address-b',
          client: 'id-b',
          ...Object.fromEntries(Object.keys(busyFields).map((key) => [key, 0])),
          chunksPerSend: null,
        },
      ],
      pool: {
        totalBuffers: 16,
        availableBuffers: 15,
        bytesAllocated: 65536,
        buffersCreated: 0,
        buffersReused: 6088,
        cleanupOperations: 1,
      },
    });
  });

  it('rounds the rate to two decimals and the chunks per send to one', () => {
    expect(rowOf('ZC Success Rate', { zeroCopyAttempts: 3, zeroCopySends: 2 })).toBe('66.67%');
    expect(rowOf('ZC Success Rate', { zeroCopyAttempts: 3, zeroCopySends: 3 })).toBe('100.00%');
    expect(rowOf('Chunks per Send', { chunks: 7, regularSends: 2, zeroCopySends: 1 })).toBe('2.3');
    expect(rowOf('Chunks per Send', { chunks: 0, regularSends: 1 })).toBe('0.0');
    expect(rowOf('Chunks per Send', { chunks: 1 })).toBe('-');
  });

  it('counts what the pool did since the last look, and shows what it has now', () => {
    const now = { ...pool, created: 80, reused: 1000, cleanups: 4, hitRate: 1 };
    const last = { ...now, totalSlots: 99, created: 64, reused: 990, cleanups: 4 };
    expect(poolStatus(now, last)).toEqual({ ...pool, created: 16, reused: 10, cleanups: 0 });
  });
});

describe('the report about many sessions', () => {
  const quiet = Array.from({ length: maxListedSessions }, (_, index) => session(`quiet-${index}`));
  const bad = [
    session('fifth', { partialSends: 2 }),
    session('third', { partialSends: 1, wouldBlock: 1, coordinationFallbacks: 7 }),
    session('fourth', { wouldBlock: 5, coordinationFallbacks: 1 }),
    session('second', { lostChunks: 1, coordinationFallbacks: 1 }),
    session('first', { lostChunks: 2, outstanding: 9 }),
    session('sixth', { wouldBlock: 1 }),
  ];

  it('lists them as long as they are not too many', () => {
    const { rows, fields } = statusReport({ sessions: quiet, pool }, false);
    const heads = rows.filter((row) => row.startsWith('Zerocopy Stats for session'));
    expect(heads).toHaveLength(maxListedSessions);
    expect(fields.sessions).toHaveLength(maxListedSessions);
    expect(fields).not.toHaveProperty('summary');
  });

  it('sums them up, the rate from the sums', () => {
    const more = session('more', { zeroCopyAttempts: 1250, regularSends: 5, outstanding: 1 });
    const sessions = [...quiet, session('busy', busy), more];
    const { rows, fields } = statusReport({ sessions, pool }, false);
    expect(rows.slice(0, 16)).toEqual([
      '=== Periodic ZeroCopy Status (every 30s) ===',
      'Zerocopy Stats for 22 sessions',
      '    ZC Attempts: 2500,',
      '    ZC Successful: 1200,',
      '    ZC Bytes: 15728640,',
      '    ZC Copied by Kernel: 7,',
      '    Regular Sends: 50,',
      '    Regular Bytes: 2048,',
      '    Coordination Fallbacks: 5,',
      '    Outstanding Operations: 13,',
      '    ZC Success Rate: 48.00%',
      ...busyRows.slice(9),
    ]);
    expect(fields.summary).toEqual({
      sessions: 22,
      ...busyFields,
      zcAttempts: 2500,
      zcSuccessRatePercent: 48,
      regularSends: 50,
      outstandingOperations: 13,
    });
  });

  it('names the five that fare worst, lost chunks first', () => {
    const { rows, fields } = statusReport({ sessions: [...quiet, ...bad], pool }, false);
    const start = rows.indexOf('Worst five sessions:');
    const names = rows.slice(start + 1, start + 6).map((row) => /"id-(\w+)"/.exec(row)?.[1]);
    expect(names).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
    expect(rows[start + 1]).toBe(
      '    address-first "id-first" Skipped Stale Chunks: 2, EAGAINs: 0, Partial Sends: 0, ' +
        'Coordination Fallbacks: 0, Outstanding Operations: 9',
    );
    expect(rows[start + 6]).toBe('=== Buffer Pool Stats ===');
    expect(fields).not.toHaveProperty('sessions');
    expect(fields.worst).toHaveLength(5);
    expect(fields.worst).toMatchObject([
      {
        session: 'address-first',
        client: 'id-first',
        skippedStaleChunks: 2,
        eagains: 0,
        partialSends: 0,
        coordinationFallbacks: 0,
        outstandingOperations: 9,
      },
      { client: 'id-second', skippedStaleChunks: 1, coordinationFallbacks: 1 },
      { client: 'id-third' },
      { client: 'id-fourth' },
      { client: 'id-fifth' },
    ]);
  });

  it('quotes the names that clients give themselves', () => {
    const forger = { ...session('x', { lostChunks: 1 }), clientId: 'a" EAGAINs: 99' };
    const { rows } = statusReport({ sessions: [...quiet, forger], pool }, false);
    expect(rows.some((row) => row.startsWith('    address-x "a\\" EAGAINs: 99" Skipped'))).toBe(
      true,
    );
  });

  it('lists all of them when all are asked for', () => {
    const { rows, fields } = statusReport({ sessions: [...quiet, ...bad], pool }, true);
    expect(rows.filter((row) => row.startsWith('Zerocopy Stats for session'))).toHaveLength(26);
    expect(fields.sessions).toHaveLength(26);
    expect(fields).not.toHaveProperty('worst');
  });
});
