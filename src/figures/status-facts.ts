import type { ChunkPoolStatistics } from '../audio/chunk-pool.ts';
import type { LogFields } from '../base/logger.ts';
import type { SendStatistics } from '../transport/send-statistics.ts';

/** Things to say about a `T` by the names of their fields, in the order of their rows. */
type Facts<T> = Readonly<
  Record<
    string,
    {
      /** What a row calls it. */
      readonly label: string;
      /** `undefined` when there is nothing that it could be said about. */
      readonly value: (of: T) => number | undefined;
      readonly digits?: number;
      readonly unit?: string;
    }
  >
>;

/** `created`, `reused` and `cleanups` are those since the last report, the others are of now. */
export type PoolStatus = Omit<ChunkPoolStatistics, 'hitRate'>;

/** These nine rows are read by programs: neither their order nor their look may change. */
export const zeroCopyFacts = {
  zcAttempts: { label: 'ZC Attempts', value: (of) => of.zeroCopyAttempts },
  zcSuccessful: { label: 'ZC Successful', value: (of) => of.zeroCopySends },
  zcBytes: { label: 'ZC Bytes', value: (of) => of.zeroCopyBytes },
  zcCopiedByKernel: { label: 'ZC Copied by Kernel', value: (of) => of.zeroCopyCopied },
  regularSends: { label: 'Regular Sends', value: (of) => of.regularSends },
  regularBytes: { label: 'Regular Bytes', value: (of) => of.regularBytes },
  coordinationFallbacks: {
    label: 'Coordination Fallbacks',
    value: (of) => of.coordinationFallbacks,
  },
  outstandingOperations: { label: 'Outstanding Operations', value: (of) => of.outstanding },
  zcSuccessRatePercent: {
    label: 'ZC Success Rate',
    value: (of) => (quotient(of.zeroCopySends, of.zeroCopyAttempts) ?? 0) * 100,
    digits: 2,
    unit: '%',
  },
} satisfies Facts<SendStatistics>;

export const furtherSendFacts = {
  partialSends: { label: 'Partial Sends', value: (of) => of.partialSends },
  eagains: { label: 'EAGAINs', value: (of) => of.wouldBlock },
  enobufsFallbacks: { label: 'ENOBUFS Fallbacks', value: (of) => of.noBuffers },
  skippedStaleChunks: { label: 'Skipped Stale Chunks', value: (of) => of.lostChunks },
  chunksPerSend: {
    label: 'Chunks per Send',
    value: (of) => quotient(of.chunks, of.zeroCopySends + of.regularSends),
    digits: 1,
  },
} satisfies Facts<SendStatistics>;

/** How badly a session fares. */
export const troubleFacts = {
  skippedStaleChunks: furtherSendFacts.skippedStaleChunks,
  eagains: furtherSendFacts.eagains,
  partialSends: furtherSendFacts.partialSends,
  coordinationFallbacks: zeroCopyFacts.coordinationFallbacks,
  outstandingOperations: zeroCopyFacts.outstandingOperations,
} satisfies Facts<SendStatistics>;

export const poolFacts = {
  totalBuffers: { label: 'Total Buffers', value: (of) => of.totalSlots },
  availableBuffers: { label: 'Available Buffers', value: (of) => of.availableSlots },
  bytesAllocated: { label: 'Bytes Allocated', value: (of) => of.bytesAllocated },
  buffersCreated: { label: 'Buffers Created', value: (of) => of.created },
  buffersReused: { label: 'Buffers Reused', value: (of) => of.reused },
  cleanupOperations: { label: 'Cleanup Operations', value: (of) => of.cleanups },
} satisfies Facts<PoolStatus>;

/** `Label: value` for each fact. */
export function factTexts<T>(facts: Facts<T>, of: T): string[] {
  return Object.values(facts).map(({ label, value, digits = 0, unit = '' }) => {
    const number = value(of);
    return `${label}: ${number === undefined ? '-' : number.toFixed(digits) + unit}`;
  });
}

/** The same for programs; what nothing can be said about is `null`. */
export function factFields<T>(facts: Facts<T>, of: T): LogFields {
  const fields = Object.entries(facts).map(([name, { value, digits = 0 }]) => {
    const number = value(of);
    return [name, number === undefined ? null : Number(number.toFixed(digits))] as const;
  });
  return Object.fromEntries(fields);
}

function quotient(dividend: number, divisor: number): number | undefined {
  return divisor === 0 ? undefined : dividend / divisor;
}
