/** Wrong use, a bad configuration, a port that is taken, or our own fault. */
export const failureStatus = 1;
export const stopSignals = ['SIGINT', 'SIGTERM'] as const;
/**
 * Exit status of a process that a signal ended: it did not stop in the orderly way. Source: POSIX
 * shells, 128 + SIGKILL's number.
 */
export const forcedStatus = 137;
