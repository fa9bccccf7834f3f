import type { ServerProcess } from '../support/server-process.ts';

const reportLimitMs = 5000;

/** Opens the window of the observer that is loaded into a server. */
export function openObservation(running: ServerProcess): void {
  running.signal('SIGUSR2');
}

/** Closes it and resolves with what the observer has seen. */
export async function closeObservation<Seen>(running: ServerProcess, name: string): Promise<Seen> {
  running.signal('SIGUSR2');
  const pattern = new RegExp(`^${name} (.*)$`, 'm');
  const [, report = ''] = await running.log.waitFor(pattern, reportLimitMs);
  return JSON.parse(report);
}
